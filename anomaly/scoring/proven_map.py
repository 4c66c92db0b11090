"""An anomaly map from distances of which most are only bounds: right wherever it counts.

A search that does not prove its answers takes a fraction of the time, and no distance it gives is too small
(:class:`memory_bank.Proposal`). Nor is any value of the map then, since averaging and smoothing only add. So whatever
lies below a value that is right cannot be among the largest, proven or not; the rest is proven, until nothing above
that value is a bound. See ``docs/decisions/0027-proof-where-it-counts.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from anomaly.scoring.anomaly_map import fuse_grids, resize_grid, smooth_grid, top_count
from anomaly.types import BoolArray, Float32Array


class DistanceGrid(Protocol):
    """Patch distances of one tap, (gh, gw), that may be bounds."""

    @property
    def distance(self) -> Float32Array:
        """What is known now; never too small."""

    @property
    def proven(self) -> BoolArray:
        """Where the distance is right."""

    def prove(self, which: BoolArray) -> None:
        """Make the distances of these patches right."""


def map_with_proven_top(
    grids: Sequence[DistanceGrid], *, scales: Sequence[float], smoothing: float, top_share: float
) -> Float32Array:
    """Return the anomaly map, its largest values right, and so the image score of it.

    Parameters
    ----------
    grids : sequence of DistanceGrid, (gh_i, gw_i)
        One for each tap; what has to be proven is proven in them.
    scales, smoothing
        See :func:`anomaly.scoring.fuse_grids`.
    top_share : float
        See :func:`anomaly.scoring.image_score`.

    Returns
    -------
    ndarray of float32, (gh, gw)
        Elsewhere, values may be too large, but stay below the largest.
    """

    def largest(grid_map: Float32Array, more: float) -> BoolArray:
        below = grid_map.size - top_count(grid_map.size, min(1.0, more * top_share))
        return np.asarray(grid_map >= np.partition(grid_map, below, axis=None)[below])

    return _prove(grids, largest, scales=scales, smoothing=smoothing)


def map_proven_above(
    grids: Sequence[DistanceGrid],
    *,
    scales: Sequence[float],
    smoothing: float,
    value: float,
    height: int,
    width: int,
) -> Float32Array:
    """Return the anomaly map, right wherever it is at least ``value``, and around such places.

    Parameters
    ----------
    grids, scales, smoothing
        See :func:`map_with_proven_top`.
    value : float
    height, width : int
        Pixels that the map will be brought to (:func:`anomaly.scoring.to_pixels`): what it shows above ``value`` there
        is right, to its outlines.

    Returns
    -------
    ndarray of float32, (gh, gw)
        Elsewhere, values may be too large, but stay below ``value``.
    """

    def above_and_around(grid_map: Float32Array, more: float) -> BoolArray:
        marked = grid_map >= value
        # What else goes into the pixels that a patch goes into.
        for _ in range(max(1, math.ceil(2 * max(marked.shape[0] / height, marked.shape[1] / width)))):
            padded = np.pad(marked, 1)
            rows = padded[:-2] | padded[1:-1] | padded[2:]
            marked = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
        return np.asarray(marked)

    return _prove(grids, above_and_around, scales=scales, smoothing=smoothing)


def _prove(
    grids: Sequence[DistanceGrid],
    counts: Callable[[Float32Array, float], BoolArray],
    *,
    scales: Sequence[float],
    smoothing: float,
) -> Float32Array:
    """Prove what the map's places that count are made of, until those of the map that comes out are.

    ``counts`` marks them, or so many times as many.
    """
    # Values that are proven fall, and others take their places: somewhat more at first saves rounds.
    more = 1.5
    while True:
        grid_map = fuse_grids([grid.distance for grid in grids], scales=scales, smoothing=smoothing)
        if all(grid.proven.all() for grid in grids):
            return grid_map
        # Smoothing and resizing reach as far one way as the other.
        reached = smooth_grid(counts(grid_map, more).astype(np.float64), smoothing) > 0
        missing = [(resize_grid(reached.astype(np.float32), *grid.proven.shape) > 0) & ~grid.proven for grid in grids]
        if not any(which.any() for which in missing):
            return grid_map
        for grid, which in zip(grids, missing, strict=True):
            if which.any():
                grid.prove(which)
        more = 1.0
