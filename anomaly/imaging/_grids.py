"""Means and morphology on small two-dimensional arrays, vectorised NumPy."""

from __future__ import annotations

import math

import numpy as np

from anomaly.types import BoolArray, Float32Array, Float64Array


def box_mean(values: Float32Array, radius: int) -> Float32Array:
    """Mean over a window of (2 radius + 1)**2 cells, cut off at the border; (h, w)."""
    for _ in range(2):
        values = _mean_of_rows(values, radius).T
    return values


def _mean_of_rows(values: Float32Array, radius: int) -> Float32Array:
    n = len(values)
    total = np.zeros((n + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=total[1:])
    place = np.arange(n)
    low, high = np.maximum(place - radius, 0), np.minimum(place + radius + 1, n)
    mean: Float32Array = ((total[high] - total[low]) / (high - low)[:, None]).astype(np.float32)
    return mean


def dilate(mask: BoolArray, radius: int) -> BoolArray:
    """Cells with a cell of the mask within a disc of about this radius."""
    height, width = mask.shape
    padded = np.pad(mask, radius)
    grown = np.zeros_like(mask)
    for down in range(2 * radius + 1):
        half = math.isqrt(radius * radius + radius - (down - radius) ** 2)
        rows = padded[down : down + height]
        for across in range(radius - half, radius + half + 1):
            grown |= rows[:, across : across + width]
    return grown


def erode(mask: BoolArray, radius: int) -> BoolArray:
    """Cells whose whole neighbourhood lies in the mask; beyond the border everything does."""
    return ~dilate(~mask, radius)


def plane(height: int, width: int) -> Float64Array:
    """Coordinates (2, h, w): row and column in [-1, 1]."""
    return np.stack(np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij"))
