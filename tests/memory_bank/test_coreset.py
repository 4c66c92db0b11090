from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from memory_bank import CoresetBuilder, MemoryBank, extend_coreset, select_coreset
from memory_bank._greedy import Picks
from memory_bank.errors import (
    ArgumentError,
    BudgetTooSmallError,
    DimensionError,
    DtypeError,
    EmptyBankError,
    NotFiniteError,
    ShapeError,
)
from memory_bank.types import Float32Array, Float64Array, Int64Array
from tests.memory_bank.data import surfaces, walks, word_counts


def plain_greedy(vectors: Float32Array, size: int, first: int) -> tuple[Int64Array, Float64Array]:
    """Gonzalez' algorithm as it is written: every distance, by difference, after every pick."""
    picks, radii = [first], []
    nearest = np.full(len(vectors), np.inf)
    while True:
        difference = vectors.astype(np.float64) - vectors[picks[-1]]
        nearest = np.minimum(nearest, (difference**2).sum(axis=1))
        radii.append(nearest.max())
        if len(picks) == size:
            return np.array(picks), np.sqrt(radii)
        picks.append(int(nearest.argmax()))


def covering_radius(vectors: Float32Array, chosen: Float32Array) -> float:
    return max(float(cdist(vectors[at : at + 1000], chosen).min(axis=1).max()) for at in range(0, len(vectors), 1000))


def first_drawn(vectors: Float32Array) -> int:
    """A seed whose first pick is row 0."""
    return next(s for s in range(1000) if select_coreset(vectors, 1, seed=s).index[0] == 0)


def test_hand_worked_example() -> None:
    # On a line: 0, 1, 3, 7, 12. From 0 the farthest is 12; then 7 (5 from 12), then 3 (3 from 0), then 1.
    line = np.array([[0], [1], [3], [7], [12]], np.float32)
    coreset = select_coreset(line, 5, seed=first_drawn(line))
    assert coreset.index.tolist() == [0, 4, 3, 2, 1]
    assert coreset.radius.tolist() == [12.0, 5.0, 3.0, 1.0, 0.0]
    assert coreset.index.dtype == np.int64
    assert coreset.radius.dtype == np.float64


@pytest.mark.parametrize(
    "vectors", [word_counts(700), walks(700), walks(3000, 5, seed=3)], ids=["words", "walk", "long walk"]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_makes_the_picks_of_the_plain_algorithm(vectors: Float32Array, seed: int) -> None:
    coreset = select_coreset(vectors, 120, seed=seed)
    picks, radii = plain_greedy(vectors, 120, int(coreset.index[0]))
    np.testing.assert_array_equal(coreset.index, picks)
    np.testing.assert_allclose(coreset.radius, radii, rtol=1e-12)


@pytest.mark.parametrize(("spread", "offset"), [(1e-2, 1e3), (1e-6, 1.0), (1e-20, 0.0), (1e20, 0.0), (1e-38, 0.0)])
def test_no_cancellation(spread: float, offset: float) -> None:
    # Tight clusters far from each other and from the origin: |x|² + |c|² - 2 x·c is rounding error here.
    rng = np.random.default_rng(0)
    cluster = (rng.normal(size=(200, 6)) * spread).astype(np.float32)
    vectors = np.concatenate([cluster + np.float32(offset), cluster - np.float32(3 * offset)])
    coreset = select_coreset(vectors, 40, seed=0)
    picks, radii = plain_greedy(vectors, 40, int(coreset.index[0]))
    np.testing.assert_allclose(coreset.radius, radii, rtol=1e-6)
    np.testing.assert_array_equal(coreset.index, picks)


def test_one_far_off_row_does_not_blur_the_others() -> None:
    vectors = walks(400)
    vectors[17] = 1e9
    coreset = select_coreset(vectors, 50, seed=0)
    picks, radii = plain_greedy(vectors, 50, int(coreset.index[0]))
    np.testing.assert_array_equal(coreset.index, picks)
    np.testing.assert_allclose(coreset.radius, radii, rtol=1e-12)


def test_duplicates_have_radius_zero_and_fill_up_in_order() -> None:
    vectors = np.repeat(walks(6, 4), 5, axis=0) * np.float32(0.1)
    coreset = select_coreset(vectors, 20, seed=0)
    assert coreset.radius[4] > 0
    assert (coreset.radius[5:] == 0).all()
    assert len(set(coreset.index.tolist())) == 20
    assert len({int(row) // 5 for row in coreset.index[:6]}) == 6
    assert (np.diff(coreset.index[6:]) > 0).all()


def test_all_rows_equal() -> None:
    coreset = select_coreset(np.full((7, 3), 0.1, np.float32), 4, seed=0)
    assert coreset.radius.tolist() == [0.0] * 4
    assert len(set(coreset.index.tolist())) == 4


@pytest.mark.parametrize("size", [30, 31, 10**9])
def test_all_rows_when_as_many_are_wanted(size: int) -> None:
    coreset = select_coreset(walks(30), size, seed=0)
    assert sorted(coreset.index.tolist()) == list(range(30))
    assert coreset.radius[-1] == 0


def test_first_pick_is_drawn_from_the_seed_and_kept() -> None:
    vectors = walks(100)
    firsts = [int(select_coreset(vectors, 3, seed=seed).index[0]) for seed in range(20)]
    assert len(set(firsts)) > 10
    assert firsts == [int(np.random.default_rng(seed).integers(100)) for seed in range(20)]


def test_a_smaller_coreset_is_a_prefix() -> None:
    vectors = walks(300)
    small, large = select_coreset(vectors, 20, seed=5), select_coreset(vectors, 90, seed=5)
    np.testing.assert_array_equal(small.index, large.index[:20])
    np.testing.assert_array_equal(small.radius, large.radius[:20])


def test_neither_global_random_state_nor_memory_layout_matters() -> None:
    vectors = walks(300)
    expected = select_coreset(vectors, 40, seed=1)
    np.random.seed(123)  # noqa: NPY002
    for same in (np.asfortranarray(vectors), np.repeat(vectors, 2, axis=0)[::2]):
        np.testing.assert_array_equal(select_coreset(same, 40, seed=1).index, expected.index)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = word_counts(900)
    expected = select_coreset(vectors, 150, seed=2)
    for name, value in [("_DEPTH", 0.6), ("_ROW_BLOCK", 37), ("_CENTRE_BLOCK", 5), ("_PAIR_BLOCK", 64)]:
        monkeypatch.setattr(f"memory_bank._greedy.{name}", value)
        coreset = select_coreset(vectors, 150, seed=2)
        np.testing.assert_array_equal(coreset.index, expected.index)
        np.testing.assert_array_equal(coreset.radius, expected.radius)


def test_threadpoolctl_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = select_coreset(walks(300), 40, seed=1)
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    coreset = select_coreset(walks(300), 40, seed=1)
    np.testing.assert_array_equal(coreset.index, expected.index)
    np.testing.assert_array_equal(coreset.radius, expected.radius)


def test_a_flag_that_the_blas_raises_for_nothing_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    dot, flagged = np.dot, 0

    def dot_with_a_flag(*arguments: Float32Array, out: Float32Array) -> Float32Array:
        nonlocal flagged
        flagged += 1
        np.multiply(np.float32(np.inf), np.float32(0))  # a warning, which tests turn into an error
        return dot(*arguments, out=out)

    vectors = walks(200, 6)
    expected = select_coreset(vectors, 20, seed=0)
    monkeypatch.setattr(np, "dot", dot_with_a_flag)
    np.testing.assert_array_equal(select_coreset(vectors, 20, seed=0).index, expected.index)
    assert flagged > 0


def test_memory_does_not_grow_with_rows_times_rows() -> None:
    vectors = walks(20_000, 8)
    tracemalloc.start()
    select_coreset(vectors, 400, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000 * (12 * 8 + 160) + (24 << 20)  # 20,000 x 400 distances alone would be 64 MB


def test_most_distances_are_never_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0
    show = Picks._show

    def counting(self: Picks, rows: Int64Array, start: int, stop: int) -> None:
        nonlocal looked_at
        looked_at += rows.size * (stop - start)
        show(self, rows, start, stop)

    monkeypatch.setattr(Picks, "_show", counting)
    select_coreset(walks(20_000, 8), 1000, seed=0)
    assert looked_at < 0.5 * 20_000 * 1000


def test_bad_arguments() -> None:
    good = walks(10, 4)
    with pytest.raises(DtypeError, match="float64") as dtype:
        select_coreset(good.astype(np.float64), 3, seed=0)  # type: ignore[arg-type]
    assert (dtype.value.expected, dtype.value.got) == ("float32", "float64")
    with pytest.raises(DtypeError, match="list"):
        select_coreset(good.tolist(), 3, seed=0)
    with pytest.raises(ShapeError, match=r"\(n, d\)"):
        select_coreset(good[0], 3, seed=0)
    with pytest.raises(EmptyBankError):
        select_coreset(good[:0], 3, seed=0)
    for size in (0, -1, 2.5, True, None):
        with pytest.raises(ArgumentError, match="size"):
            select_coreset(good, size, seed=0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="seed"):
        select_coreset(good, 3, seed=-1)
    for value in (np.nan, np.inf, -np.inf, 2e30):
        bad = good.copy()
        bad[[3, 6], 1] = value
        with pytest.raises(NotFiniteError, match="2 of 10 rows, the first is row 3") as not_finite:
            select_coreset(bad, 3, seed=0)
        assert not_finite.value.rows == (3, 6)


@pytest.mark.parametrize("make", [word_counts, walks, surfaces])
def test_it_goes_on_from_the_rows_of_a_bank_as_the_plain_algorithm_does(make: Callable[..., Float32Array]) -> None:
    held, further = make(60), make(900, seed=1)
    bank = MemoryBank(held, 0, np.zeros((60, 1), np.int64))
    found = extend_coreset(bank, further, 100)
    nearest = bank.search(further).distance[:, 0].astype(np.float64) ** 2
    for pick, radius in zip(found.index, found.radius, strict=True):
        assert pick == nearest.argmax()
        difference = further.astype(np.float64) - further[pick]
        nearest = np.minimum(nearest, np.einsum("nd,nd->n", difference, difference))
        assert radius == np.sqrt(nearest.max())


def test_what_a_bank_holds_already_comes_last() -> None:
    line = np.array([[0], [5], [1], [5], [9]], np.float32)
    bank = MemoryBank(line[:2], 0, np.zeros((2, 1), np.int64))
    found = extend_coreset(bank, line, 9)
    assert found.index.tolist() == [4, 2, 0, 1, 3]
    assert found.radius.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert extend_coreset(bank, line[:2], 1).index.tolist() == [0]
    with pytest.raises(DimensionError):
        extend_coreset(bank, walks(3), 1)
    with pytest.raises(EmptyBankError):
        extend_coreset(bank, line[:0], 1)
    with pytest.raises(ArgumentError, match="size"):
        extend_coreset(bank, line, 0)


class TestCoresetBuilder:
    @staticmethod
    def fill(builder: CoresetBuilder, vectors: Float32Array, batch: int) -> None:
        for at in range(0, len(vectors), batch):
            rows = np.arange(at, min(at + batch, len(vectors)))
            builder.add(vectors[rows], rows // 10, rows[:, None])

    @pytest.mark.parametrize("batch", [1, 7, 400])
    def test_equals_select_coreset_when_all_rows_fit(self, batch: int) -> None:
        vectors = walks(400)
        builder = CoresetBuilder(60, seed=4, memory_mb=64)
        self.fill(builder, vectors, batch)
        bank = builder.build()
        coreset = select_coreset(vectors, 60, seed=4)
        np.testing.assert_array_equal(bank.tags[:, 0], coreset.index)
        np.testing.assert_array_equal(bank.vectors, vectors[coreset.index])
        np.testing.assert_array_equal(bank.groups, coreset.index // 10)
        assert builder.covering_radius == coreset.radius[-1]
        assert builder.rows_seen == 400

    def test_within_a_budget_the_batches_do_not_matter(self) -> None:
        vectors = walks(40_000, 64, seed=1)
        banks, builders = [], []
        for batch in (40_000, 333):
            builder = CoresetBuilder(50, seed=0, memory_mb=32)
            self.fill(builder, vectors, batch)
            banks.append(builder.build(index="exact"))
            builders.append(builder)
        np.testing.assert_array_equal(banks[0].tags, banks[1].tags)
        np.testing.assert_array_equal(banks[0].vectors, vectors[banks[0].tags[:, 0]])
        radius = covering_radius(vectors, banks[0].vectors)
        best_known = select_coreset(vectors, 50, seed=0).radius[-1]
        assert builders[0].covering_radius == builders[1].covering_radius
        assert builders[0].covering_radius is not None
        assert radius < builders[0].covering_radius  # an upper bound, since the buffer was reduced
        assert radius < 1.5 * best_known
        assert builders[0].rows_seen == 40_000

    def test_what_comes_after_a_reduction_is_thinned_and_a_rare_row_stays(self) -> None:
        vectors = surfaces(60_000)
        vectors[50_123] += 20
        builder = CoresetBuilder(500, seed=0, memory_mb=CoresetBuilder.memory_for(14_000, dim=32, tags=1))
        held = []
        for at in range(0, len(vectors), 10_000):
            rows = np.arange(at, at + 10_000)
            builder.add(vectors[rows], rows // 10, rows[:, None])
            held.append(builder._held)
        assert held[0] == 10_000  # nothing is dropped while all rows fit
        assert max(np.diff(held[2:])) < 5_000
        bank = builder.build(index="exact")
        assert 50_123 in bank.tags
        best = float(select_coreset(vectors, 500, seed=0).radius[-1])
        assert builder.covering_radius is not None
        assert covering_radius(vectors, bank.vectors) < min(1.25 * best, builder.covering_radius)

    def test_equal_rows_are_thinned_to_one_and_none_is_made_up(self) -> None:
        vectors = np.ones((40_000, 64), np.float32)
        vectors[:20_000] = walks(20_000, 64)
        builder = CoresetBuilder(50, seed=0, memory_mb=32)
        self.fill(builder, vectors, 40_000)
        assert len(builder.build()) == 50
        assert builder.rows_seen == 40_000

    def test_a_budget_of_a_few_very_long_rows(self) -> None:
        vectors = walks(9, 200_000)
        builder = CoresetBuilder(1, seed=0, memory_mb=CoresetBuilder.memory_for(2, dim=200_000, tags=1))
        self.fill(builder, vectors, 4)
        assert len(builder.build()) == 1
        assert builder.rows_seen == 9

    def test_stays_within_its_memory(self) -> None:
        vectors = walks(60_000, 64)
        tracemalloc.start()
        builder = CoresetBuilder(100, seed=0, memory_mb=40)
        self.fill(builder, vectors, 1000)
        builder.build()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 40 << 20

    def test_a_budget_that_cannot_hold_the_coreset_is_refused(self) -> None:
        builder = CoresetBuilder(100_000, seed=0, memory_mb=30)
        with pytest.raises(BudgetTooSmallError, match="at least") as refused:
            self.fill(builder, walks(10, 32), 10)
        enough = CoresetBuilder(100_000, seed=0, memory_mb=refused.value.needed_mb)
        self.fill(enough, walks(10, 32), 10)
        assert len(enough.build()) == 10

    def test_with_the_memory_for_all_rows_nothing_is_lost(self) -> None:
        vectors = walks(30_000, 16)
        enough = CoresetBuilder.memory_for(len(vectors), dim=16, tags=1)
        radii = []
        for memory_mb in (enough, enough - 6):
            builder = CoresetBuilder(50, seed=0, memory_mb=memory_mb)
            self.fill(builder, vectors, 1000)
            builder.build()
            radii.append(builder.covering_radius)
        best = float(select_coreset(vectors, 50, seed=0).radius[-1])
        assert radii[0] == best
        assert radii[1] is not None
        assert radii[1] > best

    def test_one_group_for_a_batch_and_more_after_building(self) -> None:
        builder = CoresetBuilder(5, seed=0, memory_mb=64)
        assert builder.covering_radius is None
        builder.add(walks(20, 4), 7, np.zeros((20, 2), np.int64))
        assert set(builder.build().groups.tolist()) == {7}
        builder.add(walks(20, 4) + 1000, 8, np.zeros((20, 2), np.int64))
        assert set(builder.build().groups.tolist()) == {7, 8}

    def test_bad_arguments(self) -> None:
        builder = CoresetBuilder(5, seed=0, memory_mb=64)
        with pytest.raises(EmptyBankError):
            builder.build()
        builder.add(walks(0, 4), 7, np.zeros((0, 2), np.int64))
        with pytest.raises(EmptyBankError):
            builder.build()
        builder.add(walks(20, 4), 7, np.zeros((20, 2), np.int64))
        with pytest.raises(DimensionError, match="size 4, got 5"):
            builder.add(walks(20, 5), 7, np.zeros((20, 2), np.int64))
        with pytest.raises(ShapeError, match="tags"):
            builder.add(walks(20, 4), 7, np.zeros((20, 3), np.int64))
        with pytest.raises(ShapeError, match="groups"):
            builder.add(walks(20, 4), np.arange(3), np.zeros((20, 2), np.int64))
        assert builder.rows_seen == 20
        for arguments in ({"size": 0}, {"seed": -1}, {"memory_mb": 0}):
            with pytest.raises(ArgumentError, match=next(iter(arguments))):
                CoresetBuilder(**({"size": 5, "seed": 0, "memory_mb": 64} | arguments))
