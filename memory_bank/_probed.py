"""Search in the nearest cells of a bank too large to search in full.

An inverted file (Sivic and Zisserman 2003, https://doi.org/10.1109/ICCV.2003.1238663), gone through cell by cell: all
queries that ask for a cell meet its rows in one product of matrices, as in FAISS's search of many queries at a time
(``faiss.contrib.big_batch_search``). Products only propose and rule out (:mod:`memory_bank._screen`); what decides is
measured by difference in float64. So an answer is exact among the rows of its cells, and depends neither on the other
queries nor on the number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_bank._exact import squared_of_pairs
from memory_bank._nearest import first_of_each, least
from memory_bank._pruned import PrunedIndex
from memory_bank._screen import LEFT_OUT, TOO_FAR, allowance, frame_of, left_factor, right_factor, squared_norms
from memory_bank._threads import each, one_blas_thread, threads
from memory_bank.proposal import Answer
from memory_bank.types import Float32Array, Float64Array, Int64Array, Neighbors

LEAST_FOR_CELLS = 50_000
"""Rows below which this index searches everything."""
TOLERANCE = 0.01
"""By how much, as a fraction, the nearest row found in the cells may be further than the nearest of all."""
# Rows of the bank that the number of cells is tried out on: if none of 300 is answered badly, at most 1 % are (with
# 95 % confidence).
_SAMPLE = 300
_LEAST_PROBED = 8
# Candidates held at a time, and numbers of one product: 16 and 4 MiB.
_CANDIDATES, _PRODUCT = 1 << 21, 1 << 20


class ProbedIndex:
    """Nearly exact search, by few of the cells that k-means divides the rows into.

    How many are searched for a query is found out on the bank itself: the smallest power of two with which each row of
    a sample, itself left out, finds a neighbour at most :data:`TOLERANCE` further than its nearest. Where that takes a
    quarter of the cells, or the bank is small, everything is searched.

    Parameters
    ----------
    vectors : ndarray of float32, (m, d)
        Finite, C-contiguous, m > 0; kept, not copied.
    saved : mapping of str to ndarray, optional
        What :meth:`arrays` gave for these vectors.

    Attributes
    ----------
    probed : int
        Cells that are searched for each query; 0: everything is.
    """

    kind = "faiss-cells"

    def __init__(self, vectors: Float32Array, *, saved: Mapping[str, npt.NDArray[Any]] | None = None) -> None:
        self._vectors = vectors
        self._frame = frame_of(vectors)
        self._all: PrunedIndex | None = None
        self._lock = threading.Lock()
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._cells: list[_Cell] = []
        self.probed = 0
        if vectors.shape[0] < LEAST_FOR_CELLS:
            return
        placed = self._frame.place(vectors)
        if saved:
            centre, cell, self.probed = saved["centre"], saved["cell"], int(saved["probed"][0])
        else:
            from memory_bank._faiss import divide  # takes 0.15 s; nobody pays whose cells are saved

            centre, cell = divide(placed)
        if not saved or self.probed:
            self._centres = PrunedIndex(centre)
            self._cells = _lay_out(placed, cell, len(centre), self._frame.margin)
        if not saved:
            self.probed = self._enough_cells()
        if not self.probed:
            self._cells = []
        self._arrays = {"centre": centre, "cell": cell, "probed": np.array([self.probed], np.int32)}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is saved, by name: the cells, and how many are searched."""
        return self._arrays

    def search(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Neighbors:
        """Find k near rows of each query; see :class:`memory_bank.index.VectorIndex`."""
        if not self.probed:
            return self._search_all(queries, k, kept)
        n = len(queries)
        distance, index = np.empty((n, k), np.float32), np.empty((n, k), np.int64)
        missed = np.empty(n, bool)
        step = max(1, _CANDIDATES // (k * self.probed))
        for at in range(0, n, step):
            some = slice(at, at + step)
            squared, index[some], missed[some] = self._search_cells(queries[some], k, self.probed, kept)
            distance[some] = np.sqrt(squared)
        if missed.any():
            found = self._search_all(queries[missed], k, kept)
            distance[missed], index[missed] = found.distance, found.index
        return Neighbors(distance=distance, index=index)

    def propose(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Answer:
        """Search; what this kind answers is not proven any further."""
        return Answer(self.search(queries, k=k, kept=kept))

    def _search_all(self, queries: Float32Array, k: int, kept: Int64Array | None) -> Neighbors:
        with self._lock:
            if self._all is None:
                self._all = PrunedIndex(self._vectors)
        return self._all.search(queries, k=k, kept=kept)

    def _search_cells(
        self, queries: Float32Array, k: int, probed: int, kept: Int64Array | None
    ) -> tuple[Float64Array, Int64Array, npt.NDArray[np.bool_]]:
        """Search the ``probed`` cells nearest to each query.

        Returns
        -------
        squared, row : ndarray, (n, k)
            Squared distances and numbers of the k nearest rows.
        missed : ndarray of bool, (n,)
            Queries whose cells hold fewer than k rows, or which are too far off; nothing was found for these.
        """
        n, left_out = len(queries), None
        if kept is not None:
            left_out = np.ones(len(self._vectors), bool)
            left_out[kept] = False
        placed = self._frame.place(queries)
        norms = squared_norms(placed)
        missed = ~(norms < TOO_FAR)
        placed[missed], norms[missed] = 0, 0
        near = self._centres.search(placed, k=probed).index
        passed = _Pass(self._cells, left_factor(placed), near, k, left_out)
        passed.run()
        product, row = passed.product.reshape(n, -1), passed.row.reshape(n, -1)
        nearest = product.argmin(axis=1)[:, None] if k == 1 else np.argpartition(product, k - 1, axis=1)[:, :k]
        missed |= (np.take_along_axis(product, nearest, axis=1) >= TOO_FAR).any(axis=1)
        # The k best by product bound the distance of the k nearest; what may lie within it is measured, too.
        fine = np.flatnonzero(~missed)
        query, first = np.repeat(fine, k), np.take_along_axis(row, nearest, axis=1)[fine].ravel()
        squared = squared_of_pairs(queries, query, self._vectors, first)
        limit = np.full(n, -np.inf, np.float32)
        farthest = squared.reshape(-1, k).max(axis=1) * self._frame.scale**2
        limit[fine] = allowance(farthest, norms[fine], self._frame.margin)
        np.put_along_axis(product, nearest, np.inf, axis=1)  # measured already
        within, at = np.nonzero(product < limit[:, None])
        more = [(within, row[within, at]), *passed.below(limit)]
        others, other = (np.concatenate([pair[i] for pair in more]) for i in (0, 1))
        _, best, squared = first_of_each(
            np.concatenate([query, others]),
            np.concatenate([first, other]),
            np.concatenate([squared, squared_of_pairs(queries, others, self._vectors, other)]),
            k,
        )
        found, index = np.zeros((n, k)), np.zeros((n, k), np.int64)
        found[fine], index[fine] = squared.reshape(-1, k), best.reshape(-1, k)
        return found, index, missed

    def _enough_cells(self) -> int:
        """Cells to search so that a sample of rows is answered well enough; 0: too many."""
        sample = np.unique(np.linspace(0, self._vectors.shape[0] - 1, _SAMPLE).astype(np.int64))
        queries = self._vectors[sample]
        # The first neighbour of a row is the row itself, or one that equals it.
        allowed = (1 + TOLERANCE) * PrunedIndex(self._vectors).search(queries, k=2).distance[:, 1]
        probed = _LEAST_PROBED
        while probed < len(self._cells) // 4:
            squared, _, missed = self._search_cells(queries, 2, probed, None)
            if (np.sqrt(squared[:, 1]) <= allowed).all() and not missed.any():
                return probed
            probed *= 2
        return 0


@dataclass(frozen=True, eq=False)
class _Cell:
    """The rows of one cell.

    Attributes
    ----------
    right : ndarray of float32, (d + 1, rows)
        Their right factors (:func:`memory_bank._screen.right_factor`), laid out for products with few queries.
    row : ndarray of int64, (rows,)
        Their numbers, ascending.
    """

    right: Float32Array
    row: Int64Array

    def products(self, left: Float32Array, left_out: npt.NDArray[np.bool_] | None) -> Float32Array:
        """Products of queries with all rows, (n, rows); those marked as left out come near none."""
        product: Float32Array = left @ self.right
        if left_out is not None:
            product[:, left_out[self.row]] = LEFT_OUT
        return product


def _lay_out(placed: Float32Array, cell: npt.NDArray[np.int32], count: int, margin: float) -> list[_Cell]:
    order = np.argsort(cell, kind="stable")
    stops = np.cumsum(np.bincount(cell, minlength=count))[:-1]
    right = right_factor(placed, squared_norms(placed), margin)
    return [_Cell(np.ascontiguousarray(right[row].T), row) for row in np.split(order, stops)]


class _Pass:
    """One pass over the cells that queries ask for.

    Attributes
    ----------
    product : ndarray of float32, (n * probed, k)
        The least products of each query with each of its cells; infinite where the cell has fewer rows.
    row : ndarray of int64, (n * probed, k)
        Whose they are.
    next : ndarray of float32, (n * probed,)
        The product of the row of that cell that would have come next.
    """

    def __init__(
        self,
        cells: list[_Cell],
        left: Float32Array,
        near: Int64Array,
        k: int,
        left_out: npt.NDArray[np.bool_] | None,
    ) -> None:
        self._cells, self._left, self._probed, self._k, self._left_out = cells, left, near.shape[1], k, left_out
        self._asked = near.ravel()
        self.product = np.full((near.size, k), np.inf, np.float32)
        self.row = np.zeros((near.size, k), np.int64)
        self.next = np.full(near.size, np.inf, np.float32)

    def run(self) -> None:
        """Go through the cells, each thread through its share of them."""
        order = np.argsort(self._asked.astype(np.uint16), kind="stable")  # by digits, several times as fast
        found, starts = np.unique(self._asked[order], return_index=True)
        asking = np.split(order, starts[1:])

        def go_through(some: npt.NDArray[np.int64]) -> None:
            for i in some.tolist():
                self._meet(self._cells[found[i]], asking[i])

        with one_blas_thread() as alone:
            shares = threads() if alone else 1
            each(go_through, np.array_split(np.arange(len(asking)), shares), most=shares)

    def below(self, limit: Float32Array) -> list[tuple[Int64Array, Int64Array]]:
        """Return pairs of query and row in cells where more than k products may be below the query's limit."""
        pairs = []
        for pair in np.flatnonzero(self.next < np.repeat(limit, self._probed)).tolist():
            query, cell = pair // self._probed, self._cells[self._asked[pair]]
            row = cell.row[cell.products(self._left[query : query + 1], self._left_out)[0] < limit[query]]
            pairs.append((np.full(row.size, query), row))
        return pairs

    def _meet(self, cell: _Cell, asking: Int64Array) -> None:
        """Enter the best of a cell for the pairs of query and cell that ask for it."""
        rows = cell.row.size
        if not rows:
            return
        step = max(1, _PRODUCT // rows)
        for at in range(0, asking.size, step):
            pair = asking[at : at + step]
            product = cell.products(self._left.take(pair // self._probed, axis=0), self._left_out)
            if rows <= self._k:
                self.product[pair, :rows], self.row[pair, :rows] = product, cell.row
            elif self._k == 1:
                line, best = np.arange(pair.size), product.argmin(axis=1)
                self.product[pair, 0], self.row[pair, 0] = product[line, best], cell.row[best]
                product[line, best] = np.inf
                self.next[pair] = product.min(axis=1)
            else:
                best, self.next[pair] = least(product, self._k)
                self.product[pair], self.row[pair] = np.take_along_axis(product, best, axis=1), cell.row[best]
