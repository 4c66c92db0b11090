"""Exact search that leaves out what cannot be nearest.

Products of matrices in float32 propose and rule out (:mod:`memory_bank._screen`); all that decides is measured by
difference in float64. Two passes:

1. Each query is compared with the rows listed for its cell (:mod:`memory_bank._cells`), or with all rows where there
   are no cells. The k best by product are measured: that bounds the distance of the k nearest.
2. Cells whose bound does not exceed that distance are searched through, and every row whose product does not prove it
   to be further is measured. Queries whose first pass left a near tie are compared with all cells.

Queries are sorted by cell, so that products are of many queries at a time. Which queries share a product changes its
rounding, but no answer.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_bank._cells import LEAST_ROWS, MOST_ROWS, Cells, CellSearch, make_cells
from memory_bank._exact import ExactIndex, squared_distances
from memory_bank._screen import TOO_FAR, Frame, allowance, frame_of, left_factor, right_factor, squared_norms
from memory_bank._threads import each, one_blas_thread, threads
from memory_bank.types import Float32Array, Float64Array, Int64Array, Neighbors

# Numbers of one product, 2 MiB: they should stay in the cache.
_PRODUCT = 1 << 19
# Rows of one product at least, and at most in the second pass.
_FEWEST, _MOST = 16, 2048
# Numbers held at a time while pairs are measured: 16 MiB of float64.
_BLOCK = 1 << 21
# In the place of |x|² of rows that are left out: more than any product.
_LEFT_OUT = np.float32(1e36)
# Queries of which the bounds of all cells are held.
_AT_A_TIME = 1 << 14
# Multiplications for each cell, in a search of everything, from which on cells save more than they cost.
_WORTH_A_CELL = 3_000_000
# What comparing two vectors costs besides their product, in multiplications.
_BESIDES = 12
# Multiplications below which a second thread costs more than it saves.
_WORTH_A_THREAD = 1 << 27


@dataclass(frozen=True, eq=False)
class _Queries:
    """Queries in the order of their cells, and what has been found for them.

    ``left`` and ``norms`` are in the frame. ``squared`` and ``row`` are the nearest so far, (n, k); ``next`` is the
    product of the row that would have come next.
    """

    vectors: Float32Array
    left: Float32Array
    norms: Float64Array
    squared: Float64Array
    row: Int64Array
    next: Float32Array


class PrunedIndex:
    """Exact search; banks of some size are divided into cells.

    Parameters
    ----------
    vectors : ndarray of float32, (m, d)
        Finite, C-contiguous, m > 0; kept, not copied.
    cells : Cells, optional
        Those of these vectors, if they were made before. Otherwise they are made when as many queries have come as
        there are rows: until then it would take longer than it saves.
    """

    kind = "pruned"

    def __init__(self, vectors: Float32Array, *, cells: Cells | None = None) -> None:
        self._vectors = vectors
        self._frame = frame_of(vectors)
        placed = self._frame.place(vectors)
        norms = squared_norms(placed)
        self._reach = float(np.sqrt(norms.max()))
        self._right = right_factor(placed, norms, self._frame.margin)
        self._lock = threading.Lock()
        self._asked = 0
        self._cells: Cells | None = None
        self._ready: tuple[CellSearch, Float32Array] | None = None
        if cells is not None:
            self._use(cells)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the cells as they are saved, made now if need be; none in a bank too small or too large for them."""
        self._divide()
        return {} if self._cells is None else self._cells.arrays()

    def search(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Neighbors:
        """Find the k nearest rows of each query; see :class:`memory_bank.index.VectorIndex`."""
        self._asked += min(len(queries), _AT_A_TIME)
        if self._ready is None and self._asked > len(self._vectors):
            self._divide()
        if len(queries) > _AT_A_TIME:
            parts = [
                self.search(queries[at : at + _AT_A_TIME], k=k, kept=kept) for at in range(0, len(queries), _AT_A_TIME)
            ]
            return Neighbors(
                distance=np.concatenate([part.distance for part in parts]),
                index=np.concatenate([part.index for part in parts]),
            )
        n = len(queries)
        placed = self._frame.place(queries)
        norms = squared_norms(placed)
        # A query so far off that float32 overflows.
        far = ~(norms < TOO_FAR)
        distance, index = np.empty((n, k), np.float32), np.empty((n, k), np.int64)
        if far.any():
            plain = ExactIndex(self._vectors).search(queries[far], k=k, kept=kept)
            distance[far], index[far] = plain.distance, plain.index
            near = np.flatnonzero(~far)
            found = self._search_near(queries[near], placed[near], norms[near], k, kept)
            distance[near], index[near] = found.distance, found.index
            return Neighbors(distance=distance, index=index)
        return self._search_near(queries, placed, norms, k, kept)

    def _search_near(
        self, queries: Float32Array, placed: Float32Array, norms: Float64Array, k: int, kept: Int64Array | None
    ) -> Neighbors:
        """Search in the cells where that pays, and everywhere otherwise."""
        m, d = self._vectors.shape
        cells, right = None, self._right
        if self._ready is not None and len(queries) * m * (d + _BESIDES) >= _WORTH_A_CELL * self._ready[0].count:
            cells, right = self._ready
        call = _Search(vectors=self._vectors, frame=self._frame, reach=self._reach, cells=cells, right=right, k=k)
        if kept is not None:
            call.leave_out(kept)
        return call.run(queries, placed, norms)

    def _divide(self) -> None:
        with self._lock:
            if self._cells is None and LEAST_ROWS <= len(self._vectors) <= MOST_ROWS:
                with one_blas_thread():
                    self._use(make_cells(self._frame.place(self._vectors)))

    def _use(self, cells: Cells) -> None:
        ready = CellSearch(cells)
        self._cells, self._ready = cells, (ready, self._right[ready.order])


class _Search:
    """One call: k neighbours."""

    def __init__(
        self,
        *,
        vectors: Float32Array,
        frame: Frame,
        reach: float,
        cells: CellSearch | None,
        right: Float32Array,
        k: int,
    ) -> None:
        self.vectors, self.frame, self.reach = vectors, frame, reach
        self.cells, self.right, self.k = cells, right, k
        self.order: Int64Array = np.arange(len(vectors)) if cells is None else cells.order
        self.left_out: npt.NDArray[np.bool_] | None = None
        self.pairs: list[tuple[Int64Array, Int64Array, Float64Array]] = []

    def leave_out(self, kept: Int64Array) -> None:
        """Let no row be found but those of these numbers."""
        self.left_out = np.ones(len(self.vectors), bool)
        self.left_out[kept] = False
        self.right = self.right.copy()
        self.right[self.left_out[self.order], -1] = _LEFT_OUT

    def run(self, vectors: Float32Array, placed: Float32Array, norms: Float64Array) -> Neighbors:
        """Both passes, and the answers in the order of the queries."""
        n, k = len(vectors), self.k
        distance, index = np.empty((n, k), np.float32), np.empty((n, k), np.int64)
        if n == 0:
            return Neighbors(distance=distance, index=index)
        left = left_factor(placed)
        with one_blas_thread() as alone:
            most = threads() if alone and n * self.right.size >= _WORTH_A_THREAD else 1
            if self.cells is None:
                own, by_cell, products = np.zeros(n, np.int64), np.arange(n), None
            else:
                products = self.cells.products(left)
                own = products.argmin(axis=0)
                by_cell = np.argsort(own, kind="stable")
            q = _Queries(
                vectors[by_cell], left[by_cell], norms[by_cell],
                np.empty((n, k)), np.empty((n, k), np.int64), np.empty(n, np.float32),
            )  # fmt: skip
            self._propose(q, own[by_cell], most)
            self._search_rest(q, own[by_cell], None if products is None else products[:, by_cell], most)
        distance[by_cell], index[by_cell] = np.sqrt(q.squared), q.row
        return Neighbors(distance=distance, index=index)

    def _propose(self, q: _Queries, own: Int64Array, most: int) -> None:
        """First pass: the k best of those listed, measured."""
        cells = 1 if self.cells is None else self.cells.count
        starts = np.searchsorted(own, np.arange(cells + 1))
        tasks = []
        for cell in np.flatnonzero(np.diff(starts)).tolist():
            rows = self._listed(cell)
            step = max(_FEWEST, _PRODUCT // (len(self.order) if rows is None else rows.size))
            tasks += [
                (at, min(at + step, starts[cell + 1]), rows) for at in range(starts[cell], starts[cell + 1], step)
            ]
        each(lambda task: self._best_of(q, *task), tasks, most=most)
        q.row[:] = self.order[q.row]
        for j in range(self.k):
            q.squared[:, j] = squared_distances(q.vectors, self.vectors[q.row[:, j]])
        if self.left_out is not None:
            q.squared[self.left_out[q.row]] = np.inf
        if self.k > 1:
            order = np.lexsort((q.row, q.squared))
            q.squared[:], q.row[:] = (np.take_along_axis(of, order, axis=1) for of in (q.squared, q.row))

    def _listed(self, cell: int) -> Int64Array | None:
        """Places listed for a cell, when they are more than k; None for all."""
        if self.cells is None or self.cells.listed[cell].size <= self.k:
            return None
        return self.cells.listed[cell]

    def _best_of(self, q: _Queries, start: int, stop: int, rows: Int64Array | None) -> None:
        """Enter the k best of some rows by product, and the product of the next one."""
        right = self.right if rows is None else self.right.take(rows, axis=0)
        product = q.left[start:stop] @ right.T
        each_query = np.arange(stop - start)
        if self.k == 1:
            best = product.argmin(axis=1)
            product[each_query, best] = np.inf
            q.next[start:stop] = product.min(axis=1)
            best = best[:, None]
        elif self.k == len(right):
            best = np.broadcast_to(np.arange(self.k), product.shape)
            q.next[start:stop] = np.inf
        else:
            best, q.next[start:stop] = _least(product, self.k)
        q.row[start:stop] = best if rows is None else rows[best]

    def _search_rest(self, q: _Queries, own: Int64Array, products: Float32Array | None, most: int) -> None:
        """Second pass: everything that can hold a row as near as the k-th found."""
        limit = allowance(q.squared[:, -1] * self.frame.scale**2, q.norms, self.frame.margin)
        tied = q.next < limit
        if self.cells is None or products is None:
            starts, need = np.array([0, len(self.order)]), tied[None]
        else:
            distance = np.sqrt(q.squared[:, -1]) * self.frame.scale
            starts = self.cells.starts
            need = self.cells.within(products, own, distance, q.norms, reach=self.reach, margin=self.frame.margin)
            need[:, tied] = True
        tasks = []
        for cell in np.flatnonzero(need.any(axis=1) & (np.diff(starts) > 0)).tolist():
            asking = np.flatnonzero(need[cell])
            step = min(_MOST, max(_FEWEST, _PRODUCT // int(starts[cell + 1] - starts[cell])))
            tasks += [(asking[at : at + step], starts[cell], starts[cell + 1]) for at in range(0, asking.size, step)]
        each(lambda task: self._look_through(q, limit, *task), tasks, most=most)
        self._enter(q)

    def _look_through(self, q: _Queries, limit: Float32Array, asking: Int64Array, start: int, stop: int) -> None:
        """Note the rows of one cell that no product proves to be further than the limit."""
        # Row by row of the bank: NumPy finds the least of each column many times faster than that of each line.
        product = self.right[start:stop] @ q.left.take(asking, axis=0).T
        mine = limit[asking]
        hit = np.flatnonzero(product.min(axis=0) < mine)
        if not hit.size:
            return
        row, at = np.nonzero(product[:, hit] < mine[hit])
        query, row = asking[hit[at]], self.order[row + start]
        if self.left_out is not None:
            query, row = query[~self.left_out[row]], row[~self.left_out[row]]
        self.pairs.append(self._nearest(q, query, row) if query.size > _MOST else (query, row, np.empty(0)))

    def _nearest(self, q: _Queries, query: Int64Array, row: Int64Array) -> tuple[Int64Array, Int64Array, Float64Array]:
        """Measure pairs; return the k nearest of each query."""
        squared = np.empty(query.size)
        step = max(1, _BLOCK // q.vectors.shape[1])
        for at in range(0, query.size, step):
            some = slice(at, at + step)
            squared[some] = squared_distances(q.vectors[query[some]], self.vectors[row[some]])
        return _first_of_each(query, row, squared, self.k)

    def _enter(self, q: _Queries) -> None:
        """Put what was noted among what had been found."""
        if not self.pairs:
            return
        few = [pair for pair in self.pairs if not pair[2].size]
        parts: list[Any] = [pair for pair in self.pairs if pair[2].size]
        if few:
            parts.append(self._nearest(q, *(np.concatenate([pair[i] for pair in few]) for i in (0, 1))))
        query, row, squared = (np.concatenate([part[i] for part in parts]) for i in range(3))
        touched = np.unique(query)
        query = np.concatenate([query, np.repeat(touched, self.k)])
        row = np.concatenate([row, q.row[touched].ravel()])
        squared = np.concatenate([squared, q.squared[touched].ravel()])
        query, row, squared = _first_of_each(query, row, squared, self.k)
        q.row[touched] = row.reshape(-1, self.k)
        q.squared[touched] = squared.reshape(-1, self.k)


def _least(product: Float32Array, k: int) -> tuple[Int64Array, Float32Array]:
    """Return where the k least of each line are, (n, k), in no order, and the value of the next one, (n,)."""
    following = np.partition(product, k, axis=1)[:, k]
    at = np.flatnonzero(product < following[:, None])
    if at.size == k * len(product):
        return (at % product.shape[1]).reshape(-1, k), following
    # Ties with the next one. This way alone would take longer.
    return np.argpartition(product, k, axis=1)[:, :k], following


def _first_of_each(
    query: Int64Array, row: Int64Array, squared: Float64Array, k: int
) -> tuple[Int64Array, Int64Array, Float64Array]:
    """Return the k nearest different rows of each query among pairs; of equally near ones the smaller number."""
    order = np.lexsort((row, squared, query))
    query, row, squared = query[order], row[order], squared[order]
    fresh = np.ones(query.size, bool)
    fresh[1:] = (query[1:] != query[:-1]) | (row[1:] != row[:-1])
    query, row, squared = query[fresh], row[fresh], squared[fresh]
    new = np.ones(query.size, bool)
    new[1:] = query[1:] != query[:-1]
    starts = np.flatnonzero(new)
    rank = np.arange(query.size) - np.repeat(starts, np.diff(np.append(starts, query.size)))
    first = rank < k
    return query[first], row[first], squared[first]
