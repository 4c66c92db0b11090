"""Exact search that leaves out what cannot be nearest.

Products of matrices in float32 propose and rule out (:mod:`memory_bank._screen`); all that decides is measured by
difference in float64. Two passes:

1. Each query is compared with the rows listed for its cell (:mod:`memory_bank._cells`), or with all rows where there
   are no cells. The k best by product are measured: that bounds the distance of the k nearest.
2. Cells whose bound does not exceed that distance are searched through, and every row whose product does not prove it
   to be further is measured. Queries whose first pass left a near tie are compared with all cells.

Queries are sorted by cell, so that products are of many queries at a time. Each thread answers a share of the queries.
Which queries share a product changes its rounding, but no answer.
"""

from __future__ import annotations

import itertools
import threading
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_bank._cells import LEAST_ROWS, LISTED, MOST_ROWS, Cells, CellSearch, make_cells
from memory_bank._exact import ExactIndex, squared_distances, squared_of_pairs
from memory_bank._nearest import first_of_each, least
from memory_bank._screen import (
    LEFT_OUT,
    TOO_FAR,
    Frame,
    allowance,
    frame_of,
    left_factor,
    right_factor,
    squared_norms,
)
from memory_bank._threads import each, one_blas_thread, threads
from memory_bank.types import Float32Array, Float64Array, Int64Array, Neighbors

# Numbers of one product, 2 MiB: they should stay in the cache.
_PRODUCT = 1 << 19
# Rows of one product at least, and at most in the second pass.
_FEWEST, _MOST = 16, 2048
# Queries of which the bounds of all cells are held.
_AT_A_TIME = 1 << 14
# Multiplications for each cell, in a search of everything, from which on cells save more than they cost.
_WORTH_A_CELL = 3_000_000
# What comparing two vectors costs besides their product, in multiplications.
_BESIDES = 12
# Share of all comparisons above which a search by cells takes longer than comparing everything; so many searches do
# that then, before cells are tried again.
_FUTILE, _PAUSE = 0.5, 8
# Multiplications below which a second thread costs more than it saves.
_WORTH_A_THREAD = 1 << 29
# In the place of a cell: all rows.
_ALL = -1
# Numbers of all that is listed up to which it stays ready, 128 MiB.
_MOST_KEPT = 1 << 25


class _Ground:
    """The rows as a search goes through them: sorted by cell, where there are cells.

    Attributes
    ----------
    order : ndarray of int64, (m,)
        Numbers of the rows.
    right : ndarray of float32, (m, d + 1)
        Their right factors (:func:`memory_bank._screen.right_factor`).
    cells : CellSearch or None
    count : int
        How many cells; 1 where there are none.
    keep : bool
        Whether what is listed for a cell is kept once it was asked for, four times the bank in all: laid out for a
        product with few queries, which takes a third of the time then.
    """

    def __init__(self, right: Float32Array, cells: CellSearch | None = None) -> None:
        self.cells = cells
        self.count = 1 if cells is None else cells.count
        self.order: Int64Array = np.arange(len(right)) if cells is None else cells.order
        self.right = right if cells is None else right[cells.order]
        self.keep = False
        self._ready: dict[int, Float32Array] = {}

    def without(self, left_out: npt.NDArray[np.bool_]) -> _Ground:
        """Return the same, but no product comes near the rows whose numbers are marked, (m,)."""
        other = copy(self)
        other.right, other.keep, other._ready = self.right.copy(), False, {}
        other.right[left_out[self.order], -1] = LEFT_OUT
        return other

    def listed(self, cell: int, k: int) -> tuple[Float32Array, Int64Array | None]:
        """Right factors, (d + 1, rows), and places of the rows listed for a cell; all (None) if no more than k are."""
        places = None if self.cells is None or self.cells.listed[cell].size <= k else self.cells.listed[cell]
        name = _ALL if places is None else cell
        ready = self._ready.get(name)
        if ready is None:
            ready = (self.right if places is None else self.right.take(places, axis=0)).T
            if self.keep:
                ready = self._ready[name] = np.ascontiguousarray(ready)
        return ready, places


@dataclass(frozen=True, eq=False)
class _Queries:
    """Queries in the order of their cells, and what has been found for them.

    ``left`` and ``norms`` are in the frame. Where there are cells, ``cell`` is that of each query and ``products`` are
    those with the centres, (n, C). ``squared`` and ``row`` are the nearest so far, (n, k); ``next`` is the product of
    the row that would have come next. ``pairs`` of query, row and squared distance (none if not yet measured) may be
    nearer.
    """

    vectors: Float32Array
    left: Float32Array
    norms: Float64Array
    cell: Int64Array
    products: Float32Array | None
    squared: Float64Array
    row: Int64Array
    next: Float32Array
    pairs: list[tuple[Int64Array, Int64Array, Float64Array]] = field(default_factory=list)


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
        self._plain = _Ground(right_factor(placed, norms, self._frame.margin))
        self._lock = threading.Lock()
        self._asked = 0
        self._pause = 0
        self._cells: Cells | None = None
        self._divided: _Ground | None = None
        if cells is not None:
            self._use(cells)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the cells as they are saved, made now if need be; none in a bank too small or too large for them."""
        self._divide()
        return {} if self._cells is None else self._cells.arrays()

    def search(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Neighbors:
        """Find the k nearest rows of each query; see :class:`memory_bank.index.VectorIndex`."""
        self._asked += min(len(queries), _AT_A_TIME)
        if self._divided is None and self._asked > len(self._vectors):
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
        if far.any():
            distance, index = np.empty((n, k), np.float32), np.empty((n, k), np.int64)
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
        ground = self._divided or self._plain
        if self._pause and ground.cells is not None:
            self._pause -= 1
            ground = self._plain
        elif len(queries) * m * (d + _BESIDES) < _WORTH_A_CELL * ground.count:
            ground = self._plain
        ground.keep = self._asked > len(queries) and LISTED * ground.right.size <= _MOST_KEPT
        left_out = None
        if kept is not None:
            left_out = np.ones(m, bool)
            left_out[kept] = False
            ground = ground.without(left_out)
        search = _Search(self._vectors, self._frame, self._reach, ground, k, left_out)
        found = search.run(queries, placed, norms)
        if ground.cells is not None and sum(search.compared) > _FUTILE * len(queries) * m:
            self._pause = _PAUSE
        return found

    def _divide(self) -> None:
        with self._lock:
            if self._cells is None and LEAST_ROWS <= len(self._vectors) <= MOST_ROWS:
                with one_blas_thread():
                    self._use(make_cells(self._frame.place(self._vectors)))

    def _use(self, cells: Cells) -> None:
        self._cells, self._divided = cells, _Ground(self._plain.right, CellSearch(cells))


@dataclass(frozen=True, eq=False)
class _Search:
    """One call: the k nearest rows of queries.

    ``left_out`` are rows that must not be found, (m,); ``compared`` counts the comparisons of the second pass.
    """

    vectors: Float32Array
    frame: Frame
    reach: float
    ground: _Ground
    k: int
    left_out: npt.NDArray[np.bool_] | None
    compared: list[int] = field(default_factory=list)

    def run(self, vectors: Float32Array, placed: Float32Array, norms: Float64Array) -> Neighbors:
        """Answer in the order of the queries; each thread takes those of some cells."""
        n, k, cells = len(vectors), self.k, self.ground.cells
        distance, index = np.empty((n, k), np.float32), np.empty((n, k), np.int64)
        left = left_factor(placed)
        products, cell, order = None, np.zeros(n, np.int64), np.arange(n)

        def answer(share: Int64Array) -> None:
            q = _Queries(
                vectors[share], left[share], norms[share], cell[share], None if products is None else products[share],
                np.empty((share.size, k)), np.empty((share.size, k), np.int64), np.empty(share.size, np.float32),
            )  # fmt: skip
            self._propose(q)
            self._search_rest(q)
            distance[share], index[share] = np.sqrt(q.squared), q.row

        with one_blas_thread() as alone:
            if cells is not None:
                products = cells.products(left)
                cell = products.argmin(axis=1)
                order = np.argsort(cell.astype(np.uint16), kind="stable")  # by digits, several times as fast
            shares = threads() if alone and n * self.ground.right.size >= _WORTH_A_THREAD else 1
            each(answer, np.array_split(order, shares), most=shares)
        return Neighbors(distance=distance, index=index)

    def _propose(self, q: _Queries) -> None:
        """First pass: the k best of those listed, measured."""
        starts = np.flatnonzero(np.diff(q.cell, prepend=-1, append=-1))
        for start, stop in itertools.pairwise(starts.tolist()):
            right, places = self.ground.listed(int(q.cell[start]), self.k)
            step = max(_FEWEST, _PRODUCT // right.shape[1])
            for at in range(start, stop, step):
                self._best_of(q, slice(at, min(at + step, stop)), right, places)
        q.row[:] = self.ground.order[q.row]
        for j in range(self.k):
            q.squared[:, j] = squared_distances(q.vectors, self.vectors[q.row[:, j]])
        if self.left_out is not None:
            q.squared[self.left_out[q.row]] = np.inf
        if self.k > 1:
            order = np.lexsort((q.row, q.squared))
            q.squared[:], q.row[:] = (np.take_along_axis(of, order, axis=1) for of in (q.squared, q.row))

    def _best_of(self, q: _Queries, some: slice, right: Float32Array, places: Int64Array | None) -> None:
        """Enter the k best of some rows by product, and the product of the next one."""
        product = q.left[some] @ right
        if self.k == 1:
            each_query, best = np.arange(len(product)), product.argmin(axis=1)
            product[each_query, best] = np.inf
            q.next[some] = product.min(axis=1)
            best = best[:, None]
        elif self.k == right.shape[1]:
            best = np.broadcast_to(np.arange(self.k), product.shape)
            q.next[some] = np.inf
        else:
            best, q.next[some] = least(product, self.k)
        q.row[some] = best if places is None else places[best]

    def _search_rest(self, q: _Queries) -> None:
        """Second pass: everything that can hold a row as near as the k-th found."""
        limit = allowance(q.squared[:, -1] * self.frame.scale**2, q.norms, self.frame.margin)
        tied = q.next < limit
        cells = self.ground.cells
        if cells is None or q.products is None:
            starts, need = np.array([0, len(self.ground.order)]), tied[None]
        else:
            distance, starts = np.sqrt(q.squared[:, -1]) * self.frame.scale, cells.starts
            within = cells.within(q.products, q.cell, distance, q.norms, reach=self.reach, margin=self.frame.margin)
            within[tied] = True
            need = np.ascontiguousarray(within.T)
        for cell in np.flatnonzero(need.any(axis=1) & (np.diff(starts) > 0)).tolist():
            asking = np.flatnonzero(need[cell])
            self.compared.append(asking.size * int(starts[cell + 1] - starts[cell]))
            step = min(_MOST, max(_FEWEST, _PRODUCT // int(starts[cell + 1] - starts[cell])))
            for at in range(0, asking.size, step):
                self._look_through(q, limit, asking[at : at + step], starts[cell], starts[cell + 1])
        self._enter(q)

    def _look_through(self, q: _Queries, limit: Float32Array, asking: Int64Array, start: int, stop: int) -> None:
        """Note the rows of one cell that no product proves to be further than the limit."""
        # Row by row of the bank: NumPy finds the least of each column many times faster than that of each line.
        product = self.ground.right[start:stop] @ q.left.take(asking, axis=0).T
        mine = limit[asking]
        hit = np.flatnonzero(product.min(axis=0) < mine)
        if not hit.size:
            return
        row, at = np.nonzero(product[:, hit] < mine[hit])
        query, row = asking[hit[at]], self.ground.order[row + start]
        if self.left_out is not None:
            query, row = query[~self.left_out[row]], row[~self.left_out[row]]
        q.pairs.append(self._nearest(q, query, row) if query.size > _MOST else (query, row, np.empty(0)))

    def _nearest(self, q: _Queries, query: Int64Array, row: Int64Array) -> tuple[Int64Array, Int64Array, Float64Array]:
        """Measure pairs; return the k nearest of each query."""
        return first_of_each(query, row, squared_of_pairs(q.vectors, query, self.vectors, row), self.k)

    def _enter(self, q: _Queries) -> None:
        """Put what was noted among what had been found."""
        if not q.pairs:
            return
        few = [pair for pair in q.pairs if not pair[2].size]
        parts: list[Any] = [pair for pair in q.pairs if pair[2].size]
        if few:
            parts.append(self._nearest(q, *(np.concatenate([pair[i] for pair in few]) for i in (0, 1))))
        query, row, squared = (np.concatenate([part[i] for part in parts]) for i in range(3))
        touched = np.unique(query)
        query = np.concatenate([query, np.repeat(touched, self.k)])
        row = np.concatenate([row, q.row[touched].ravel()])
        squared = np.concatenate([squared, q.squared[touched].ravel()])
        query, row, squared = first_of_each(query, row, squared, self.k)
        q.row[touched] = row.reshape(-1, self.k)
        q.squared[touched] = squared.reshape(-1, self.k)
