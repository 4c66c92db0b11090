"""The only importer of FAISS, and what it takes to get exact answers from it.

FAISS returns squared distances computed as |q|² + |x|² - 2 q·x in float32, in blocks whose rounding
depends on the other queries of the call; near duplicates come out as rounding error. Here it only
proposes candidates: a few more than asked for, which are then measured by difference. The last
proposal tells how near a row that was *not* proposed can be at most; where that does not settle the
answer (many equal rows in the bank), the query is searched again with provable bounds.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from memory_bank._exact import ExactIndex, squared_distances
from memory_bank._screen import FLOOR, allowance, frame_of, left_factor, right_factor, squared_norms
from memory_bank.types import Float32Array, Float64Array, Int64Array, Neighbors

with warnings.catch_warnings():
    # SWIG types without __module__, deprecated since Python 3.12; not ours to mend.
    warnings.simplefilter("ignore", DeprecationWarning)
    import faiss

# Candidates beyond k. They cost nothing measurable and settle nearly all near ties.
_EXTRA = 7
# Numbers held at a time while candidates are measured: 16 MiB of float64.
_BLOCK = 1 << 21
# Squared length, in the frame of the index, beyond which float32 comes near its end.
_TOO_FAR = 1e30


class FaissFlatIndex:
    """Exhaustive search by ``faiss.IndexFlatL2``, measured again by difference.

    Parameters
    ----------
    vectors : ndarray of float32, (m, d)
        Finite, C-contiguous, m > 0; kept, not copied.
    """

    kind = "faiss-flat"

    def __init__(self, vectors: Float32Array) -> None:
        self._vectors = vectors
        self._frame = frame_of(vectors)
        self._placed = self._frame.place(vectors)
        self._faiss = faiss.IndexFlatL2(vectors.shape[1])
        self._faiss.add(self._placed)

    def search(self, queries: Float32Array, *, k: int) -> Neighbors:
        """Find the k nearest rows of each query; see :class:`memory_bank.index.VectorIndex`."""
        n, m = queries.shape[0], self._vectors.shape[0]
        squared, index = np.empty((n, k)), np.empty((n, k), np.int64)
        placed = self._frame.place(queries)
        norms = squared_norms(placed)
        # A query so far off that float32 overflows would come back as rows -1.
        far = ~(norms < _TOO_FAR)
        placed[far] = 0
        proposed2, proposed = self._faiss.search(placed, min(k + _EXTRA, m))
        self._measure(queries, proposed, squared, index)
        if proposed.shape[1] < m:
            unsettled = np.flatnonzero(~self._settled(norms, squared[:, -1], proposed2[:, -1]) & ~far)
            self._search_bounded(queries[unsettled], placed[unsettled], unsettled, squared, index)
        distance = np.sqrt(squared).astype(np.float32)
        if far.any():
            plain = ExactIndex(self._vectors).search(queries[far], k=k)
            distance[far], index[far] = plain.distance, plain.index
        return Neighbors(distance=distance, index=index)

    def _measure(self, queries: Float32Array, proposed: Int64Array, squared: Float64Array, index: Int64Array) -> None:
        """Measure the proposed rows, (n, fetched), by difference and enter the k nearest of each query."""
        (n, fetched), k = proposed.shape, index.shape[1]
        step = max(1, _BLOCK // (fetched * queries.shape[1]))
        for at in range(0, n, step):
            some = slice(at, at + step)
            rows = proposed[some]
            pairs = np.repeat(queries[some], fetched, axis=0)
            measured = squared_distances(pairs, self._vectors[rows.ravel()]).reshape(rows.shape)
            order = np.lexsort((rows, measured))[:, :k]
            squared[some] = np.take_along_axis(measured, order, axis=1)
            index[some] = np.take_along_axis(rows, order, axis=1)

    def _settled(self, norms: Float64Array, squared: Float64Array, last: Float32Array) -> npt.NDArray[np.bool_]:
        """Whether no row that FAISS left out can be as near as the k-th found, for each query, (n,).

        A row x as near as ``squared`` has |x| <= |q| + sqrt(squared); FAISS gives it at most ``squared``
        and the rounding error that goes with these norms, and gave those left out at least ``last``.
        """
        squared = squared * self._frame.scale**2
        error = self._frame.margin * (norms + (np.sqrt(norms) + np.sqrt(squared)) ** 2) + FLOOR
        settled: npt.NDArray[np.bool_] = last > squared + error
        return settled

    def _search_bounded(
        self,
        queries: Float32Array,
        placed: Float32Array,
        into: Int64Array,
        squared: Float64Array,
        index: Int64Array,
    ) -> None:
        """Measure all rows that can be as near as the k-th found; enter the k nearest at ``into``."""
        frame, k = self._frame, index.shape[1]
        left, norms = left_factor(placed), squared_norms(placed)
        right = right_factor(self._placed, squared_norms(self._placed), frame.margin).T
        limit = allowance(squared[into, -1] * frame.scale**2, norms, frame.margin)
        step = max(1, _BLOCK // right.shape[1])
        for at in range(0, into.size, step):
            some = slice(at, at + step)
            query, row = np.nonzero(left[some] @ right < limit[some, None])
            query += at
            measured = self._measure_pairs(queries, query, row)
            order = np.lexsort((row, measured, query))
            first = np.searchsorted(query[order], np.arange(at, min(at + step, into.size)))
            best = order[first[:, None] + np.arange(k)]
            squared[into[some]], index[into[some]] = measured[best], row[best]

    def _measure_pairs(self, queries: Float32Array, query: Int64Array, row: Int64Array) -> Float64Array:
        """Squared distances of pairs, (number of pairs,)."""
        measured = np.empty(query.size)
        step = max(1, _BLOCK // queries.shape[1])
        for at in range(0, query.size, step):
            some = slice(at, at + step)
            measured[some] = squared_distances(queries[query[some]], self._vectors[row[some]])
        return measured
