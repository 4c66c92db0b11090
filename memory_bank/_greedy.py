"""Greedy k-centre that measures only the distances that can matter.

The plain algorithm brings all n rows up to date after each pick and so reads all vectors once per pick.
Two observations save nearly all of that and change no pick:

- A distance that has not seen the latest picks can only be too large. A row whose last known distance is
  below the covering radius cannot be the next pick, so it may wait, perhaps for ever (lazy evaluation, as
  in Minoux, Accelerated greedy algorithms, 1978, https://doi.org/10.1007/BFb0006528).
- Rows that wait see all the picks they missed in one matrix product, which runs at the speed of the
  processor where one product per pick runs at the speed of the memory; see :mod:`memory_bank._screen`.

Anything faster (bandwidth-limited kernels, another device) replaces :class:`Picks` and must make the
same picks.
"""

from __future__ import annotations

import numpy as np

from memory_bank._exact import squared_distances
from memory_bank._screen import allowance, frame_of, left_factor, right_factor, squared_norms
from memory_bank._threads import one_blas_thread
from memory_bank.types import Float32Array, Float64Array, Int64Array

# A round looks at the rows farther than this share of the covering radius.
_DEPTH = 0.9
# Rows and centres of one matrix product; its result (2 MiB) should stay in the cache.
_ROW_BLOCK = 1024
_CENTRE_BLOCK = 512
# Numbers of the pairs measured by difference at a time: at most 16 MiB.
_PAIR_BLOCK = 1 << 20


def memory_needed(dim: int) -> tuple[int, int]:
    """Bytes for each row, the row itself included, and bytes besides, at the peak of a selection."""
    return 14 * dim + 160, (24 << 20)


class Picks:
    """The state of one selection; squared distances are float64, in the unit of the vectors.

    ``index[:count]`` are the picks so far, ``size`` of them in the end.

    ``squared[x]`` is the squared distance of row x to the nearest of the first ``seen[x]`` picks, so an
    upper bound of its squared distance to the nearest of all ``count`` picks. Before the first pick it is
    ``squared`` of the argument, where that is given: the squared distance to what was picked elsewhere.
    """

    def __init__(self, vectors: Float32Array, size: int, *, squared: Float64Array | None = None) -> None:
        frame = frame_of(vectors)
        placed = frame.place(vectors)
        self.vectors, self.size = vectors, size
        self.margin, self.unit2 = frame.margin, frame.scale**2
        self.norms = squared_norms(placed)
        self.left = left_factor(placed)
        self.right: Float32Array = np.empty((size, self.left.shape[1]), np.float32)
        self.squared: Float64Array = np.full(vectors.shape[0], np.inf) if squared is None else squared.copy()
        self.seen: Int64Array = np.zeros(vectors.shape[0], np.int64)
        self.count = 0
        self.complete = False
        self.index: Int64Array = np.empty(size, np.int64)
        self.radius2: Float64Array = np.zeros(size)

    def take(self, row: int) -> None:
        """Make ``row`` the next pick."""
        one = slice(row, row + 1)
        self.index[self.count] = row
        self.right[self.count] = right_factor(self.left[one, :-1], self.norms[one], self.margin)[0]
        self.count += 1

    def finish(self) -> None:
        """Take picks until there are enough of them and the last covering radius is known."""
        # All numbers are finite; some kernels of OpenBLAS raise the flag of an invalid operation all the same, now and
        # then (https://github.com/numpy/numpy/issues/29194).
        with one_blas_thread(), np.errstate(invalid="ignore"):
            while not self.complete:
                self._play_round()

    def _play_round(self) -> None:
        """Pick on among the rows farthest away, until none of them is far any more.

        All rows that are left out are closer than ``floor``, so while one of those that take part is
        not, the farthest row of all is among them.
        """
        farthest = self.squared.max()
        if farthest == 0:
            self._fill_up()
            return
        floor = _DEPTH**2 * farthest
        rows = self._bring_up_to_date(np.flatnonzero(self.squared >= floor), floor)
        while rows.size and not self.complete:
            rows = self._pick_among(rows, floor)

    def _fill_up(self) -> None:
        """Every row equals a pick: take the first of those that are none."""
        self.complete = True
        left_over = np.setdiff1d(np.arange(self.squared.size), self.index[: self.count], assume_unique=True)
        self.index[self.count :] = left_over[: self.size - self.count]

    def _bring_up_to_date(self, rows: Int64Array, floor: float) -> Int64Array:
        """Show ``rows`` the picks they have not seen; return those that stay at ``floor`` or above.

        A row that falls below is dropped at once and sees the rest when it is needed.
        """
        far = []
        seen = self.seen[rows]
        for start in np.unique(seen):
            some = rows[seen == start]
            for at in range(int(start), self.count, _CENTRE_BLOCK):
                stop = min(at + _CENTRE_BLOCK, self.count)
                for cut in range(0, some.size, _ROW_BLOCK):
                    self._show(some[cut : cut + _ROW_BLOCK], at, stop)
                self.seen[some] = stop
                some = some[self.squared[some] >= floor]
            far.append(some)
        return np.sort(np.concatenate(far))

    def _show(self, rows: Int64Array, start: int, stop: int) -> None:
        """Lower ``squared`` of a block of rows by the picks from ``start`` to ``stop``.

        The most promising pick first; after that the bound rules nearly all others out.
        """
        product = self.left[rows] @ self.right[start:stop].T
        best = product.argmin(axis=1)
        near = np.flatnonzero(product[np.arange(rows.size), best] < self._limit(rows))
        self._lower(rows[near], start + best[near])
        product[near, best[near]] = np.inf
        limit = self._limit(rows)
        near = np.flatnonzero(product.min(axis=1) < limit)
        row, centre = np.nonzero(product[near] < limit[near, None])
        self._lower(rows[near[row]], start + centre)

    def _limit(self, rows: Int64Array) -> Float32Array:
        """Return what a product must stay below to make a pick nearer to its row than all before."""
        return allowance(self.squared[rows] * self.unit2, self.norms[rows], self.margin)

    def _lower(self, rows: Int64Array, picks: Int64Array) -> None:
        """Measure pairs of a row and a pick by difference; a row may come several times."""
        np.minimum.at(self.squared, rows, self._measure(rows, self.index[picks]))

    def _measure(self, rows: Int64Array, others: Int64Array) -> Float64Array:
        """Squared distances of ``rows`` to ``others``, (n,), or to the only one of them."""
        step = max(1, _PAIR_BLOCK // self.vectors.shape[1])
        squared = np.empty(rows.size)
        for at in range(0, rows.size, step):
            some = slice(at, at + step)
            other = others if others.size == 1 else others[some]
            squared[some] = squared_distances(self.vectors[rows[some]], self.vectors[other])
        return squared

    def _pick_among(self, rows: Int64Array, floor: float) -> Int64Array:
        """Plain greedy k-centre among ``rows``, which are up to date and in ascending order.

        Returns the rows still at ``floor`` or above, none when the round is over; stops early when half
        of the rows have fallen below, so that they are looked at no more.
        """
        left, norms = self.left[rows], self.norms[rows]
        squared = self.squared[rows]
        limit = allowance(squared * self.unit2, norms, self.margin)
        product = np.empty(rows.size, np.float32)
        far = int(rows.size)
        while 2 * far > rows.size:
            at = int(squared.argmax())
            if self.count:
                self.radius2[self.count - 1] = squared[at]
            if self.count == self.size:
                self.complete = True
                break
            self.take(int(rows[at]))
            np.dot(left, self.right[self.count - 1], out=product)
            near = np.flatnonzero(product < limit)
            before = squared[near]
            after = self._measure(rows[near], rows[at : at + 1])
            np.minimum(before, after, out=after)
            squared[near] = after
            limit[near] = allowance(after * self.unit2, norms[near], self.margin)
            far -= int(np.count_nonzero(before >= floor) - np.count_nonzero(after >= floor))
        self.squared[rows] = squared
        self.seen[rows] = self.count
        return rows[squared >= floor]
