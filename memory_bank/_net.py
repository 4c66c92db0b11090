"""Rows that stand for all others within a radius, found in one pass.

A row is taken unless one taken before it lies within the radius: the leader algorithm (Hartigan 1975, *Clustering
Algorithms*, chapter 3), whose result is called a net in metric geometry. Greedy k-centre that stops at the same radius
takes 7 % fewer rows, and five times as long.
"""

from __future__ import annotations

import numpy as np

from memory_bank._exact import squared_of_pairs
from memory_bank._screen import TOO_FAR, allowance, certainty, frame_of, left_factor, right_factor, squared_norms
from memory_bank._threads import one_blas_thread
from memory_bank.types import BoolArray, Float32Array, Int64Array

# Rows that are compared at a time, with those taken before and with each other.
_BLOCK = 512


def net_of(vectors: Float32Array, radius: float) -> Int64Array:
    """Choose rows that leave none farther than ``radius`` from a chosen one, and are farther than that apart.

    Parameters
    ----------
    vectors : ndarray of float32, (n, d)
    radius : float
        Euclidean; positive.

    Returns
    -------
    ndarray of int64, (m,)
        Ascending; the first row is always among them.
    """
    nearness = _Nearness(vectors, radius)
    chosen: Int64Array = np.empty(0, np.int64)
    # As in the selection of coresets, some kernels of OpenBLAS raise a flag for nothing.
    with one_blas_thread(), np.errstate(invalid="ignore"):
        for start in range(0, len(vectors), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(vectors)))
            if chosen.size:
                rows = rows[~nearness.to_any(rows, chosen)]
            apart = _leaders(nearness.of_pairs(rows, rows))
            chosen = np.concatenate([chosen, rows[apart]])
    return chosen


def _leaders(near: BoolArray) -> Int64Array:
    """Return the leaders among rows of which ``near`` (n, n) says who lies near whom."""
    free = np.ones(len(near), np.bool_)
    leaders = []
    while free.any():
        leader = int(free.argmax())
        leaders.append(leader)
        free &= ~near[leader]
    return np.array(leaders, np.int64)


class _Nearness:
    """Which rows lie within a radius of each other: by products where those are certain, else by difference."""

    def __init__(self, vectors: Float32Array, radius: float) -> None:
        frame = frame_of(vectors)
        placed = frame.place(vectors)
        norms = squared_norms(placed)
        self._vectors, self._squared = vectors, radius**2
        self._left, self._right = left_factor(placed), right_factor(placed, norms, frame.margin)
        limit = np.full(len(vectors), min(self._squared * frame.scale**2, TOO_FAR))
        self._possible = allowance(limit, norms, frame.margin)
        self._certain = certainty(limit, norms, frame.margin, largest=float(norms.max()))

    def of_pairs(self, rows: Int64Array, others: Int64Array) -> BoolArray:
        """Say it of every pair, (n, m)."""
        product = self._left[rows] @ self._right[others].T
        near: BoolArray = product < self._certain[rows, None]
        row, other = np.nonzero((product < self._possible[rows, None]) & ~near)
        near[row, other] = squared_of_pairs(self._vectors, rows[row], self._vectors, others[other]) <= self._squared
        return near

    def to_any(self, rows: Int64Array, others: Int64Array) -> BoolArray:
        """Say of each row whether any of the others is near, (n,)."""
        best = (self._left[rows] @ self._right[others].T).min(axis=1)
        near: BoolArray = best < self._certain[rows]
        unsure = np.flatnonzero((best < self._possible[rows]) & ~near)
        near[unsure] = self.of_pairs(rows[unsure], others).any(axis=1)
        return near
