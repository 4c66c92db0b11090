"""Answers of a search that are bounds until somebody wants them proven."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from memory_bank._checks import check_mask
from memory_bank.types import BoolArray, Neighbors


class Proposal(Protocol):
    """The nearest rows of n queries as far as they are known: found quickly, and proven only where it matters.

    Filter and refine, as in optimal multi-step k-nearest neighbour search (Seidl and Kriegel 1998,
    https://doi.org/10.1145/276304.276319), but the caller says which queries are worth refining.
    """

    @property
    def neighbors(self) -> Neighbors:
        """What is known now, nearest first: rows of the bank at their exact distances.

        Those of a query that is ``proven`` are what :meth:`memory_bank.MemoryBank.search` returns. The others are
        rows as well, and nearly always the same ones, but a nearer one may exist: no distance is ever too small.
        """

    @property
    def proven(self) -> BoolArray:
        """Whether the answer to each query is that of a search, (n,)."""

    def prove(self, which: BoolArray) -> None:
        """Make the answers to the marked queries, (n,), those of a search.

        Raises
        ------
        DtypeError, ShapeError
            ``which`` is no bool array, or not one of a mark for each query.
        """


class Answer:
    """A proposal of which everything is proven.

    Parameters
    ----------
    neighbors : Neighbors
    """

    def __init__(self, neighbors: Neighbors) -> None:
        self.neighbors = neighbors
        self.proven: BoolArray = np.ones(len(neighbors.index), bool)

    def prove(self, which: BoolArray) -> None:
        """Do nothing but look at ``which``: there is nothing left to prove."""
        check_mask("which", which, rows=len(self.proven))
