"""Greedy k-centre: a few rows such that every other row is close to one of them."""

from __future__ import annotations

import numpy as np

from memory_bank._checks import check_count, check_groups, check_tags, check_vectors
from memory_bank._greedy import Picks, memory_needed
from memory_bank._net import net_of
from memory_bank.bank import MemoryBank
from memory_bank.errors import BudgetTooSmallError, EmptyBankError
from memory_bank.types import Coreset, Float32Array, Int64Array


def select_coreset(vectors: Float32Array, size: int, *, seed: int) -> Coreset:
    """Choose rows by greedy k-centre over all rows in full dimension.

    The first pick is drawn from the seed; each further pick is the row that is farthest from all
    picks so far, of equals the one with the smallest number. Equal rows are told apart only when
    nothing else is left; then the smallest numbers not yet picked fill up the coreset.

    Parameters
    ----------
    vectors : ndarray of float32, (n, d)
    size : int
        Rows to choose, at least 1; when ``n`` or more, all rows are chosen.
    seed : int
        Decides the first pick, and with it all others.

    Returns
    -------
    Coreset
        ``min(size, n)`` picks with the covering radius after each.

    Raises
    ------
    VectorsError
        Not float32, not two axes, or not finite.
    EmptyBankError
        No row.
    ArgumentError
        ``size`` or ``seed`` is no whole number, or too small.

    Notes
    -----
    Gonzalez, Clustering to minimize the maximum intercluster distance, Theoretical Computer Science 38
    (1985) 293-306, https://doi.org/10.1016/0304-3975(85)90224-5: the radius is at most twice the best
    possible. Used on patch features by Roth et al., PatchCore, https://arxiv.org/abs/2106.08265,
    algorithm 1; unlike there nothing is projected to fewer dimensions, and the first pick counts.

    The picks are those of the plain algorithm, in less time (:mod:`memory_bank._greedy`): all that decides
    is measured by difference in float64, so neither the BLAS nor its threads have a say. Needs up to
    twice the memory of ``vectors`` besides them.
    """
    vectors = check_vectors(vectors)
    size = check_count("size", size, least=1)
    seed = check_count("seed", seed, least=0)
    n = vectors.shape[0]
    picks = Picks(vectors, min(size, n))
    picks.take(int(np.random.default_rng(seed).integers(n)))
    picks.finish()
    return Coreset(index=picks.index, radius=np.sqrt(picks.radius2))


def extend_coreset(bank: MemoryBank, vectors: Float32Array, size: int) -> Coreset:
    """Go on with greedy k-centre from the rows of a bank: choose further rows, each the farthest from all so far.

    Each pick is the row that is farthest from the bank's rows and all picks so far, of equals the one with the
    smallest number. Rows that equal one of those come last, in the order of their numbers.

    Parameters
    ----------
    bank : MemoryBank
    vectors : ndarray of float32, (n, d)
    size : int
        Rows to choose, at least 1; when ``n`` or more, all rows are chosen.

    Returns
    -------
    Coreset
        ``min(size, n)`` picks with the covering radius after each, of the bank's rows and the picks together.

    Raises
    ------
    VectorsError
        Not float32, not of the bank's size, or not finite.
    EmptyBankError
        No row.
    ArgumentError
        ``size`` is no whole number, or too small.
    """
    vectors = check_vectors(check_vectors(vectors), dim=bank.dim)
    size = check_count("size", size, least=1)
    distance = bank.search(vectors).distance[:, 0].astype(np.float64)
    picks = Picks(vectors, min(size, len(vectors)), squared=distance**2)
    picks.finish()
    return Coreset(index=picks.index, radius=np.sqrt(picks.radius2))


# Rows that are thinned at a time: their own selection should stay small beside that of all rows held.
_STRETCH = 8192


class CoresetBuilder:
    """Builds a memory bank from more rows than fit in memory, batch by batch.

    Rows are collected until the memory budget is full; then a coreset of them takes their place and
    collecting goes on. From then on rows that come are thinned, stretch by stretch: what lies as near to
    another row of its stretch as that coreset left rows is dropped. When all rows fit, the result is exactly
    that of :func:`select_coreset` over all of them. In either case it does not depend on how the rows were
    cut into batches, only on their order.

    Parameters
    ----------
    size : int
        Rows of the bank, at least 1; fewer when fewer rows are added.
    seed : int
        Passed to :func:`select_coreset`.
    memory_mb : int
        MiB for the collected rows and for selecting among them.

    Raises
    ------
    ArgumentError
        An argument is no whole number, or too small.

    Notes
    -----
    A full buffer is reduced to ``size`` rows: coresets of coresets lose little (composable coresets;
    Aghamolaei and Ghodsi, https://arxiv.org/abs/1903.12314). Thinning by the radius reached is the step of
    the doubling algorithm for streams (Charikar, Chekuri, Feder and Motwani 2004,
    https://doi.org/10.1137/S0097539702418498). What both can lose is counted in :attr:`covering_radius`.
    """

    def __init__(self, size: int, *, seed: int, memory_mb: int = 2048) -> None:
        self._size = check_count("size", size, least=1)
        self._seed = check_count("seed", seed, least=0)
        self._memory_mb = check_count("memory_mb", memory_mb, least=1)
        self._vectors: Float32Array = np.empty((0, 0), np.float32)
        self._groups: Int64Array = np.empty(0, np.int64)
        self._tags: Int64Array = np.empty((0, 0), np.int64)
        self._held = 0
        # Of those held, the first that are not to be thinned any more.
        self._settled = 0
        self._rows_seen = 0
        # Covering radius of the last reduction; 0 before the first.
        self._radius = 0.0
        self._lost, self._lost_by_thinning = 0.0, 0.0
        self._covering_radius: float | None = None

    @staticmethod
    def memory_for(rows: int, *, dim: int, tags: int) -> int:
        """MiB with which a builder holds so many rows of size ``dim`` at once, and so loses nothing."""
        per_row, beside = _bytes_needed(dim, tags)
        return -(-(rows * per_row + beside) // (1 << 20))

    @property
    def rows_seen(self) -> int:
        """Rows added so far."""
        return self._rows_seen

    @property
    def covering_radius(self) -> float | None:
        """Largest Euclidean distance from any row added to its nearest row of the bank last built.

        Exact when all rows fitted; otherwise an upper bound. None before the first build.
        """
        return self._covering_radius

    def add(self, vectors: Float32Array, group: int | Int64Array, tags: Int64Array) -> None:
        """Take in a batch.

        Parameters
        ----------
        vectors : ndarray of float32, (n, d)
            n may be 0.
        group : int or ndarray of int64, (n,)
            One for all rows, or one each.
        tags : ndarray of int64, (n, t)

        Raises
        ------
        VectorsError
            An array has the wrong dtype or shape, or is not finite; the batch is left out entirely.
        BudgetTooSmallError
            The memory budget holds fewer than twice ``size`` rows of this width.
        """
        first = self._vectors.shape[1] == 0
        vectors = check_vectors(vectors, dim=None if first else self._vectors.shape[1], empty=True)
        rows = vectors.shape[0]
        groups = check_groups(group, rows=rows)
        tags = check_tags(tags, rows=rows, width=None if first else self._tags.shape[1])
        if first:
            self._allocate(vectors.shape[1], tags.shape[1])
        done = 0
        while done < rows:
            if self._held == self._groups.size:
                self._reduce()
            room = self._groups.size - self._held
            if self._radius > 0:
                room = min(room, self._settled + self._stretch - self._held)
            taken = min(rows - done, room)
            into, some = slice(self._held, self._held + taken), slice(done, done + taken)
            self._vectors[into], self._groups[into], self._tags[into] = (
                vectors[some],
                groups[some],
                tags[some],
            )
            self._held += taken
            done += taken
            if self._radius > 0 and self._held - self._settled == self._stretch:
                self._thin()
        self._rows_seen += rows

    def build(self, *, index: str = "auto") -> MemoryBank:
        """Build the memory bank of all rows added so far; more may be added afterwards.

        Its rows are in the order they were picked, so its first j rows are the coreset of size j.

        Raises
        ------
        EmptyBankError
            Nothing was added.
        UnknownIndexError
            No index of that name.
        """
        if self._held == 0:
            raise EmptyBankError("coreset: expected rows, got none; add some first", available=0, needed=1)
        coreset = select_coreset(self._vectors[: self._held], self._size, seed=self._seed)
        rows = coreset.index
        bank = MemoryBank(self._vectors[rows], self._groups[rows], self._tags[rows], index=index)
        self._covering_radius = float(coreset.radius[-1]) + self._lost + self._lost_by_thinning
        return bank

    def _allocate(self, dim: int, width: int) -> None:
        """Make room for as many rows as the budget holds; the system hands out memory as it is filled."""
        per_row, beside = _bytes_needed(dim, width)
        capacity = ((self._memory_mb << 20) - beside) // per_row
        if capacity < 2 * self._size:
            needed_mb = self.memory_for(2 * self._size, dim=dim, tags=width)
            raise BudgetTooSmallError(
                f"memory_mb: a coreset of {self._size} rows of size {dim} needs at least {needed_mb} MiB, "
                f"got {self._memory_mb}; raise the budget or choose a smaller coreset",
                needed_mb=needed_mb,
            )
        self._vectors = np.empty((capacity, dim), np.float32)
        self._groups = np.empty(capacity, np.int64)
        self._tags = np.empty((capacity, width), np.int64)

    @property
    def _stretch(self) -> int:
        return max(1, min(_STRETCH, self._groups.size // 4))

    def _reduce(self) -> None:
        """Put a coreset in the place of the collected rows, in their order."""
        coreset = select_coreset(self._vectors[: self._held], self._size, seed=self._seed)
        self._keep_of(0, np.sort(coreset.index))
        self._radius = float(coreset.radius[-1])
        self._lost += self._radius

    def _thin(self) -> None:
        """Drop rows of the stretch that came last, so that none is farther from a kept one than ``_radius``."""
        stretch = np.ascontiguousarray(self._vectors[self._settled : self._held])
        self._lost_by_thinning = max(self._lost_by_thinning, self._radius)
        self._keep_of(self._settled, net_of(stretch, self._radius))

    def _keep_of(self, start: int, chosen: Int64Array) -> None:
        """Of the rows held from number ``start`` on, keep these; they are settled."""
        stop = start + len(chosen)
        for held in (self._vectors, self._groups, self._tags):
            held[start:stop] = held[start + chosen]
        self._held = self._settled = stop


def _bytes_needed(dim: int, tags: int) -> tuple[int, int]:
    """Bytes for each row held, its group and tags included, and bytes besides."""
    per_row, beside = memory_needed(dim)
    return per_row + 8 + 8 * tags, beside
