"""The only importer of FAISS, and what it takes to get exact answers from it.

FAISS returns squared distances computed as |q|² + |x|² - 2 q·x in float32, in blocks whose rounding
depends on the other queries of the call; near duplicates come out as rounding error. Here it only
proposes candidates: a few more than asked for, which are then measured by difference. In the flat index the last
proposal tells how near a row that was *not* proposed can be at most; where that does not settle the
answer (many equal rows in the bank), the query is searched again with provable bounds.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_bank._exact import ExactIndex, numbered, squared_distances
from memory_bank._screen import FLOOR, allowance, frame_of, left_factor, right_factor, squared_norms
from memory_bank.types import Float32Array, Float64Array, Int64Array, Neighbors

with warnings.catch_warnings():
    # SWIG types without __module__, deprecated since Python 3.12; not ours to mend.
    warnings.simplefilter("ignore", DeprecationWarning)
    import faiss

# Its stubs describe C++ signatures where Python takes arrays.
_PYTHON: Any = faiss

# Candidates beyond k. They cost nothing measurable and settle nearly all near ties.
_EXTRA = 7
# Numbers held at a time while candidates are measured: 16 MiB of float64.
_BLOCK = 1 << 21
# Squared length, in the frame of the index, beyond which float32 comes near its end.
_TOO_FAR = 1e30


LEAST_FOR_CELLS = 50_000
"""Rows below which the cells' index searches everything."""
TOLERANCE = 0.01
"""By how much, as a fraction, the nearest row found in the cells may be further than the nearest of all."""
# Rows of the bank that the number of cells is tried out on: if none of 300 is answered badly, at most 1 % are (with
# 95 % confidence).
_SAMPLE = 300
_LEAST_PROBED = 8


def use_threads(count: int) -> None:
    """Let searches of this thread use so many threads: OpenMP keeps the number for each thread by itself."""
    faiss.omp_set_num_threads(count)


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

    def search(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Neighbors:
        """Find the k nearest rows of each query; see :class:`memory_bank.index.VectorIndex`."""
        if kept is not None:
            # Copying the rows takes a fraction of the search; a FAISS selector would lose its matrix product.
            return numbered(FaissFlatIndex(self._vectors[kept]).search(queries, k=k), kept)
        n, m = queries.shape[0], self._vectors.shape[0]
        squared, index = np.empty((n, k)), np.empty((n, k), np.int64)
        placed = self._frame.place(queries)
        norms = squared_norms(placed)
        # A query so far off that float32 overflows would come back as rows -1.
        far = ~(norms < _TOO_FAR)
        placed[far] = 0
        proposed2, proposed = self._faiss.search(placed, min(k + _EXTRA, m))
        _measure(self._vectors, queries, proposed, squared, index)
        if proposed.shape[1] < m:
            unsettled = np.flatnonzero(~self._settled(norms, squared[:, -1], proposed2[:, -1]) & ~far)
            self._search_bounded(queries[unsettled], placed[unsettled], unsettled, squared, index)
        distance = np.sqrt(squared).astype(np.float32)
        if far.any():
            plain = ExactIndex(self._vectors).search(queries[far], k=k)
            distance[far], index[far] = plain.distance, plain.index
        return Neighbors(distance=distance, index=index)

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


class FaissCellsIndex:
    """Search in those cells of the bank that are nearest to a query, for banks too large to search in full.

    An inverted file (Sivic and Zisserman 2003; ``faiss.IndexIVFFlat``): k-means divides the rows into cells, and a
    query is compared with the rows of the few cells whose centres are nearest. How many is found out on the bank
    itself: the smallest power of two with which each row of a sample, itself left out, finds a neighbour at most
    :data:`TOLERANCE` further than its nearest. Where that takes a quarter of the cells, or the bank is small,
    everything is searched. The cells of a query are ranked by exact distances, candidates are measured by difference:
    an answer does not depend on the other queries.

    Parameters
    ----------
    vectors : ndarray of float32, (m, d)
        Finite, C-contiguous, m > 0; kept, not copied.

    Attributes
    ----------
    probed : int
        Cells that are searched for each query; 0: everything is.
    """

    kind = "faiss-cells"

    def __init__(self, vectors: Float32Array) -> None:
        self._vectors = vectors
        self._frame = frame_of(vectors)
        self._flat: FaissFlatIndex | None = None
        self.probed = 0
        if vectors.shape[0] >= LEAST_FOR_CELLS:
            count = 1 << int(np.log2(2.5 * np.sqrt(vectors.shape[0])))
            self._inverted = _inverted_file(self._frame.place(vectors), count)
            self._centres = FaissFlatIndex(self._inverted.quantizer.reconstruct_n(0, count))
            self.probed = self._enough_cells(count)

    def search(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Neighbors:
        """Find k near rows of each query; see :class:`memory_bank.index.VectorIndex`."""
        if not self.probed:
            return self._search_all(queries, k, kept)
        placed = self._frame.place(queries)
        missed = ~(squared_norms(placed) < _TOO_FAR)
        placed[missed] = 0
        proposed = self._propose(placed, k, self.probed, kept)
        missed |= proposed[:, k - 1] < 0
        squared, index = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
        _measure(self._vectors, queries, proposed, squared, index)
        squared[missed] = 0
        distance = np.sqrt(squared).astype(np.float32)
        if missed.any():
            all_of_them = self._search_all(queries[missed], k, kept)
            distance[missed], index[missed] = all_of_them.distance, all_of_them.index
        return Neighbors(distance=distance, index=index)

    def _search_all(self, queries: Float32Array, k: int, kept: Int64Array | None) -> Neighbors:
        if self._flat is None:
            self._flat = FaissFlatIndex(self._vectors)
        return self._flat.search(queries, k=k, kept=kept)

    def _propose(self, placed: Float32Array, k: int, probed: int, kept: Int64Array | None) -> Int64Array:
        """Rows that FAISS finds nearest in the nearest cells, (n, k and some); -1 where there are no more."""
        near = self._centres.search(placed, k=probed)
        options = _PYTHON.SearchParametersIVF(nprobe=probed, sel=None if kept is None else self._selector(kept))
        n, fetched = len(placed), k + _EXTRA
        distance, rows = np.empty((n, fetched), np.float32), np.empty((n, fetched), np.int64)
        # The Python method of that name takes no options.
        arrays = [_PYTHON.swig_ptr(array) for array in (placed, near.index, near.distance, distance, rows)]
        self._inverted.search_preassigned_c(n, arrays[0], fetched, *arrays[1:], False, options)
        return rows

    def _selector(self, kept: Int64Array) -> Any:
        chosen = np.zeros(self._vectors.shape[0], np.uint8)
        chosen[kept] = 1
        return _PYTHON.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))

    def _enough_cells(self, count: int) -> int:
        """Cells to search so that a sample of rows is answered well enough; 0: too many."""
        sample = np.unique(np.linspace(0, self._vectors.shape[0] - 1, _SAMPLE).astype(np.int64))
        queries = self._vectors[sample]
        placed = self._frame.place(queries)
        # The first neighbour of a row is the row itself, or one that equals it.
        allowed = (1 + TOLERANCE) * FaissFlatIndex(self._vectors).search(queries, k=2).distance[:, 1]
        squared, index = np.empty((sample.size, 2)), np.empty((sample.size, 2), np.int64)
        probed = _LEAST_PROBED
        while probed < count // 4:
            _measure(self._vectors, queries, self._propose(placed, 2, probed, None), squared, index)
            if (np.sqrt(squared[:, 1]) <= allowed).all():
                return probed
            probed *= 2
        return 0


def _inverted_file(placed: Float32Array, count: int) -> Any:
    """Divide rows into cells around ``count`` centres; the same rows give the same cells."""
    inverted = faiss.IndexIVFFlat(faiss.IndexFlatL2(placed.shape[1]), placed.shape[1], count)
    inverted.cp.niter, inverted.cp.seed = 6, 1
    inverted.cp.min_points_per_centroid, inverted.cp.max_points_per_centroid = 1, 32
    inverted.train(placed)
    inverted.add(placed)
    return inverted


def _measure(
    vectors: Float32Array, queries: Float32Array, proposed: Int64Array, squared: Float64Array, index: Int64Array
) -> None:
    """Measure proposed rows, (n, fetched), by difference; enter the k nearest of each query, of -1 only if need be."""
    (n, fetched), k = proposed.shape, index.shape[1]
    step = max(1, _BLOCK // (fetched * queries.shape[1]))
    for at in range(0, n, step):
        some = slice(at, at + step)
        rows = proposed[some]
        pairs = np.repeat(queries[some], fetched, axis=0)
        measured = squared_distances(pairs, vectors[rows.ravel()]).reshape(rows.shape)
        measured[rows < 0] = np.inf
        order = np.lexsort((rows, measured))[:, :k]
        squared[some] = np.take_along_axis(measured, order, axis=1)
        index[some] = np.take_along_axis(rows, order, axis=1)
