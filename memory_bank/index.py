"""What a search over vectors must do, and the kinds there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy.typing as npt

from memory_bank._cells import Cells, fit
from memory_bank._checks import check_count, check_vectors
from memory_bank._exact import ExactIndex
from memory_bank._probed import ProbedIndex
from memory_bank._pruned import PrunedIndex
from memory_bank._threads import set_threads
from memory_bank.errors import ArgumentError, UnknownIndexError
from memory_bank.proposal import Proposal
from memory_bank.types import Float32Array, Int64Array, Neighbors

KINDS = ("exact", "faiss-cells", "pruned")
AUTO = "auto"
MOST_FOR_PRUNED = 100_000
"""Rows up to which ``auto`` answers exactly."""
FORMER = {"faiss-flat": "pruned"}
"""Kinds that gave the same answers more slowly, and what has taken their place."""


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

    def propose(self, queries: Float32Array, *, k: int, kept: Int64Array | None = None) -> Proposal:
        """Find near rows of each query quickly; arguments are those of :meth:`search`.

        What is proven later is answered as :meth:`search` does.
        """

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is worth saving for the next index of these vectors, by name; made now if need be."""


def check_kind(kind: str, *, known: Sequence[str] = KINDS) -> str:
    """``kind``, or what has taken its place, when there is such an index; otherwise say which names are ``known``."""
    found = FORMER.get(kind, kind) if isinstance(kind, str) else kind
    if found not in KINDS:
        raise UnknownIndexError(f"index: expected one of {', '.join(known)}, got {kind!r}", known=known)
    return found


def kind_for(kind: str, *, rows: int) -> str:
    """``kind``, when there is such an index; for ``auto`` the kind that suits a bank of so many rows."""
    if kind == AUTO:
        return "pruned" if rows <= MOST_FOR_PRUNED else "faiss-cells"
    return check_kind(kind, known=(AUTO, *KINDS))


def make_index(kind: str, vectors: Float32Array, *, saved: Mapping[str, npt.NDArray[Any]] | None = None) -> VectorIndex:
    """Build an index over ``vectors``.

    Parameters
    ----------
    kind : {"exact", "pruned", "faiss-cells"}
        ``exact`` is plain NumPy and slow; ``pruned`` gives the same answers, fast; ``faiss-cells`` is for large
        banks, see :class:`memory_bank._probed.ProbedIndex`. ``faiss-flat`` is a former name of ``pruned``.
    vectors : ndarray of float32, (m, d)
        Must not be changed afterwards.
    saved : mapping of str to ndarray, optional
        Cells that :meth:`VectorIndex.arrays` gave for these vectors.

    Raises
    ------
    UnknownIndexError
        No index of that name.
    ArgumentError
        ``saved`` are not the cells of an index of this kind over so many vectors of this size.
    VectorsError, EmptyBankError
        ``vectors`` are of the wrong dtype or shape, not finite, or none.
    """
    kind = check_kind(kind)
    vectors = check_vectors(vectors)
    rows, dim = vectors.shape
    if saved and not fit(kind, saved, rows=rows, dim=dim):
        raise ArgumentError(
            f"saved: expected what arrays() of {kind} gave for these {rows} vectors of size {dim}, got "
            f"{', '.join(map(repr, saved))} that cannot be that; leave them out"
        )
    if kind == "exact":
        return ExactIndex(vectors)
    if kind == "pruned":
        return PrunedIndex(vectors, cells=Cells.from_arrays(saved) if saved else None)
    return ProbedIndex(vectors, saved=saved)


def use_threads(count: int) -> None:
    """Let searches that the calling thread starts use so many threads; by default as many as there are cores.

    For callers that search from several threads at a time. The answers are the same with any number.

    Raises
    ------
    ArgumentError
        ``count`` is no whole number of at least 1.
    """
    set_threads(check_count("count", count, least=1))
