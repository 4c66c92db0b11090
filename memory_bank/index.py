"""What a search over vectors must do, and the kinds there are."""

from __future__ import annotations

from typing import Protocol

from memory_bank._checks import check_count, check_vectors
from memory_bank._exact import ExactIndex
from memory_bank.errors import UnknownIndexError
from memory_bank.types import Float32Array, Neighbors

KINDS = ("exact", "faiss-flat")


class VectorIndex(Protocol):
    """Finds the nearest of a fixed set of m vectors of size d.

    Arguments are taken as checked: :class:`memory_bank.MemoryBank` does that. Whatever an index does
    inside, its answers are those of :class:`memory_bank._exact.ExactIndex`, bit by bit: the tests hold
    every kind to it.
    """

    @property
    def kind(self) -> str:
        """The name that :func:`make_index` knows it by."""

    def search(self, queries: Float32Array, *, k: int) -> Neighbors:
        """Find the k nearest rows of each query, nearest first, of equals the smaller number first.

        Parameters
        ----------
        queries : ndarray of float32, (n, d)
            Finite, C-contiguous; n may be 0.
        k : int
            Between 1 and m.
        """


def check_kind(kind: str) -> str:
    """``kind``, when there is such an index."""
    if kind not in KINDS:
        raise UnknownIndexError(f"index: expected one of {', '.join(KINDS)}, got {kind!r}", known=KINDS)
    return kind


def make_index(kind: str, vectors: Float32Array) -> VectorIndex:
    """Build an index over ``vectors``.

    Parameters
    ----------
    kind : {"exact", "faiss-flat"}
        ``exact`` is plain NumPy and slow; ``faiss-flat`` gives the same answers, fast.
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
    from memory_bank._faiss import FaissFlatIndex

    return FaissFlatIndex(vectors)


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
