"""The index for large banks: near rows of what is like the bank, exact distances, the same answer every time."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from memory_bank import MemoryBank, _probed, make_index, use_threads
from memory_bank._exact import ExactIndex
from memory_bank._probed import ProbedIndex
from memory_bank._pruned import PrunedIndex
from memory_bank._screen import frame_of
from memory_bank.types import Float32Array
from tests.memory_bank.data import surfaces, walks, word_counts

ROWS = 30_000


@pytest.fixture(autouse=True)
def small_banks_have_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_probed, "LEAST_FOR_CELLS", 1000)


@pytest.fixture(scope="module")
def vectors() -> Float32Array:
    return surfaces(ROWS)


@pytest.fixture(scope="module")
def index(vectors: Float32Array) -> ProbedIndex:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_probed, "LEAST_FOR_CELLS", 1000)
        return ProbedIndex(vectors)


def test_the_nearest_row_found_is_at_most_a_hundredth_further(index: ProbedIndex, vectors: Float32Array) -> None:
    assert 0 < index.probed <= 64
    queries = np.concatenate([surfaces(2000, seed=1), surfaces(100, seed=2) + np.float32(0.5)])
    found, exact = index.search(queries, k=3), PrunedIndex(vectors).search(queries, k=3)
    assert np.mean(found.distance[:, 0] > 1.01 * exact.distance[:, 0]) <= 0.01
    assert np.mean(found.index == exact.index) > 0.98
    # Whatever row it is, its distance is exact.
    measured = np.linalg.norm(queries[:, None].astype(np.float64) - vectors[found.index], axis=2)
    np.testing.assert_allclose(found.distance, measured, rtol=1e-6)
    assert (np.diff(found.distance, axis=1) >= 0).all()


def test_a_row_finds_itself(index: ProbedIndex, vectors: Float32Array) -> None:
    found = index.search(vectors[:300], k=1)
    np.testing.assert_array_equal(found.index[:, 0], np.arange(300))
    assert (found.distance == 0).all()


def test_answers_depend_neither_on_the_other_queries_nor_on_threads(index: ProbedIndex) -> None:
    queries = surfaces(60, seed=3)
    together = index.search(queries, k=4)
    use_threads(1)
    try:
        for batch in (1, 7, 33):
            for at in range(0, 60, batch):
                found = index.search(queries[at : at + batch], k=4)
                np.testing.assert_array_equal(found.index, together.index[at : at + batch])
                np.testing.assert_array_equal(found.distance, together.distance[at : at + batch])
    finally:
        use_threads(2)


@pytest.mark.parametrize("k", [1, 3])
def test_among_the_rows_of_its_cells_an_answer_is_exact_whatever_ties(k: int) -> None:
    """Whole numbers: many rows are equally far, and products alone cannot order them."""
    vectors, queries = word_counts(4000), word_counts(60, seed=1)
    index = ProbedIndex(vectors)
    assert index.probed
    centre, cell = index.arrays()["centre"], index.arrays()["cell"]
    frame, found = frame_of(vectors), index.search(queries, k=k)
    near = ExactIndex(centre).search(frame.place(queries), k=index.probed).index
    for i, query in enumerate(queries):
        expected = ExactIndex(vectors).search(query[None], k=k, kept=np.flatnonzero(np.isin(cell, near[i])))
        np.testing.assert_array_equal(found.index[i], expected.index[0])
        np.testing.assert_array_equal(found.distance[i], expected.distance[0])


def test_the_same_rows_make_the_same_index(index: ProbedIndex, vectors: Float32Array) -> None:
    again, queries = ProbedIndex(vectors.copy()), surfaces(200, seed=4)
    np.testing.assert_array_equal(again.search(queries, k=2).index, index.search(queries, k=2).index)
    assert again.probed == index.probed


def test_a_group_is_left_out(vectors: Float32Array) -> None:
    groups = np.arange(ROWS) % 5
    bank = MemoryBank(vectors, groups, np.zeros((ROWS, 1), np.int64), index="faiss-cells")
    found = bank.search(vectors[:200], k=2, exclude_group=3)
    kept = np.flatnonzero(groups != 3)
    exact = PrunedIndex(vectors).search(vectors[:200], k=2, kept=kept)
    assert (groups[found.index] != 3).all()
    assert np.mean(found.distance[:, 0] > 1.01 * exact.distance[:, 0]) <= 0.01


def test_more_neighbours_than_the_cells_hold_are_searched_everywhere(index: ProbedIndex, vectors: Float32Array) -> None:
    k = ROWS - 1000
    found, exact = index.search(vectors[:2], k=k), PrunedIndex(vectors).search(vectors[:2], k=k)
    np.testing.assert_array_equal(found.index, exact.index)
    few = np.arange(40)  # so few rows that no cell near the query may hold one
    found = index.search(surfaces(50, seed=5), k=1, kept=few)
    assert (found.index < 40).all()
    assert np.isfinite(found.distance).all()


@pytest.mark.parametrize("value", [1e22, 1e30])
def test_far_off_queries(index: ProbedIndex, vectors: Float32Array, value: float) -> None:
    queries = np.concatenate([np.full((1, 32), value, np.float32), surfaces(3, seed=6)])
    found, exact = index.search(queries, k=2), PrunedIndex(vectors).search(queries, k=2)
    np.testing.assert_array_equal(found.distance[0], exact.distance[0])
    assert np.isfinite(found.distance).all()


def test_where_no_few_cells_are_enough_everything_is_searched() -> None:
    noise = np.random.default_rng(0).normal(size=(3000, 64)).astype(np.float32)  # no clusters at all
    index, queries = ProbedIndex(noise), np.random.default_rng(1).normal(size=(50, 64)).astype(np.float32)
    assert index.probed == 0
    np.testing.assert_array_equal(index.search(queries, k=3).index, PrunedIndex(noise).search(queries, k=3).index)


def test_many_equal_rows() -> None:
    index = ProbedIndex(np.repeat(walks(30, 8), 100, axis=0))
    found = index.search(walks(30, 8), k=2)
    assert (found.distance == 0).all()


def test_the_kind_follows_the_size_and_survives_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memory_bank.index.MOST_FOR_PRUNED", 2000)
    rows = surfaces(2500)
    bank = MemoryBank(rows[:2000], 0, np.zeros((2000, 1), np.int64))
    assert bank.index == "pruned"
    larger = bank.add(rows[2000:], 1, np.zeros((500, 1), np.int64))
    assert larger.index == "faiss-cells"
    assert larger.remove(1).index == "pruned"
    larger.save(tmp_path)
    loaded = MemoryBank.load(tmp_path)
    assert loaded.index == "faiss-cells"
    queries = surfaces(100, seed=1)
    np.testing.assert_array_equal(loaded.search(queries).distance, larger.search(queries).distance)


def test_cells_and_how_many_are_searched_are_saved(
    vectors: Float32Array, index: ProbedIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = MemoryBank(vectors, 0, np.zeros((ROWS, 1), np.int64), index="faiss-cells")
    bank.save(tmp_path / "bank")
    loaded, queries = MemoryBank.load(tmp_path / "bank"), surfaces(200, seed=8)
    for name in ("_faiss.divide", "_probed.ProbedIndex._enough_cells"):
        monkeypatch.setattr(f"memory_bank.{name}", lambda *_: pytest.fail("made again"))
    found, expected = loaded.search(queries, k=2), index.search(queries, k=2)
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.distance, expected.distance)
    loaded.save(tmp_path / "again")
    for path in (tmp_path / "bank").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_small_banks_are_searched_in_full_by_any_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_probed, "LEAST_FOR_CELLS", 50_000)
    index = make_index("faiss-cells", walks(500))
    assert isinstance(index, ProbedIndex)
    assert index.probed == 0


@pytest.mark.slow
def test_time_grows_far_less_than_the_bank() -> None:
    """A tenfold bank; the acceptance of a hundredfold one is in the benchmarks."""
    queries = surfaces(2000, seed=1)

    def seconds(rows: int) -> float:
        index = ProbedIndex(surfaces(rows))
        assert index.probed
        times = []
        for _ in range(5):
            started = time.perf_counter()
            index.search(queries, k=1)
            times.append(time.perf_counter() - started)
        return min(times)

    assert seconds(100_000) < 5 * seconds(10_000)
