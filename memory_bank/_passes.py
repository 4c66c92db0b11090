"""The two passes of an exact search, the second of which may wait.

1. Each query is compared with the rows listed for its cell (:mod:`memory_bank._cells`), or with all rows where there
   are no cells. The k best by product are measured: that bounds the distance of the k nearest, and they nearly always
   are the k nearest. Queries that this leaves with a near tie are compared with all rows, and whatever no product
   proves to be further is measured.
2. Cells whose bound does not exceed that distance are searched through likewise.

Queries are sorted by cell, so that products are of many queries at a time. Each thread takes a share of the queries.
Which queries share a product changes its rounding, but no proven answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from copy import copy
from functools import cached_property

import numpy as np

from memory_bank._cells import LISTED, CellSearch
from memory_bank._checks import check_mask
from memory_bank._exact import ExactIndex, squared_distances, squared_of_pairs
from memory_bank._nearest import first_of_each, least
from memory_bank._screen import LEFT_OUT, TOO_FAR, Frame, allowance, left_factor, right_factor, squared_norms
from memory_bank._threads import each, one_blas_thread, threads
from memory_bank.types import BoolArray, Float32Array, Float64Array, Int64Array, Neighbors

# Numbers of one product, 2 MiB: they should stay in the cache.
_PRODUCT = 1 << 19
# Rows of one product at least, and at most in the second pass.
_FEWEST, _MOST = 16, 2048
# Queries of one product from which on it pays to look first for those that any row is near to.
_MANY = 64
# Pairs of query and row that are noted before they are measured.
_PAIRS = 1 << 16
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

    Parameters
    ----------
    frame : Frame
        In which products are made.
    vectors : ndarray of float32, (m, d)
    cells : CellSearch, optional

    Attributes
    ----------
    frame : Frame
    cells : CellSearch or None
    reach : float
        The largest |x| of a row, in the frame.
    order : ndarray of int64, (m,)
        Numbers of the rows.
    right : ndarray of float32, (m, d + 1)
        Their right factors (:func:`memory_bank._screen.right_factor`).
    keep : bool
        Whether what is listed for a cell is kept once it was asked for, four times the bank in all: laid out for a
        product with few queries, which takes a third of the time then.
    """

    def __init__(self, frame: Frame, vectors: Float32Array, *, cells: CellSearch | None = None) -> None:
        self.frame, self.cells = frame, cells
        self.order: Int64Array = np.arange(len(vectors)) if cells is None else cells.order
        placed = frame.place(vectors)
        norms = squared_norms(placed)
        self.reach = float(np.sqrt(norms.max()))
        right = right_factor(placed, norms, frame.margin)
        self.right = right if cells is None else right[cells.order]
        self.keep = False
        self._ready: dict[int, Float32Array] = {}

    @cached_property
    def undivided(self) -> Ground:
        """The same rows without their cells, for queries of which these rule little out."""
        if self.cells is None:
            return self
        other = copy(self)
        other.cells, other._ready = None, {}
        return other

    def enter(self, queries: Float32Array) -> tuple[Float32Array, Float64Array, BoolArray]:
        """Return the left factors of queries, |q|² of each, and which are so far off that float32 overflows."""
        placed = self.frame.place(queries)
        norms = squared_norms(placed)
        far = ~(norms < TOO_FAR)
        placed[far], norms[far] = 0, 0
        return left_factor(placed), norms, far

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
    ground : Ground
    queries : ndarray of float32, (n, d)
    k : int
    left_out : ndarray of bool, (m,), optional
        Rows that must not be found.
    prove : bool
        Go on to the second pass with all queries: then it takes less time than later.

    Attributes
    ----------
    proven : ndarray of bool, (n,)
    """

    def __init__(
        self,
        vectors: Float32Array,
        ground: Ground,
        queries: Float32Array,
        k: int,
        *,
        left_out: BoolArray | None = None,
        prove: bool,
    ) -> None:
        n = len(queries)
        self._vectors, self._ground, self._queries, self._k = vectors, ground, queries, k
        self._left_out = left_out
        self._hidden = None if left_out is None else left_out[ground.order]
        self._left, self._norms, self._far = ground.enter(queries)
        self._cell: Int64Array = np.zeros(n, np.int64)
        self._squared: Float64Array = np.empty((n, k))
        self._row: Int64Array = np.empty((n, k), np.int64)
        self._compared: list[int] = []
        self._answer(np.arange(n), prove)
        self.proven: BoolArray = np.ones(n, bool) if prove or ground.cells is None else self._far.copy()
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
        which = check_mask("which", which, rows=len(self.proven))
        asking = self._by_cell(np.flatnonzero(which & ~self.proven))
        for at in range(0, asking.size, _AT_A_TIME):
            self._prove(asking[at : at + _AT_A_TIME])
        self._distance[asking] = np.sqrt(self._squared[asking])
        self.proven[asking] = True

    def _prove(self, some: Int64Array) -> None:
        """Second pass, by cells unless they rule little out; in one thread, since threads would only wait."""
        cells = self._ground.cells
        with one_blas_thread():
            if cells is None or self._within(cells, _evenly(some)).mean() <= FUTILE:
                self._second_pass(some)
            else:
                self._compare_with_all(some)

    def _compare_with_all(self, some: Int64Array) -> None:
        """Answer queries without any cells."""
        found = PrunedProposal(
            self._vectors, self._ground.undivided, self._queries[some], self._k, left_out=self._left_out, prove=True
        )
        self._squared[some], self._row[some] = found._squared, found._row

    def _answer(self, queries: Int64Array, prove: bool) -> None:
        """First pass for all queries, second for those that are to be proven; each thread takes some cells."""
        cells, each_row = self._ground.cells, 1.0
        if cells is not None:
            each_row = _PIECEMEAL * LISTED / cells.count

        def answer(share: Int64Array) -> None:
            self._first_pass(share)
            if prove:
                self._second_pass(share)

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
        ground = self._ground
        return allowance(self._squared[some, -1] * ground.frame.scale**2, self._norms[some], ground.frame.margin)

    def _by_cell(self, some: Int64Array) -> Int64Array:
        """Sort queries by their cells: those of a thread ask for the same ones then."""
        order = np.argsort(self._cell[some].astype(np.uint16), kind="stable")  # by digits, several times as fast
        return np.asarray(some[order])

    def _first_pass(self, share: Int64Array) -> None:
        """Find the nearest of the rows that are listed, for queries in the order of their cells."""
        place, following = self._best_listed(share)
        row, squared, queries = self._ground.order[place], np.empty(place.shape), self._queries[share]
        for j in range(self._k):
            squared[:, j] = squared_distances(queries, self._vectors[row[:, j]])
        if self._left_out is not None:
            squared[self._left_out[row]] = np.inf
        if self._k > 1:
            order = np.lexsort((row, squared))
            squared, row = np.take_along_axis(squared, order, axis=1), np.take_along_axis(row, order, axis=1)
        far = self._far[share]
        squared[far], following[far] = 0, np.inf
        self._squared[share], self._row[share] = squared, row
        tied = share[(following < self._limit(share)) | np.isinf(squared[:, -1])]
        if tied.size and self._ground.cells is not None:
            self._compare_with_all(tied)
        elif tied.size:
            self._look_through([(tied, 0, len(self._ground.order))])

    def _best_listed(self, share: Int64Array) -> tuple[Int64Array, Float32Array]:
        """Return the places of the k listed rows with the least products, (n, k), and the product that comes next."""
        left, cell, k = self._left[share], self._cell[share], self._k
        place, following = np.empty((share.size, k), np.int64), np.empty(share.size, np.float32)
        starts = np.flatnonzero(np.diff(cell, prepend=-1, append=-1))
        for start, stop in itertools.pairwise(starts.tolist()):
            right, places = self._ground.listed(int(cell[start]), k)
            if self._hidden is not None:
                hidden = np.flatnonzero(self._hidden if places is None else self._hidden[places])
            step = max(_FEWEST, _PRODUCT // right.shape[1])
            for at in range(start, stop, step):
                some = slice(at, min(at + step, stop))
                product = left[some] @ right
                if self._hidden is not None:
                    product[:, hidden] = LEFT_OUT
                best, following[some] = _best_of(product, k)
                place[some] = best if places is None else places[best]
        return place, following

    def _within(self, cells: CellSearch, some: Int64Array) -> BoolArray:
        """Whether each cell can hold a row as near as the k-th found, (n, C)."""
        return cells.within(
            cells.products(self._left[some]),
            self._cell[some],
            np.sqrt(self._squared[some, -1]) * self._ground.frame.scale,
            self._norms[some],
            reach=self._ground.reach,
            margin=self._ground.frame.margin,
        )

    def _second_pass(self, share: Int64Array) -> None:
        """Look at everything that can hold a row as near as the k-th found; without cells, that has been done."""
        cells = self._ground.cells
        if cells is None:
            return
        need = np.ascontiguousarray(self._within(cells, share).T)
        asked = np.flatnonzero(need.any(axis=1) & (np.diff(cells.starts) > 0)).tolist()
        looks = [(share[need[cell]], int(cells.starts[cell]), int(cells.starts[cell + 1])) for cell in asked]
        self._compared += [asking.size * (stop - start) for asking, start, stop in looks]
        self._look_through(looks)

    def _look_through(self, looks: Iterable[tuple[Int64Array, int, int]]) -> None:
        """Find what is as near as the k-th found, for queries each among rows from one place to another."""
        noted: list[tuple[Int64Array, Int64Array]] = []
        for asking, start, stop in looks:
            right, left, limit = self._ground.right[start:stop], self._left.take(asking, axis=0), self._limit(asking)
            step = min(_MOST, max(_FEWEST, _PRODUCT // (stop - start)))
            for at in range(0, asking.size, step):
                some = asking[at : at + step]
                # Row by row of the bank: NumPy finds the least of each column many times faster than that of each line.
                product, below = right @ left[at : at + step].T, limit[at : at + step]
                if some.size > _MANY:
                    hit = np.flatnonzero(product.min(axis=0) < below)
                    some, product, below = some[hit], product[:, hit], below[hit]
                near = np.flatnonzero(product < below)
                if near.size:
                    row, query = np.divmod(near, some.size)
                    noted.append((some[query], self._ground.order[row + start]))
            if sum(query.size for query, _ in noted) >= _PAIRS:
                self._take_in(noted)
                noted = []
        if noted:
            self._take_in(noted)

    def _take_in(self, noted: Sequence[tuple[Int64Array, Int64Array]]) -> None:
        """Measure pairs of queries and rows; enter what is nearer than what was found before."""
        query, row = (np.concatenate([pair[i] for pair in noted]) for i in (0, 1))
        if self._left_out is not None:
            kept = ~self._left_out[row]
            query, row = query[kept], row[kept]
        squared, k = squared_of_pairs(self._queries, query, self._vectors, row), self._k
        near = squared <= self._squared[query, -1]
        if not near.any():
            return
        query, row, squared = query[near], row[near], squared[near]
        touched = np.unique(query)
        query, row, squared = first_of_each(
            np.concatenate([query, np.repeat(touched, k)]),
            np.concatenate([row, self._row[touched].ravel()]),
            np.concatenate([squared, self._squared[touched].ravel()]),
            k,
        )
        self._row[touched], self._squared[touched] = row.reshape(-1, k), squared.reshape(-1, k)


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
