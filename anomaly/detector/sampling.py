"""A few of many, always the same few."""

from __future__ import annotations

import numpy as np


def evenly(n: int, most: int) -> list[int]:
    """Return at most ``most`` of the numbers 0..n-1, evenly spaced, the first and the last among them."""
    return sorted({round(position) for position in np.linspace(0, n - 1, min(n, most))})


def firsts(n: int, most: int) -> list[int]:
    """Cut the numbers 0..n-1 into at most ``most`` stretches of equal length, and return the first of each."""
    stretches = min(n, most)
    return [place * n // stretches for place in range(stretches)]
