"""What a search over vectors must do, and the kinds there are."""

from __future__ import annotations

from typing import Protocol

from memory_bank._checks import check_count, check_vectors
from memory_bank._exact import ExactIndex
from memory_bank.errors import UnknownIndexError
from memory_bank.types import Float32Array, Int64Array, Neighbors

KINDS = ("exact", "faiss-cells", "faiss-flat")
AUTO = "auto"
MOST_FOR_FLAT = 100_000
"""Rows up to which ``auto`` searches everything."""


class VectorIndex(Protocol):
    """Finds the nearest of a fixed set of m vectors of size d.

    Arguments are taken as checked: :class:`memory_bank.MemoryBank` does that. Whatever an index does
    inside, its answers are those of :class:`memory_bank._exact.ExactIndex`, bit by bit: the tests hold
    every kind to it. ``faiss-cells`` alone may miss the nearest row of a large bank; the distances of the
    rows it finds are exact, too.
    """

    @property
    def kind(self) -> str:
        """The name that :func:`make_index` knows it by."""

    def search(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Neighbors:
        """Find the k nearest rows of each query, nearest first, of equals the smaller number first.

        Parameters
        ----------
        queries : ndarray of float32, (n, d)
            Finite, C-contiguous; n may be 0.
        k : int
            Between 1 and the number of rows that are searched.
        kept : ndarray of int64, optional
            Ascending numbers of the rows that are searched; all by default.
        """


def check_kind(kind: str) -> str:
    """``kind``, when there is such an index."""
    if kind not in KINDS:
        raise UnknownIndexError(f"index: expected one of {', '.join(KINDS)}, got {kind!r}", known=KINDS)
    return kind


def kind_for(kind: str, *, rows: int) -> str:
    """``kind``, when there is such an index; for ``auto`` the kind that suits a bank of so many rows."""
    if kind == AUTO:
        return "faiss-flat" if rows <= MOST_FOR_FLAT else "faiss-cells"
    return check_kind(kind)


def make_index(kind: str, vectors: Float32Array) -> VectorIndex:
    """Build an index over ``vectors``.

    Parameters
    ----------
    kind : {"exact", "faiss-flat", "faiss-cells"}
        ``exact`` is plain NumPy and slow; ``faiss-flat`` gives the same answers, fast; ``faiss-cells`` is for large
        banks, see :class:`memory_bank._faiss.FaissCellsIndex`.
    vectors : ndarray of float32, (m, d)
        Must not be changed afterwards.

    Raises
    ------
    UnknownIndexError
        No index of that name.
    VectorsError, EmptyBankError
        ``vectors`` are of the wrong dtype or shape, not finite, or none.
    """
    check_kind(kind)
    vectors = check_vectors(vectors)
    if kind == "exact":
        return ExactIndex(vectors)
    # Takes 0.15 s to import; nobody pays who does not search.
    from memory_bank._faiss import FaissCellsIndex, FaissFlatIndex

    return FaissFlatIndex(vectors) if kind == "faiss-flat" else FaissCellsIndex(vectors)


def use_threads(count: int) -> None:
    """Let searches that the calling thread starts use so many threads; by default as many as there are cores.

    For callers that search from several threads at a time. The answers are the same with any number.

    Raises
    ------
    ArgumentError
        ``count`` is no whole number of at least 1.
    """
    count = check_count("count", count, least=1)
    from memory_bank import _faiss

    _faiss.use_threads(count)
