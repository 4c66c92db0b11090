"""The two passes of an exact search, the second of which may wait.

1. Each query is compared with the rows listed for its cell (:mod:`memory_bank._cells`), or with all rows where there
   are no cells. The k best by product are measured: that bounds the distance of the k nearest, and they nearly always
   are the k nearest.
2. Cells whose bound does not exceed that distance are searched through, and every row whose product does not prove it
   to be further is measured. Queries whose first pass left a near tie are compared with all cells.

Queries are sorted by cell, so that products are of many queries at a time. Each thread takes a share of the queries.
Which queries share a product changes its rounding, but no proven answer.
"""

from __future__ import annotations

import itertools
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from memory_bank._cells import LISTED, CellSearch
from memory_bank._exact import ExactIndex, squared_distances, squared_of_pairs
from memory_bank._nearest import first_of_each, least
from memory_bank._screen import LEFT_OUT, TOO_FAR, Frame, allowance, left_factor, squared_norms
from memory_bank._threads import each, one_blas_thread, threads
from memory_bank.types import BoolArray, Float32Array, Float64Array, Int64Array, Neighbors

# Numbers of one product, 2 MiB: they should stay in the cache.
_PRODUCT = 1 << 19
# Rows of one product at least, and at most in the second pass.
_FEWEST, _MOST = 16, 2048
# Queries of which the bounds of all cells are held.
_AT_A_TIME = 1 << 14
# Multiplications below which a second thread costs more than it saves; those by cells count so many times, since they
# come in small pieces.
_WORTH_A_THREAD, _PIECEMEAL = 1 << 29, 8
FUTILE = 0.5
"""Share of all comparisons above which comparing everything takes less time than going through the cells."""
# Queries that tell whether it comes to that.
_SAMPLE = 256
# In the place of a cell: all rows.
_ALL = -1


class Ground:
    """The rows as a search goes through them: sorted by cell, where there are cells.

    Attributes
    ----------
    order : ndarray of int64, (m,)
        Numbers of the rows.
    right : ndarray of float32, (m, d + 1)
        Their right factors (:func:`memory_bank._screen.right_factor`).
    cells : CellSearch or None
    plain : Ground or None
        The same rows as they are, for queries of which cells rule little out; none where there are no cells.
    keep : bool
        Whether what is listed for a cell is kept once it was asked for, four times the bank in all: laid out for a
        product with few queries, which takes a third of the time then.
    """

    def __init__(self, right: Float32Array, *, cells: CellSearch | None = None, plain: Ground | None = None) -> None:
        self.cells, self.plain = cells, plain
        self.order: Int64Array = np.arange(len(right)) if cells is None else cells.order
        self.right = right if cells is None else right[cells.order]
        self.keep = False
        self._ready: dict[int, Float32Array] = {}

    def without(self, left_out: BoolArray) -> Ground:
        """Return the same, but no product comes near the rows whose numbers are marked, (m,)."""
        other = copy(self)
        other.right, other.keep, other._ready = self.right.copy(), False, {}
        other.right[left_out[self.order], -1] = LEFT_OUT
        other.plain = None if self.plain is None else self.plain.without(left_out)
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


class PrunedProposal:
    """The k nearest rows of n queries as far as they are known; see :class:`memory_bank.proposal.Proposal`.

    Made, it has been through the first pass.

    Parameters
    ----------
    vectors : ndarray of float32, (m, d)
        The rows by their numbers.
    frame : Frame
    reach : float
        The largest |x| of a row, in the frame.
    ground : Ground
    queries : ndarray of float32, (n, d)
    k : int
    left_out : ndarray of bool, (m,), optional
        Rows that must not be found; ``ground`` is without them.
    prove : bool
        Go on to the second pass with all queries: then it takes less time than later.

    Attributes
    ----------
    proven : ndarray of bool, (n,)
    """

    def __init__(
        self,
        vectors: Float32Array,
        frame: Frame,
        reach: float,
        ground: Ground,
        queries: Float32Array,
        k: int,
        *,
        left_out: BoolArray | None = None,
        prove: bool,
    ) -> None:
        n = len(queries)
        self._vectors, self._frame, self._reach, self._ground = vectors, frame, reach, ground
        self._queries, self._k, self._left_out = queries, k, left_out
        placed = frame.place(queries)
        self._norms = squared_norms(placed)
        # So far off that float32 overflows.
        self._far = ~(self._norms < TOO_FAR)
        placed[self._far], self._norms[self._far] = 0, 0
        self._left = left_factor(placed)
        self._cell: Int64Array = np.zeros(n, np.int64)
        self._squared: Float64Array = np.empty((n, k))
        self._row: Int64Array = np.empty((n, k), np.int64)
        self._tied: BoolArray = np.empty(n, bool)
        self._compared: list[int] = []
        self._answer(np.arange(n), prove)
        self.proven: BoolArray = np.ones(n, bool) if prove or ground.cells is None else self._tied | self._far
        self._distance: Float32Array = np.sqrt(self._squared).astype(np.float32)
        if self._far.any():
            kept = None if left_out is None else np.flatnonzero(~left_out)
            found = ExactIndex(vectors).search(queries[self._far], k=k, kept=kept)
            self._distance[self._far], self._row[self._far] = found.distance, found.index

    @property
    def neighbors(self) -> Neighbors:
        """What is known now: nearest first, never nearer than what is nearest in truth."""
        return Neighbors(distance=self._distance.copy(), index=self._row.copy())

    @property
    def compared(self) -> int:
        """Comparisons of the second pass so far."""
        return sum(self._compared)

    def prove(self, which: BoolArray) -> None:
        """Put these queries, (n,), through the second pass, unless they have been."""
        asking = self._by_cell(np.flatnonzero(which & ~self.proven))
        for at in range(0, asking.size, _AT_A_TIME):
            self._prove(asking[at : at + _AT_A_TIME])
        self._distance[asking] = np.sqrt(self._squared[asking])
        self.proven[asking] = True

    def _prove(self, some: Int64Array) -> None:
        """Second pass, by cells unless they rule little out; in one thread, since threads would only wait."""
        cells, plain = self._ground.cells, self._ground.plain
        with one_blas_thread():
            if cells is None or plain is None or self._within(cells, _evenly(some)).mean() <= FUTILE:
                self._second_pass(some)
                return
        found = PrunedProposal(
            self._vectors, self._frame, self._reach, plain, self._queries[some], self._k,
            left_out=self._left_out, prove=True,
        )  # fmt: skip
        self._squared[some], self._row[some] = found._squared, found._row

    def _answer(self, queries: Int64Array, prove: bool) -> None:
        """First pass for all queries, second for those that are to be proven or tied; each thread takes some cells."""
        cells, each_row = self._ground.cells, 1.0
        if cells is not None:
            each_row = _PIECEMEAL * LISTED / cells.count

        def answer(share: Int64Array) -> None:
            self._propose(share)
            some = share if prove and cells is not None else share[self._tied[share]]
            if some.size:
                self._second_pass(some)

        with one_blas_thread() as alone:
            for at in range(0, queries.size, _AT_A_TIME):
                some = queries[at : at + _AT_A_TIME]
                if cells is not None:
                    self._cell[some] = cells.products(self._left[some]).argmin(axis=1)
                    some = self._by_cell(some)
                work = some.size * self._ground.right.size * each_row
                shares = threads() if alone and work >= _WORTH_A_THREAD else 1
                each(answer, np.array_split(some, shares), most=shares)

    def _limit(self, some: Int64Array) -> Float32Array:
        """Return what a product must stay below to be of a row as near as the k-th found."""
        return allowance(self._squared[some, -1] * self._frame.scale**2, self._norms[some], self._frame.margin)

    def _by_cell(self, some: Int64Array) -> Int64Array:
        """Sort queries by their cells: those of a thread ask for the same ones then."""
        order = np.argsort(self._cell[some].astype(np.uint16), kind="stable")  # by digits, several times as fast
        return np.asarray(some[order])

    def _propose(self, share: Int64Array) -> None:
        """Enter the k best of those listed, measured, for queries in the order of their cells."""
        left, cell, k = self._left[share], self._cell[share], self._k
        place, following = np.empty((share.size, k), np.int64), np.empty(share.size, np.float32)
        starts = np.flatnonzero(np.diff(cell, prepend=-1, append=-1))
        for start, stop in itertools.pairwise(starts.tolist()):
            right, places = self._ground.listed(int(cell[start]), k)
            step = max(_FEWEST, _PRODUCT // right.shape[1])
            for at in range(start, stop, step):
                some = slice(at, min(at + step, stop))
                best, following[some] = _best_of(left[some] @ right, k)
                place[some] = best if places is None else places[best]
        row, squared, vectors = self._ground.order[place], np.empty((share.size, k)), self._queries[share]
        for j in range(k):
            squared[:, j] = squared_distances(vectors, self._vectors[row[:, j]])
        if self._left_out is not None:
            squared[self._left_out[row]] = np.inf
        if k > 1:
            order = np.lexsort((row, squared))
            squared, row = np.take_along_axis(squared, order, axis=1), np.take_along_axis(row, order, axis=1)
        far = self._far[share]
        squared[far], following[far] = 0, np.inf
        self._squared[share], self._row[share] = squared, row
        self._tied[share] = (following < self._limit(share)) | np.isinf(squared[:, -1])

    def _within(self, cells: CellSearch, some: Int64Array) -> BoolArray:
        """Whether each cell can hold a row as near as the k-th found, (n, C)."""
        return cells.within(
            cells.products(self._left[some]),
            self._cell[some],
            np.sqrt(self._squared[some, -1]) * self._frame.scale,
            self._norms[some],
            reach=self._reach,
            margin=self._frame.margin,
        )

    def _second_pass(self, share: Int64Array) -> None:
        """Look at everything that can hold a row as near as the k-th found."""
        ask = _Asking(
            self._queries[share], self._left[share], self._limit(share), self._squared[share], self._row[share]
        )
        cells, tied = self._ground.cells, self._tied[share]
        if cells is None:
            starts, need = np.array([0, len(self._ground.order)]), tied[None]
        else:
            starts, within = cells.starts, self._within(cells, share)
            within[tied] = True
            need = np.ascontiguousarray(within.T)
        for cell in np.flatnonzero(need.any(axis=1) & (np.diff(starts) > 0)).tolist():
            asking, rows = np.flatnonzero(need[cell]), int(starts[cell + 1] - starts[cell])
            self._compared.append(asking.size * rows)
            step = min(_MOST, max(_FEWEST, _PRODUCT // rows))
            for at in range(0, asking.size, step):
                self._look_through(ask, asking[at : at + step], starts[cell], starts[cell + 1])
        ask.enter(self._vectors)
        self._squared[share], self._row[share] = ask.squared, ask.row

    def _look_through(self, ask: _Asking, asking: Int64Array, start: int, stop: int) -> None:
        """Note the rows of one cell that no product proves to be further than the limit."""
        # Row by row of the bank: NumPy finds the least of each column many times faster than that of each line.
        product = self._ground.right[start:stop] @ ask.left.take(asking, axis=0).T
        limit = ask.limit[asking]
        hit = np.flatnonzero(product.min(axis=0) < limit)
        if not hit.size:
            return
        row, at = np.nonzero(product[:, hit] < limit[hit])
        query, row = asking[hit[at]], self._ground.order[row + start]
        if self._left_out is not None:
            query, row = query[~self._left_out[row]], row[~self._left_out[row]]
        ask.note(query, row, self._vectors)


@dataclass(frozen=True, eq=False)
class _Asking:
    """Queries of one share in the second pass.

    ``squared`` and ``row`` are the nearest so far, (n, k); ``pairs`` of query, row and squared distance (none if not
    yet measured) may be nearer.
    """

    vectors: Float32Array
    left: Float32Array
    limit: Float32Array
    squared: Float64Array
    row: Int64Array
    pairs: list[tuple[Int64Array, Int64Array, Float64Array]] = field(default_factory=list)

    def note(self, query: Int64Array, row: Int64Array, rows: Float32Array) -> None:
        """Keep pairs that may be nearer; many are measured at once, and the k nearest kept."""
        self.pairs.append(self._nearest(query, row, rows) if query.size > _MOST else (query, row, np.empty(0)))

    def enter(self, rows: Float32Array) -> None:
        """Put what was noted among what had been found."""
        if not self.pairs:
            return
        few = [pair for pair in self.pairs if not pair[2].size]
        parts: list[Any] = [pair for pair in self.pairs if pair[2].size]
        if few:
            query, row = (np.concatenate([pair[i] for pair in few]) for i in (0, 1))
            parts.append(self._nearest(query, row, rows))
        query, row, squared = (np.concatenate([part[i] for part in parts]) for i in range(3))
        touched, k = np.unique(query), self.row.shape[1]
        query = np.concatenate([query, np.repeat(touched, k)])
        row = np.concatenate([row, self.row[touched].ravel()])
        squared = np.concatenate([squared, self.squared[touched].ravel()])
        query, row, squared = first_of_each(query, row, squared, k)
        self.row[touched] = row.reshape(-1, k)
        self.squared[touched] = squared.reshape(-1, k)

    def _nearest(
        self, query: Int64Array, row: Int64Array, rows: Float32Array
    ) -> tuple[Int64Array, Int64Array, Float64Array]:
        """Measure pairs; return the k nearest of each query."""
        squared = squared_of_pairs(self.vectors, query, rows, row)
        return first_of_each(query, row, squared, self.row.shape[1])


def _best_of(product: Float32Array, k: int) -> tuple[Int64Array, Float32Array]:
    """Return where the k least of each line are, (n, k), and the product that comes next, (n,); spoils ``product``."""
    if k == 1:
        line, best = np.arange(len(product)), product.argmin(axis=1)
        product[line, best] = np.inf
        return best[:, None], product.min(axis=1)
    if k == product.shape[1]:
        return np.broadcast_to(np.arange(k), product.shape), np.full(len(product), np.inf, np.float32)
    return least(product, k)


def _evenly(some: Int64Array) -> Int64Array:
    """Return a sample of queries."""
    return some[:: max(1, some.size // _SAMPLE)]
