from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import memory_bank
from memory_bank import MemoryBank, MemoryBankError, use_threads
from memory_bank import errors as error_module
from memory_bank.errors import (
    ArgumentError,
    DimensionError,
    DtypeError,
    EmptyBankError,
    NotFiniteError,
    ShapeError,
    TooFewRowsError,
    UnknownGroupError,
    UnknownIndexError,
)
from tests.memory_bank.data import bank_of, walks, word_counts


def test_hand_worked_example() -> None:
    bank = MemoryBank(
        np.array([[0, 0], [3, 4], [6, 8]], np.float32),
        np.array([1, 1, 2]),
        np.array([[10], [11], [12]]),
    )
    found = bank.search(np.array([[0, 0]], np.float32))
    assert found.distance.shape == found.index.shape == (1, 1)  # two axes, also for k = 1
    found = bank.search(np.array([[0, 0]], np.float32), k=3)
    assert found.distance.tolist() == [[0.0, 5.0, 10.0]]  # Euclidean, not squared
    assert bank.tags[found.index[0, 2]].tolist() == [12]
    found = bank.search(np.array([[0, 0]], np.float32), exclude_group=1)
    assert (found.distance.item(), found.index.item()) == (10.0, 2)
    assert (len(bank), bank.dim, bank.index) == (3, 2, "pruned")
    assert repr(bank) == "MemoryBank(3 rows of size 2, index='pruned')"


class TestImmutable:
    def test_arrays_cannot_be_changed(self) -> None:
        bank = bank_of(walks(30))
        for array in (bank.vectors, bank.groups, bank.tags):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0
            with pytest.raises(ValueError, match="WRITEABLE"):
                array.flags.writeable = True

    def test_the_callers_arrays_are_not_kept(self) -> None:
        vectors, groups, tags = walks(30), np.arange(30), np.zeros((30, 1), np.int64)
        bank = MemoryBank(vectors, groups, tags)
        before = bank.search(walks(5, seed=1))
        vectors[:], groups[:], tags[:] = 0, 0, 5
        after = bank.search(walks(5, seed=1))
        np.testing.assert_array_equal(before.distance, after.distance)
        assert bank.groups[-1] == 29
        assert bank.tags.max() == 0
        assert vectors.flags.writeable

    def test_dtypes_and_layout(self) -> None:
        bank = MemoryBank(np.asfortranarray(walks(30)), np.zeros(30, np.int32), np.zeros((30, 2), np.uint8).T.copy().T)
        assert bank.vectors.flags.c_contiguous
        assert [a.dtype for a in (bank.vectors, bank.groups, bank.tags)] == [np.float32, np.int64, np.int64]

    def test_no_tags_at_all(self) -> None:
        assert MemoryBank(walks(3), 0, np.zeros((3, 0), np.int64)).tags.shape == (3, 0)


@pytest.mark.parametrize("index", ["pruned", "exact"])
class TestExcludeGroup:
    def test_is_the_search_of_a_bank_without_it(self, index: str) -> None:
        vectors = word_counts(120)
        bank = bank_of(vectors, index=index)
        for group in (0, 5, 11):
            found = bank.search(vectors[:40], k=4, exclude_group=group)
            smaller = bank.remove(group).search(vectors[:40], k=4)
            np.testing.assert_array_equal(found.distance, smaller.distance)
            np.testing.assert_array_equal(bank.tags[found.index], bank.remove(group).tags[smaller.index])
            assert group not in bank.groups[found.index]

    def test_a_group_that_is_not_there_excludes_nothing(self, index: str) -> None:
        bank = bank_of(walks(50), index=index)
        queries = walks(9, seed=1)
        np.testing.assert_array_equal(bank.search(queries, exclude_group=99).index, bank.search(queries).index)

    def test_counts_only_the_rows_that_are_left(self, index: str) -> None:
        bank = bank_of(walks(30), index=index)
        assert bank.search(walks(2), k=20, exclude_group=0).index.shape == (2, 20)
        with pytest.raises(TooFewRowsError, match="at most 20, the rows to search of 30, got 21") as few:
            bank.search(walks(2), k=21, exclude_group=0)
        assert (few.value.available, few.value.needed) == (20, 21)
        with pytest.raises(TooFewRowsError):
            MemoryBank(walks(3), 7, np.zeros((3, 1), np.int64)).search(walks(1), exclude_group=7)


@pytest.mark.parametrize("index", ["pruned", "exact"])
class TestProposals:
    @pytest.mark.parametrize("group", [None, 3, 99])
    def test_proven_they_are_the_answers_of_a_search(self, index: str, group: int | None) -> None:
        bank, queries = bank_of(walks(200), index=index), walks(60, seed=1)
        proposal, found = (ask(queries, k=3, exclude_group=group) for ask in (bank.propose, bank.search))
        proposal.prove(np.ones(60, bool))
        np.testing.assert_array_equal(proposal.neighbors.distance, found.distance)
        np.testing.assert_array_equal(proposal.neighbors.index, found.index)

    def test_they_are_refused_as_a_search_is(self, index: str) -> None:
        bank = bank_of(walks(30), index=index)
        with pytest.raises(TooFewRowsError):
            bank.propose(walks(2), k=21, exclude_group=0)
        with pytest.raises(DimensionError):
            bank.propose(walks(2, 5))

    def test_marks_that_are_not_those_of_the_queries_are_refused(self, index: str) -> None:
        proposal = bank_of(walks(2000), index=index).propose(walks(7, seed=1))
        for which in (np.ones(6, bool), np.ones((7, 1), bool)):
            with pytest.raises(ShapeError, match=r"which: expected shape \(7,\)"):
                proposal.prove(which)
        with pytest.raises(DtypeError, match="which: expected an array of bool"):
            proposal.prove(np.arange(7))  # type: ignore[arg-type]


@pytest.mark.parametrize("index", ["pruned", "exact"])
class TestRefusals:
    def test_k_larger_than_the_bank_is_not_padded(self, index: str) -> None:
        bank = bank_of(walks(8), index=index)
        assert bank.search(walks(1), k=8).index.min() == 0
        with pytest.raises(TooFewRowsError) as few:
            bank.search(walks(1), k=9)
        assert (few.value.available, few.value.needed) == (8, 9)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e31])
    def test_rows_that_are_not_finite_do_not_vanish(self, index: str, value: float) -> None:
        bad = walks(6)
        bad[4, 2] = value
        with pytest.raises(NotFiniteError, match=r"queries: .* row 4") as not_finite:
            bank_of(walks(8), index=index).search(bad)
        assert not_finite.value.rows == (4,)
        with pytest.raises(NotFiniteError):
            bank_of(bad, index=index)
        with pytest.raises(NotFiniteError):
            bank_of(walks(8), index=index).add(bad, 1, np.zeros((6, 2), np.int64))

    def test_wrong_dimension_is_named(self, index: str) -> None:
        bank = bank_of(walks(8, 16), index=index)
        with pytest.raises(DimensionError, match="size 16, got 12") as wrong:
            bank.search(walks(3, 12))
        assert (wrong.value.expected, wrong.value.got) == (16, 12)
        with pytest.raises(DimensionError):
            bank.add(walks(3, 12), 1, np.zeros((3, 2), np.int64))

    def test_wrong_shape_and_dtype(self, index: str) -> None:
        bank = bank_of(walks(8), index=index)
        with pytest.raises(ShapeError, match=r"\(n, d\)"):
            bank.search(walks(8)[0])
        with pytest.raises(DtypeError, match="float32, got an array of float64"):
            bank.search(walks(8).astype(np.float64))  # type: ignore[arg-type]
        for k in (0, -1, 1.0, True):
            with pytest.raises(ArgumentError, match="k: expected a whole number of at least 1"):
                bank.search(walks(2), k=k)  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="exclude_group"):
            bank.search(walks(2), exclude_group="3")  # type: ignore[arg-type]

    def test_at_construction(self, index: str) -> None:
        good, tags = walks(8), np.zeros((8, 1), np.int64)
        with pytest.raises(EmptyBankError):
            MemoryBank(good[:0], 0, tags[:0], index=index)
        with pytest.raises(ShapeError, match="groups"):
            MemoryBank(good, np.arange(7), tags, index=index)
        with pytest.raises(ShapeError, match="tags"):
            MemoryBank(good, 0, tags[:, 0], index=index)
        with pytest.raises(DtypeError, match="groups"):
            MemoryBank(good, np.zeros(8), tags, index=index)  # type: ignore[arg-type]
        with pytest.raises(DtypeError, match="uint64"):
            MemoryBank(good, 0, tags.astype(np.uint64), index=index)  # type: ignore[arg-type]
        with pytest.raises(DtypeError, match="groups"):
            MemoryBank(good, 2**64, tags, index=index)
        with pytest.raises(UnknownIndexError, match=r"auto, .*hnsw"):
            MemoryBank(good, 0, tags, index="hnsw")
        with pytest.raises(UnknownIndexError, match=r"got \[\]"):
            MemoryBank(good, 0, tags, index=[])  # type: ignore[arg-type]

    def test_masks_are_not_overlooked(self, index: str) -> None:
        good, tags = walks(8), np.zeros((8, 1), np.int64)
        holed = good.copy()
        holed[3] = np.nan
        with pytest.raises(DtypeError, match="without a mask, got MaskedArray"):
            MemoryBank(np.ma.masked_invalid(holed), 0, tags, index=index)
        with pytest.raises(DtypeError, match=r"queries: .*mask"):
            MemoryBank(good, 0, tags, index=index).search(np.ma.masked_invalid(holed))
        with pytest.raises(DtypeError, match=r"tags: .*mask"):
            MemoryBank(good, 0, np.ma.masked_equal(tags, 0), index=index)


class TestAddAndRemove:
    def test_add_appends_and_leaves_the_old_bank_alone(self) -> None:
        bank = bank_of(walks(30))
        larger = bank.add(walks(4, seed=1), 77, np.ones((4, 2), np.int64))
        assert (len(bank), len(larger)) == (30, 34)
        assert larger.groups[30:].tolist() == [77] * 4
        assert larger.search(walks(4, seed=1)).index[:, 0].tolist() == [30, 31, 32, 33]
        np.testing.assert_array_equal(larger.vectors[:30], bank.vectors)
        with pytest.raises(ShapeError, match="tags"):
            bank.add(walks(4), 77, np.ones((4, 3), np.int64))

    def test_remove_undoes_add(self) -> None:
        bank = bank_of(walks(30), index="exact")
        again = bank.add(walks(4, seed=1), 77, np.ones((4, 2), np.int64)).remove(77)
        np.testing.assert_array_equal(again.vectors, bank.vectors)
        np.testing.assert_array_equal(again.tags, bank.tags)
        assert again.index == "exact"

    def test_remove_several(self) -> None:
        bank = bank_of(walks(30))
        assert set(bank.remove([0, 2]).groups.tolist()) == {1}
        assert set(bank.remove(np.array([1])).groups.tolist()) == {0, 2}
        assert len(bank.remove([])) == 30

    def test_the_least_group_is_one_like_any_other(self) -> None:
        least = -(2**63)
        bank = bank_of(walks(30)).add(walks(2), least, np.ones((2, 2), np.int64))
        assert len(bank.remove(np.array(least))) == 30
        assert bank.search(walks(1), exclude_group=least).index[0, 0] < 30

    def test_remove_refuses(self) -> None:
        bank = bank_of(walks(30))
        with pytest.raises(UnknownGroupError, match="got 8") as unknown:
            bank.remove([1, 9, 8])
        assert unknown.value.groups == (8, 9)
        with pytest.raises(EmptyBankError, match="every group"):
            bank.remove([0, 1, 2])
        with pytest.raises(ArgumentError, match="groups"):
            bank.remove("01")  # type: ignore[arg-type]


def test_public_names() -> None:
    assert memory_bank.__all__ == sorted(memory_bank.__all__)
    assert all(hasattr(memory_bank, name) for name in memory_bank.__all__)


def test_every_error_is_in_the_tree_and_in_its_picture() -> None:
    drawn = inspect.getdoc(error_module)
    assert drawn is not None
    for name, error in inspect.getmembers(error_module, inspect.isclass):
        if error.__module__ == error_module.__name__:
            assert issubclass(error, MemoryBankError)
            assert name in drawn


def test_errors_come_through_to_another_process() -> None:
    with pytest.raises(TooFewRowsError) as few:
        bank_of(walks(8)).search(walks(1), k=9)
    again = pickle.loads(pickle.dumps(few.value))
    assert (type(again), str(again), again.needed) == (TooFewRowsError, str(few.value), 9)


def test_import_is_light_and_faiss_waits_for_a_large_bank() -> None:
    code = """
import sys, warnings
warnings.simplefilter("error")
import numpy as np
import memory_bank
heavy = {"faiss", "torch", "PIL", "sklearn", "scipy", "anomaly", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
bank = memory_bank.MemoryBank(np.eye(9, dtype=np.float32), 0, np.zeros((9, 1), np.int64))
assert bank.search(np.eye(9, dtype=np.float32)).distance.max() == 0
assert "faiss" not in sys.modules
memory_bank.make_index("faiss-cells", bank.vectors)
assert "faiss" not in sys.modules
memory_bank._probed.LEAST_FOR_CELLS = 100
memory_bank.make_index("faiss-cells", np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32))
assert "faiss" in sys.modules and "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_threads_that_search_at_a_time_get_the_same_answers() -> None:
    bank, queries = bank_of(walks(3000)), walks(400, seed=1)
    expected = bank_of(walks(3000)).search(queries, k=3)
    with ThreadPoolExecutor(4, initializer=use_threads, initargs=(1,)) as pool:
        for found in pool.map(lambda _: bank.search(queries, k=3), range(12)):
            np.testing.assert_array_equal(found.index, expected.index)
            np.testing.assert_array_equal(found.distance, expected.distance)


def test_no_threads_are_refused() -> None:
    with pytest.raises(ArgumentError, match="count: expected a whole number of at least 1, got 0"):
        use_threads(0)
