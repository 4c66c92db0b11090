"""Exact search that leaves out what cannot be nearest.

Products of matrices in float32 propose and rule out (:mod:`memory_bank._screen`); all that decides is measured by
difference in float64. How a search goes: :mod:`memory_bank._passes`. Here is decided whether it goes by cells.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_bank._cells import LEAST_ROWS, LISTED, MOST_ROWS, Cells, CellSearch, make_cells
from memory_bank._passes import FUTILE, Ground, PrunedProposal
from memory_bank._screen import frame_of
from memory_bank._threads import one_blas_thread
from memory_bank.types import Float32Array, Int64Array, Neighbors

# Queries that are answered at a time.
_AT_A_TIME = 1 << 14
# Multiplications for each cell, in a search of everything, from which on cells save more than they cost.
_WORTH_A_CELL = 3_000_000
# What comparing two vectors costs besides their product, in multiplications.
_BESIDES = 12
# Searches that compare everything after cells were of no use, before they are tried again.
_PAUSE = 8
# Numbers of all that is listed up to which it stays ready, 128 MiB.
_MOST_KEPT = 1 << 25


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
        self._lock = threading.Lock()
        self._asked = 0
        self._pause = 0
        self._use(cells)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the cells as they are saved, made now if need be; none in a bank too small or too large for them."""
        self._divide()
        return {} if self._cells is None else self._cells.arrays()

    def search(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Neighbors:
        """Find the k nearest rows of each query; see :class:`memory_bank.index.VectorIndex`."""
        found = [self._search(queries[at : at + _AT_A_TIME], k, kept) for at in range(0, len(queries), _AT_A_TIME)]
        if len(found) == 1:
            return found[0]
        return Neighbors(
            distance=np.concatenate([np.empty((0, k), np.float32), *(part.distance for part in found)]),
            index=np.concatenate([np.empty((0, k), np.int64), *(part.index for part in found)]),
        )

    def propose(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> PrunedProposal:
        """Find near rows of each query, which may be proven; see :class:`memory_bank.index.VectorIndex`.

        Cells are made by the first call, and used whatever they save: so the same call is answered alike for ever.
        """
        self._asked += len(queries)
        self._divide()
        return self._begin(queries, k, kept, self._ground_for(len(queries)), prove=False)

    def _search(self, queries: Float32Array, k: int, kept: Int64Array | None) -> Neighbors:
        """Search in the cells where that pays, and everywhere otherwise."""
        self._asked += len(queries)
        if self._cells is None and self._asked > len(self._vectors):
            self._divide()
        ground = self._ground_for(len(queries))
        if self._pause > 0:
            self._pause -= 1
            ground = ground.undivided
        proposal = self._begin(queries, k, kept, ground, prove=True)
        if ground.cells is not None and proposal.compared > FUTILE * len(queries) * len(self._vectors):
            self._pause = _PAUSE
        return proposal.neighbors

    def _ground_for(self, n: int) -> Ground:
        """Return the rows divided into cells, if that is worth it for so many queries."""
        m, d = self._vectors.shape
        cells = 0 if self._cells is None else len(self._cells.centre)
        return self._ground.undivided if n * m * (d + _BESIDES) < _WORTH_A_CELL * cells else self._ground

    def _begin(
        self, queries: Float32Array, k: int, kept: Int64Array | None, ground: Ground, *, prove: bool
    ) -> PrunedProposal:
        for laid_out in (ground, ground.undivided):
            laid_out.keep = self._asked > len(queries) and LISTED * laid_out.right.size <= _MOST_KEPT
        left_out = None
        if kept is not None:
            left_out = np.ones(len(self._vectors), bool)
            left_out[kept] = False
        return PrunedProposal(self._vectors, ground, queries, k, left_out=left_out, prove=prove)

    def _divide(self) -> None:
        with self._lock:
            if self._cells is None and LEAST_ROWS <= len(self._vectors) <= MOST_ROWS:
                with one_blas_thread():
                    self._use(make_cells(self._frame.place(self._vectors)))

    def _use(self, cells: Cells | None) -> None:
        search = None if cells is None else CellSearch(cells)
        self._cells, self._ground = cells, Ground(self._frame, self._vectors, cells=search)
