"""How long work tells its caller where it stands, without knowing what the caller does with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Called after every step of long work."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` steps of ``stage`` are finished."""
        ...


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody."""


def stepwise(progress: Progress, stage: str, total: int) -> Callable[[], None]:
    """Return what is to be called after each of ``total`` steps: it counts them and tells."""
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(stage, done, total)

    return step
