"""Distances by difference, in float64: slow, simple, and right; the oracle of every other search."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from memory_bank.proposal import Answer
from memory_bank.types import Float32Array, Float64Array, Int64Array, Neighbors

# Differences of pairs held at a time, in numbers: 16 MiB of float64.
_PAIRS_BLOCK = 1 << 21
# Differences held at a time, in numbers: 4 Mi float64 are 32 MiB.
_BLOCK = 1 << 22


def squared_distances(a: Float32Array, b: Float32Array) -> Float64Array:
    """Squared Euclidean distances of rows to rows, pair by pair.

    Parameters
    ----------
    a, b : ndarray of float32, (n, d)
        Either may be a single vector, (d,).

    Returns
    -------
    ndarray of float64, (n,)
        Exactly 0 for equal rows; no cancellation.
    """
    difference = np.subtract(a, b, dtype=np.float64)
    squared: Float64Array = np.einsum("nd,nd->n", difference, difference)
    return squared


def squared_of_pairs(queries: Float32Array, query: Int64Array, rows: Float32Array, row: Int64Array) -> Float64Array:
    """Squared Euclidean distances of chosen pairs, however many, (p,).

    Parameters
    ----------
    queries, rows : ndarray of float32, (n, d) and (m, d)
    query, row : ndarray of int64, (p,)
        Which of either make a pair.
    """
    squared = np.empty(query.size)
    step = max(1, _PAIRS_BLOCK // queries.shape[1])
    for at in range(0, query.size, step):
        some = slice(at, at + step)
        squared[some] = squared_distances(queries[query[some]], rows[row[some]])
    return squared


def numbered(found: Neighbors, kept: Int64Array) -> Neighbors:
    """Answers of an index over the rows ``kept``, in the numbers that these rows have in the whole bank."""
    return Neighbors(distance=found.distance, index=kept[found.index])


class ExactIndex:
    """Compares every query with every row. Plain NumPy.

    Parameters
    ----------
    vectors : ndarray of float32, (m, d)
    """

    kind = "exact"

    def __init__(self, vectors: Float32Array) -> None:
        self._vectors = vectors

    def search(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Neighbors:
        """Find the k nearest rows of each query; see :class:`memory_bank.index.VectorIndex`."""
        if kept is not None:
            return numbered(ExactIndex(self._vectors[kept]).search(queries, k=k), kept)
        n, (m, d) = queries.shape[0], self._vectors.shape
        distance = np.empty((n, k), np.float32)
        index = np.empty((n, k), np.int64)
        rows: Int64Array = np.arange(m)
        step = max(1, _BLOCK // d)
        for i, query in enumerate(queries):
            squared = np.concatenate(
                [squared_distances(self._vectors[at : at + step], query) for at in range(0, m, step)]
            )
            order = np.lexsort((rows, squared))[:k]
            index[i] = order
            distance[i] = np.sqrt(squared[order])
        return Neighbors(distance=distance, index=index)

    def propose(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Answer:
        """Search; nothing is left to prove."""
        return Answer(self.search(queries, k=k, kept=kept))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return nothing: there is nothing to save."""
        return {}
