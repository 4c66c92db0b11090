"""The bank divided into cells, and what rules most of its rows out for a query before any of them is looked at.

Around C centres lie the rows that are nearer to them than to any other. A query in cell i and a row x in cell j lie on
either side of the plane halfway between the two centres, so they are at least as far apart as the two distances to that
plane together; and how far a point is from it follows from its distances to the two centres:

    (|x - ci|² - |x - cj|²) / (2 |ci - cj|)

(the generalised hyperplane bound of metric search: Uhlmann 1991, https://doi.org/10.1016/0020-0190(91)90074-R; Zezula
et al., Similarity Search, 2006). Rows of other cells that come near the planes of cell i, wherever they lie, are listed
for it: a query of the cell meets its nearest row nearly always among them. For the rest of each cell its ``gap`` is
kept, and the whole of it is left out when gap and the query's own distance to the plane exceed what was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_bank._screen import FLOOR, right_factor, squared_norms
from memory_bank.types import Float32Array, Float64Array, Int64Array

LEAST_ROWS = 1500
"""Rows below which searching everything is as fast."""
MOST_ROWS = 250_000
"""Rows above which making cells takes too much memory: a number for each row and cell, twice."""
LISTED = 4
"""Times that each row is listed, on average."""
DTYPES = {"centre": "<f4", "cell": "<i4", "near": "|u1", "gap": "<f4"}
PROBING_DTYPES = {"centre": "<f4", "cell": "<i4", "probed": "<i4"}
"""Of the cells of ``faiss-cells``; ``probed`` is how many of them are searched for a query."""
# Rows for each centre that k-means looks at, and how often.
_PER_CENTRE, _ROUNDS = 64, 8
_ROW_BLOCK = 8192
# Centres nearer to each other than this, in the frame, part nothing.
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Cells:
    """C cells of m rows, all in the frame of the index.

    Attributes
    ----------
    centre : ndarray of float32, (C, d)
    cell : ndarray of int32, (m,)
        Of each row.
    near : ndarray of uint8, (C, ceil(m / 8))
        The rows listed for each cell, its own among them, as bits (smallest first).
    gap : ndarray of float32, (C, C)
        Of cells j and i: how far the rows of j that are not listed for i are at least from the plane between them;
        infinite where all are.
    """

    centre: Float32Array
    cell: npt.NDArray[np.int32]
    near: npt.NDArray[np.uint8]
    gap: Float32Array

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is saved, by name."""
        return {name: getattr(self, name) for name in DTYPES}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Cells:
        """Return saved cells, which :func:`fit`."""
        return cls(**arrays)


def fit(kind: str, arrays: Mapping[str, npt.NDArray[Any]], *, rows: int, dim: int) -> bool:
    """Whether saved arrays can be the cells that an index of this kind has made of so many rows."""
    dtypes = {"pruned": DTYPES, "faiss-cells": PROBING_DTYPES}.get(kind, {})
    typed = set(arrays) == set(dtypes) != set() and all(
        isinstance(arrays[name], np.ndarray) and arrays[name].dtype == np.dtype(dtype).newbyteorder("=")
        for name, dtype in dtypes.items()
    )
    if not typed:
        return False
    count = arrays["centre"].shape[0] if arrays["centre"].ndim else 0
    shapes = {"centre": (count, dim), "cell": (rows,), "probed": (1,)}
    shapes |= {"near": (count, -(-rows // 8)), "gap": (count, count)}
    if any(array.shape != shapes[name] for name, array in arrays.items()):
        return False
    cell, probed = arrays["cell"], arrays.get("probed", np.zeros(1))
    return bool(cell.min() >= 0 and cell.max() < count and 0 <= probed[0] <= count)


def make_cells(placed: Float32Array) -> Cells:
    """Divide rows, (m, d), in the frame of the index; the same rows give the same cells."""
    m = len(placed)
    centre = _centres(placed, 1 << max(0, round(float(np.log2(0.6 * np.sqrt(m))))))
    count = len(centre)
    exact = centre.astype(np.float64)
    apart = np.sqrt(_squared(exact, exact))
    apart[apart < _SAME] = np.inf
    beyond = np.empty((count, m), np.float32)  # of cell i and row x: its distance to the plane that parts them
    cell = np.empty(m, np.int32)
    for at in range(0, m, _ROW_BLOCK):
        some = slice(at, at + _ROW_BLOCK)
        squared = _squared(exact, placed[some].astype(np.float64))
        cell[some] = own = squared.argmin(axis=0)
        beyond[:, some] = (squared - squared[own, np.arange(len(own))]) / (2 * apart[:, own])
    listed = min(LISTED, count) * m
    near = beyond <= np.partition(beyond, listed - 1, axis=None)[listed - 1]
    near[cell, np.arange(m)] = True
    beyond[near] = np.inf
    order, starts = _by_cell(cell, count)
    gap = np.full((count, count), np.inf, np.float32)
    filled = np.flatnonzero(np.diff(starts))
    gap[filled] = np.minimum.reduceat(beyond[:, order], starts[filled], axis=1).T
    return Cells(centre, cell, np.packbits(near, axis=1, bitorder="little"), gap * np.float32(1 - 1e-6))


class CellSearch:
    """Cells made ready: rows sorted by cell, and the bounds of queries.

    Attributes
    ----------
    order : ndarray of int64, (m,)
        Number of each row, sorted by cell.
    starts : ndarray of int64, (C + 1,)
        Where each cell begins in ``order``.
    listed : list of ndarray of int64
        Places in ``order`` that are listed for each cell.
    """

    def __init__(self, cells: Cells) -> None:
        count, m = len(cells.centre), len(cells.cell)
        self.count = count
        self.order, self.starts = _by_cell(cells.cell, count)
        near = np.unpackbits(cells.near, axis=1, count=m, bitorder="little").view(bool)[:, self.order]
        self.listed = [np.flatnonzero(row) for row in near]
        centre = cells.centre.astype(np.float64)
        apart = np.sqrt(_squared(centre, centre))
        with np.errstate(divide="ignore"):
            self._half = np.where(apart < _SAME, 0, 0.5 / apart).astype(np.float32)
        self._gap = np.ascontiguousarray(cells.gap.T)
        norms = squared_norms(cells.centre)
        self._farthest = float(norms.max())
        self._across = np.ascontiguousarray(right_factor(cells.centre, norms, 0.0).T)

    def products(self, left: Float32Array) -> Float32Array:
        """|c|² - 2 q·c of each query and centre, (n, C); ``left`` is the left factor of the queries."""
        return np.asarray(left @ self._across)

    def within(
        self,
        products: Float32Array,
        own: Int64Array,
        distance: Float64Array,
        norms: Float64Array,
        *,
        reach: float,
        margin: float,
    ) -> npt.NDArray[np.bool_]:
        """Whether the rest of a cell can hold a row within a distance, (n, C).

        Parameters
        ----------
        products : ndarray of float32, (n, C)
            See :meth:`products`.
        own : ndarray of int64, (n,)
            Cell of each query; what is listed for it counts as searched.
        distance : ndarray of float64, (n,)
            In the frame.
        norms : ndarray of float64, (n,)
            |q|² of each query.
        reach : float
            The largest |x| of a row.
        margin : float
            See :attr:`memory_bank._screen.Frame.margin`.
        """
        bound = products - products[np.arange(own.size), own][:, None]
        bound -= (2 * margin * (norms + self._farthest) + FLOOR).astype(np.float32)[:, None]
        bound *= self._half.take(own, axis=0)  # the same either way round
        bound += self._gap.take(own, axis=0)
        # The roundings of these sums, and of the vectors when they were placed.
        enough = distance * (1 + 1e-4) + 2.0**-21 * (np.sqrt(norms) + reach)
        within: npt.NDArray[np.bool_] = bound < enough.astype(np.float32)[:, None]
        return within


def _squared(a: Float64Array, b: Float64Array) -> Float64Array:
    """Squared distances of rows to rows, (n, m), none below 0."""
    squared: Float64Array = np.einsum("nd,nd->n", a, a)[:, None] + np.einsum("md,md->m", b, b) - 2 * a @ b.T
    np.maximum(squared, 0, out=squared)
    return squared


def _by_cell(cell: npt.NDArray[np.int32], count: int) -> tuple[Int64Array, Int64Array]:
    """Row numbers sorted by cell, and where each cell starts."""
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(cell, minlength=count), out=starts[1:])
    return np.argsort(cell, kind="stable"), starts


def _centres(placed: Float32Array, count: int) -> Float32Array:
    """Centres by k-means (Lloyd 1982, https://doi.org/10.1109/TIT.1982.1056489) on evenly spaced rows."""
    some = placed[np.unique(np.linspace(0, len(placed) - 1, _PER_CENTRE * count).astype(np.int64))]
    centre = some[np.unique(np.linspace(0, len(some) - 1, count).astype(np.int64))].copy()
    for _ in range(_ROUNDS):
        products = right_factor(centre, squared_norms(centre), 0.0)
        own = (products[:, :-1] @ some.T + products[:, -1:]).argmin(axis=0).astype(np.int32)
        order, starts = _by_cell(own, len(centre))
        filled = np.flatnonzero(np.diff(starts))
        sums = np.add.reduceat(some[order], starts[filled], axis=0, dtype=np.float64)
        centre[filled] = sums / np.diff(starts)[filled, None]
    return centre
