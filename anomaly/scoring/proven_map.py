"""An anomaly map from distances of which most are only bounds: right wherever it counts.

A search that does not prove its answers takes a fraction of the time, and no distance it gives is too small
(:class:`memory_bank.Proposal`). Nor is any value of the map then, since averaging and smoothing only add. So whatever
lies below a value that is right cannot be among the largest, proven or not; the rest is proven, until nothing above
that value is a bound. See ``docs/decisions/0027-proof-where-it-counts.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from anomaly.scoring.anomaly_map import fuse_grids, resize_grid, smooth_grid, top_count
from anomaly.scoring.parts import grown_parts, part_scores
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


@dataclass(frozen=True, eq=False)
class ProvenMaps:
    """Anomaly maps of one picture, each right where its caller needs it, and nowhere too small.

    Attributes
    ----------
    grids : sequence of DistanceGrid, (gh_i, gw_i)
        One for each tap; what a map needs is proven in them, and stays proven for the next.
    scales, smoothing
        See :func:`anomaly.scoring.fuse_grids`.
    top_share : float
        See :func:`anomaly.scoring.image_score`.
    """

    grids: Sequence[DistanceGrid]
    scales: Sequence[float]
    smoothing: float
    top_share: float

    @property
    def shape(self) -> tuple[int, int]:
        """That of the maps, (gh, gw): the finest grid's."""
        return max(((grid.proven.shape[0], grid.proven.shape[1]) for grid in self.grids), key=math.prod)

    def for_score(self) -> Float32Array:
        """Return a map whose largest values are right, and so its image score; the others stay below them."""
        size = math.prod(self.shape)

        def largest(grid_map: Float32Array, more: float) -> BoolArray:
            below = size - top_count(size, min(1.0, more * self.top_share))
            return np.asarray(grid_map >= np.partition(grid_map, below, axis=None)[below])

        return self._prove(largest)

    def above(self, value: float, *, height: int, width: int) -> Float32Array:
        """Return a map that is right wherever it is at least ``value``; elsewhere it stays below.

        Brought to so many pixels (:func:`anomaly.scoring.to_pixels`), what it shows above ``value`` is right, to its
        outlines.
        """

        def above_and_around(grid_map: Float32Array, more: float) -> BoolArray:
            marked = grid_map >= value
            # What else goes into the pixels that a patch goes into.
            for _ in range(max(1, math.ceil(2 * max(marked.shape[0] / height, marked.shape[1] / width)))):
                padded = np.pad(marked, 1)
                rows = padded[:-2] | padded[1:-1] | padded[2:]
                marked = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
            return np.asarray(marked)

        return self._prove(above_and_around)

    def in_parts(self, labels: npt.NDArray[np.int32], *, count: int, value: float) -> Float32Array:
        """Return a map that gives every part the right score that has one above ``value``.

        The scores of the others (:func:`anomaly.scoring.part_scores`) may be too large, but not above ``value``.
        """
        grown, counted = grown_parts(labels), top_count(labels.size, self.top_share)

        def largest_of_strange_parts(grid_map: Float32Array, more: float) -> BoolArray:
            marked, ordinary = np.zeros(grid_map.shape, bool), np.median(grid_map)
            scores = part_scores(grid_map, labels, count=count, top_share=self.top_share)
            for number, score in enumerate(scores, start=1):
                if score > value:
                    own = grown == number
                    values = np.sort(grid_map[own])[-counted:]
                    if values.size < counted or values[0] < ordinary:
                        return np.ones(grid_map.shape, bool)  # ordinary values count too: their median is that of all
                    marked |= own & (grid_map >= values[0])
            return marked

        return self._prove(largest_of_strange_parts)

    def _prove(self, counts: Callable[[Float32Array, float], BoolArray]) -> Float32Array:
        """Prove what the map's places that count are made of, until those of the map that comes out are.

        ``counts`` marks them, or so many times as many.
        """
        # Values that are proven fall, and others take their places: somewhat more at first saves rounds.
        more = 1.5
        while True:
            known = [grid.distance for grid in self.grids]
            grid_map = fuse_grids(known, scales=self.scales, smoothing=self.smoothing)
            if all(grid.proven.all() for grid in self.grids):
                return grid_map
            # Smoothing and resizing reach as far one way as the other.
            reached = (smooth_grid(counts(grid_map, more).astype(np.float64), self.smoothing) > 0).astype(np.float32)
            missing = [(resize_grid(reached, *grid.proven.shape) > 0) & ~grid.proven for grid in self.grids]
            if not any(which.any() for which in missing):
                return grid_map
            for grid, which in zip(self.grids, missing, strict=True):
                if which.any():
                    grid.prove(which)
            more = 1.0
