"""A few of many, always the same few."""

from __future__ import annotations

import numpy as np


def evenly(n: int, most: int) -> list[int]:
    """Return at most ``most`` of the numbers 0..n-1, evenly spaced."""
    return sorted({round(position) for position in np.linspace(0, n - 1, min(n, most))})
