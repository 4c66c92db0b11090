"""How long work tells its caller where it stands, without knowing what the caller does with it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called after every step of long work."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` steps of ``stage`` are finished."""
        ...


def silent(stage: str, done: int, total: int) -> None:
    """Tell nobody."""
