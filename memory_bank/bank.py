"""An immutable set of vectors that can be searched, changed into another, saved and loaded."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_bank import _store
from memory_bank._checks import check_count, check_groups, check_tags, check_vectors, check_whole
from memory_bank.errors import EmptyBankError, TooFewRowsError, UnknownGroupError
from memory_bank.index import AUTO, VectorIndex, kind_for, make_index
from memory_bank.proposal import Proposal
from memory_bank.types import Float32Array, Int64Array, Neighbors


class MemoryBank:
    """Vectors in, distances out.

    Parameters
    ----------
    vectors : ndarray of float32, (m, d)
        At least one row; finite, no value beyond 1e30.
    groups : int or ndarray of int64, (m,)
        Which rows belong together, and can be left out of a search or removed; one number for all rows,
        or one each.
    tags : ndarray of int64, (m, t)
        Carried along for the caller; never looked at.
    index : {"auto", "pruned", "faiss-cells", "exact"}
        How to search. ``auto`` is ``pruned`` up to 100,000 rows and ``faiss-cells`` above. The answers are the
        same, but for those of ``faiss-cells``, whose nearest row may be up to 1 % further than the nearest of all.
        ``faiss-flat`` is a former name of ``pruned``.

    Raises
    ------
    VectorsError
        An array has the wrong dtype or shape, or vectors are not finite.
    EmptyBankError
        No row.
    UnknownIndexError
        No index of that name.

    Notes
    -----
    The arrays are copied and cannot be changed. The index is built by the first search. Several threads may
    search at a time; see :func:`memory_bank.use_threads`.
    """

    def __init__(
        self,
        vectors: Float32Array,
        groups: int | Int64Array,
        tags: Int64Array,
        *,
        index: str = "auto",
    ) -> None:
        vectors = check_vectors(vectors)
        rows = vectors.shape[0]
        self._vectors = vectors.copy()
        self._groups = check_groups(groups, rows=rows).copy()
        self._tags = check_tags(tags, rows=rows).copy()
        for array in (self._vectors, self._groups, self._tags):
            array.flags.writeable = False
        self._wanted = index
        self._kind = kind_for(index, rows=rows)
        self._index: VectorIndex | None = None
        self._cells: dict[str, npt.NDArray[Any]] = {}
        self._building = threading.Lock()

    @property
    def vectors(self) -> Float32Array:
        """The rows, (m, d), float32, read-only."""
        return self._vectors.view()

    @property
    def groups(self) -> Int64Array:
        """The group of each row, (m,), int64, read-only."""
        return self._groups.view()

    @property
    def tags(self) -> Int64Array:
        """The tags of each row, (m, t), int64, read-only."""
        return self._tags.view()

    @property
    def dim(self) -> int:
        """Size d of the vectors."""
        return int(self._vectors.shape[1])

    @property
    def index(self) -> str:
        """The kind of index that searches."""
        return self._kind

    @property
    def wanted_index(self) -> str:
        """What was asked for: the same, or ``auto``; for a bank made of this one's rows."""
        return self._wanted

    def __len__(self) -> int:
        return int(self._vectors.shape[0])

    def __repr__(self) -> str:
        return f"MemoryBank({len(self)} rows of size {self.dim}, index={self._kind!r})"

    def search(self, queries: Float32Array, *, k: int = 1, exclude_group: int | None = None) -> Neighbors:
        """Find the k nearest rows of each query.

        Parameters
        ----------
        queries : ndarray of float32, (n, d)
            Finite; n may be 0.
        k : int
            At most the number of rows that are searched.
        exclude_group : int, optional
            Rows of this group are not searched; it need not be in the bank.

        Returns
        -------
        Neighbors
            Euclidean distances and row numbers, both (n, k), also for k = 1; nearest first, of equals the
            smaller number first. A query equal to a row has distance exactly 0. Each query's answer is
            the same whatever else is in the call.

        Raises
        ------
        VectorsError
            ``queries`` have the wrong dtype or size, or are not finite.
        ArgumentError
            ``k`` or ``exclude_group`` is no whole number, or ``k`` is less than 1.
        TooFewRowsError
            Fewer than ``k`` rows to search; nothing is ever padded.
        """
        queries, kept = self._checked(queries, k, exclude_group)
        return self._whole_index().search(queries, k=k, kept=kept)

    def propose(self, queries: Float32Array, *, k: int = 1, exclude_group: int | None = None) -> Proposal:
        """Find near rows of each query, at once; the nearest where the caller wants them proven.

        For callers whom only a few queries concern, such as those that are far from every row: they look at all that
        is known, prove what matters, and look again. Parameters and errors are those of :meth:`search`; an index
        other than ``pruned`` proves everything at once, and so does ``pruned`` in a small bank.

        Returns
        -------
        Proposal
        """
        queries, kept = self._checked(queries, k, exclude_group)
        return self._whole_index().propose(queries, k=k, kept=kept)

    def _checked(
        self, queries: Float32Array, k: int, exclude_group: int | None
    ) -> tuple[Float32Array, Int64Array | None]:
        """Return queries and the numbers of the rows to search (None: all), both fit for an index."""
        queries = check_vectors(queries, dim=self.dim, name="queries")
        k = check_count("k", k, least=1)
        kept = None
        if exclude_group is not None:
            kept = np.flatnonzero(self._groups != check_whole("exclude_group", exclude_group))
            kept = None if kept.size == len(self) else kept
        self._check_enough(len(self) if kept is None else kept.size, k)
        return queries, kept

    def add(self, vectors: Float32Array, group: int | Int64Array, tags: Int64Array) -> MemoryBank:
        """Return a bank with these rows behind those of this one.

        Parameters
        ----------
        vectors : ndarray of float32, (n, d)
        group : int or ndarray of int64, (n,)
            One for all rows, or one each; may be in the bank already.
        tags : ndarray of int64, (n, t)

        Raises
        ------
        VectorsError
            An array has the wrong dtype or shape, or vectors are not finite.
        """
        vectors = check_vectors(vectors, dim=self.dim)
        rows = vectors.shape[0]
        return MemoryBank(
            np.concatenate([self._vectors, vectors]),
            np.concatenate([self._groups, check_groups(group, rows=rows)]),
            np.concatenate([self._tags, check_tags(tags, rows=rows, width=self._tags.shape[1])]),
            index=self._wanted,
        )

    def remove(self, groups: int | Iterable[int]) -> MemoryBank:
        """Return a bank without the rows of one or several groups.

        Raises
        ------
        UnknownGroupError
            A group has no row in the bank.
        EmptyBankError
            No row would be left.
        ArgumentError
            ``groups`` are not whole numbers.
        """
        several = np.atleast_1d(groups) if isinstance(groups, np.ndarray) else groups
        several = several if isinstance(several, Iterable) else [several]
        wanted = np.array([check_whole("groups", group) for group in several], np.int64)
        absent = np.setdiff1d(wanted, self._groups)
        if absent.size:
            raise UnknownGroupError(
                f"groups: expected groups that are in the bank, got {absent[0]}, which is not "
                f"({absent.size} such); look at the bank's groups",
                groups=[int(group) for group in absent],
            )
        kept = ~np.isin(self._groups, wanted)
        if not kept.any():
            raise EmptyBankError(
                "groups: expected some rows to be left, got every group of the bank; build a new one instead",
                available=0,
                needed=1,
            )
        return MemoryBank(self._vectors[kept], self._groups[kept], self._tags[kept], index=self._wanted)

    def save(self, folder: Path | str) -> None:
        """Write the bank into a folder, which is made when there is none; equal banks give equal bytes.

        The cells that make searching fast are made, where there are none yet, and written too.

        A bank that is there already is replaced file by file, the manifest last: an interruption in
        between is noticed by :meth:`load`. Where that is not enough, save beside it and rename.

        Raises
        ------
        BankFileError
            The folder cannot be written.
        """
        _store.write(
            Path(folder),
            vectors=self._vectors,
            groups=self._groups,
            tags=self._tags,
            index=self._kind,
            auto=self._wanted == AUTO,
            cells=self._whole_index().arrays(),
        )

    @classmethod
    def load(cls, folder: Path | str) -> MemoryBank:
        """Read a bank that was written by :meth:`save`, after verifying every byte.

        Raises
        ------
        BankMissingError
            There is no saved bank.
        BankCorruptError
            A file is missing, unreadable, or not the one that was written.
        BankVersionError
            The bank was written by a newer version of this package.
        """
        saved = _store.read(Path(folder))
        # What was saved goes on searching, also where this version would choose another kind for so many rows.
        suits = saved.auto and kind_for(AUTO, rows=len(saved.vectors)) == saved.index
        bank = cls(saved.vectors, saved.groups, saved.tags, index=AUTO if suits else saved.index)
        bank._cells = saved.cells
        return bank

    def _whole_index(self) -> VectorIndex:
        """Return the index of all rows, built once, whichever thread comes first."""
        with self._building:
            if self._index is None:
                self._index = make_index(self._kind, self._vectors, saved=self._cells)
            return self._index

    def _check_enough(self, available: int, k: int) -> None:
        if k > available:
            raise TooFewRowsError(
                f"k: expected at most {available}, the rows to search of {len(self)}, got {k}; "
                "ask for fewer or enlarge the bank",
                available=available,
                needed=k,
            )
