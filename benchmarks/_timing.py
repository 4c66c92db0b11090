"""Pairs of times: what is compared runs in turn, so that a busy machine slows both sides alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turn(sides: Mapping[str, Callable[[], object]], *, rounds: int) -> list[dict[str, float]]:
    """Time every side once in each round, every other round in reverse; the first, for warming up, is dropped."""
    found = []
    for number in range(rounds + 1):
        names = list(sides)[:: -1 if number % 2 else 1]
        times = {name: seconds(sides[name]) for name in names}
        found.append({name: times[name] for name in sides})
    return found[1:]


def summary(rounds: Sequence[Mapping[str, float]], one: str, other: str) -> dict[str, Any]:
    """Medians of two sides, and the median of the rounds' own ratios, ``one`` divided by ``other``."""
    return {
        "seconds": {name: round(median(found[name] for found in rounds), 5) for name in (one, other)},
        "ratio": round(median(found[one] / found[other] for found in rounds), 4),
        "rounds": len(rounds),
    }
