"""The only importer of FAISS: search in the nearest cells of a bank too large to search in full.

FAISS only proposes candidates, a few more than asked for, which are then measured by difference in float64.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_bank._exact import squared_distances
from memory_bank._pruned import PrunedIndex
from memory_bank._screen import TOO_FAR, frame_of, squared_norms
from memory_bank._threads import threads
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


LEAST_FOR_CELLS = 50_000
"""Rows below which the cells' index searches everything."""
TOLERANCE = 0.01
"""By how much, as a fraction, the nearest row found in the cells may be further than the nearest of all."""
# Rows of the bank that the number of cells is tried out on: if none of 300 is answered badly, at most 1 % are (with
# 95 % confidence).
_SAMPLE = 300
_LEAST_PROBED = 8


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
        self.probed = 0
        if vectors.shape[0] < LEAST_FOR_CELLS:
            return
        placed = self._frame.place(vectors)
        centre, cell = (saved["centre"], saved["cell"]) if saved else _divide(placed)
        self._inverted = _inverted_file(placed, centre, cell)
        self._centres = PrunedIndex(centre)
        self.probed = int(saved["probed"][0]) if saved else self._enough_cells(len(centre))
        self._arrays = {"centre": centre, "cell": cell, "probed": np.array([self.probed], np.int32)}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is saved, by name: the cells, and how many are searched."""
        return self._arrays

    def search(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Neighbors:
        """Find k near rows of each query; see :class:`memory_bank.index.VectorIndex`."""
        if not self.probed:
            return self._search_all(queries, k, kept)
        placed = self._frame.place(queries)
        missed = ~(squared_norms(placed) < TOO_FAR)
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
        with self._lock:
            if self._all is None:
                self._all = PrunedIndex(self._vectors)
        return self._all.search(queries, k=k, kept=kept)

    def _propose(self, placed: Float32Array, k: int, probed: int, kept: Int64Array | None) -> Int64Array:
        """Rows that FAISS finds nearest in the nearest cells, (n, k and some); -1 where there are no more."""
        near = self._centres.search(placed, k=probed)
        faiss.omp_set_num_threads(threads())  # kept for each thread by itself
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
        allowed = (1 + TOLERANCE) * self._search_all(queries, 2, None).distance[:, 1]
        squared, index = np.empty((sample.size, 2)), np.empty((sample.size, 2), np.int64)
        probed = _LEAST_PROBED
        while probed < count // 4:
            _measure(self._vectors, queries, self._propose(placed, 2, probed, None), squared, index)
            if (np.sqrt(squared[:, 1]) <= allowed).all():
                return probed
            probed *= 2
        return 0


def _divide(placed: Float32Array) -> tuple[Float32Array, npt.NDArray[np.int32]]:
    """Centres of the cells, (C, d), and the cell of each row, (m,); the same rows give the same cells."""
    count = 1 << int(np.log2(2.5 * np.sqrt(placed.shape[0])))
    inverted = faiss.IndexIVFFlat(faiss.IndexFlatL2(placed.shape[1]), placed.shape[1], count)
    inverted.cp.niter, inverted.cp.seed = 6, 1
    inverted.cp.min_points_per_centroid, inverted.cp.max_points_per_centroid = 1, 32
    inverted.train(placed)
    cell = inverted.quantizer.search(placed, 1)[1][:, 0]
    return inverted.quantizer.reconstruct_n(0, count), cell.astype(np.int32)


def _inverted_file(placed: Float32Array, centre: Float32Array, cell: npt.NDArray[np.int32]) -> Any:
    """FAISS's inverted file of rows whose cells are known."""
    quantizer = faiss.IndexFlatL2(placed.shape[1])
    quantizer.add(centre)
    inverted = faiss.IndexIVFFlat(quantizer, placed.shape[1], len(centre))
    cells, rows = cell.astype(np.int64), np.arange(len(placed))
    # The Python methods of these names take no cells.
    inverted.add_core(len(placed), *(_PYTHON.swig_ptr(array) for array in (placed, rows, cells)))
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
