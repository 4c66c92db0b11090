"""The exact index with its cells in use: whatever it leaves out, it answers as comparing everything does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from memory_bank import MemoryBank, make_index, select_coreset, use_threads
from memory_bank._cells import LEAST_ROWS, make_cells
from memory_bank._exact import ExactIndex
from memory_bank._passes import PrunedProposal
from memory_bank._pruned import _PAUSE, PrunedIndex
from memory_bank._screen import frame_of
from memory_bank.errors import ArgumentError
from memory_bank.types import Float32Array, Neighbors
from tests.memory_bank.data import surfaces, walks, word_counts

ROWS = 4000


def divided(vectors: Float32Array) -> PrunedIndex:
    index = PrunedIndex(vectors, cells=make_cells(frame_of(vectors).place(vectors)))
    assert index._ground.cells is not None
    return index


def same(a: Neighbors, b: Neighbors) -> None:
    np.testing.assert_array_equal(a.index, b.index)
    np.testing.assert_array_equal(a.distance, b.distance)


@pytest.fixture(autouse=True)
def cells_are_used_for_few_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memory_bank._pruned._WORTH_A_CELL", 0)


@pytest.fixture(scope="module")
def vectors() -> Float32Array:
    """A coreset, as banks are: its rows lie far apart."""
    rows = surfaces(20_000, 24)
    return rows[select_coreset(rows, ROWS, seed=0).index]


@pytest.fixture(scope="module")
def queries() -> Float32Array:
    """Ordinary ones, strange ones and very strange ones."""
    parts = [surfaces(400, 24, seed=1), surfaces(40, 24, seed=2) + np.float32(1.5), walks(20, 24, seed=3)]
    return np.concatenate(parts)


@pytest.mark.parametrize("k", [1, 2, 7])
def test_answers_as_comparing_everything_does(vectors: Float32Array, queries: Float32Array, k: int) -> None:
    same(divided(vectors).search(queries, k=k), ExactIndex(vectors).search(queries, k=k))


@pytest.mark.parametrize("k", [1, 3])
def test_the_rows_of_a_group_can_be_left_out(vectors: Float32Array, k: int) -> None:
    index, exact = divided(vectors), ExactIndex(vectors)
    for kept in (np.flatnonzero(np.arange(ROWS) % 3 != 0), np.arange(10), np.arange(ROWS - 1)):
        queries = vectors[:300]  # rows of the bank, some of them left out: their own place is forbidden
        same(index.search(queries, k=k, kept=kept), exact.search(queries, k=k, kept=kept))


def test_rows_of_the_bank_find_themselves(vectors: Float32Array) -> None:
    found = divided(vectors).search(vectors, k=1)
    np.testing.assert_array_equal(found.index[:, 0], np.arange(ROWS))
    assert (found.distance == 0).all()


def test_equal_rows_and_many_ties() -> None:
    twice = np.repeat(surfaces(1500, 8), 2, axis=0)
    same(divided(twice).search(twice[:200], k=3), ExactIndex(twice).search(twice[:200], k=3))
    counts = word_counts(2500, 5)
    same(divided(counts).search(counts[:200], k=4), ExactIndex(counts).search(counts[:200], k=4))
    alike = np.full((2000, 3), 0.1, np.float32)
    found = divided(alike).search(alike[:500], k=2)
    assert found.index.tolist() == [[0, 1]] * 500


def test_one_far_off_row_blurs_no_answer(vectors: Float32Array, queries: Float32Array) -> None:
    rows = np.concatenate([vectors, np.full((1, 24), 1e9, np.float32)])
    same(divided(rows).search(queries, k=1), ExactIndex(rows).search(queries, k=1))


def test_answers_depend_on_neither_the_other_queries_nor_the_threads(
    vectors: Float32Array, queries: Float32Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = divided(vectors)
    together = index.search(queries, k=2)
    monkeypatch.setattr("memory_bank._passes._WORTH_A_THREAD", 0)
    use_threads(3)
    try:
        same(index.search(queries, k=2), together)
    finally:
        use_threads(2)
    for batch in (1, 50):
        parts = [index.search(queries[at : at + batch], k=2) for at in range(0, len(queries), batch)]
        same(Neighbors(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("distance", "index"))), together)
    monkeypatch.setattr("memory_bank._pruned._AT_A_TIME", 37)
    same(index.search(queries, k=2), together)


def test_blocks_change_nothing(vectors: Float32Array, queries: Float32Array, monkeypatch: pytest.MonkeyPatch) -> None:
    index, expected = divided(vectors), ExactIndex(vectors).search(queries, k=2)
    sizes = {"_PRODUCT": 1, "_PAIRS": 1, "_FEWEST": 3, "_MOST": 5}
    blocks = {f"_passes.{name}": value for name, value in sizes.items()} | {"_exact._PAIRS_BLOCK": 64}
    for name, value in blocks.items():
        monkeypatch.setattr(f"memory_bank.{name}", value)
        same(index.search(queries, k=2), expected)


def test_what_was_made_ready_for_one_search_serves_the_others(vectors: Float32Array, queries: Float32Array) -> None:
    index, exact = divided(vectors), ExactIndex(vectors)
    kept = np.flatnonzero(np.arange(ROWS) % 5 != 0)
    for _ in range(2):
        for k in (1, 3, 1200, 1):  # 1,200: more than are listed for a cell
            same(index.search(queries[-50:], k=k), exact.search(queries[-50:], k=k))
        same(index.search(queries[-50:], k=2, kept=kept), exact.search(queries[-50:], k=2, kept=kept))
    assert index._ground.keep
    assert len(index._ground._ready) > 3


def test_most_rows_are_never_looked_at(vectors: Float32Array) -> None:
    index = divided(vectors)
    cells = index._ground.cells
    assert cells is not None
    assert np.mean([rows.size for rows in cells.listed]) < 0.25 * ROWS
    queries = surfaces(1000, 24, seed=5)
    second = PrunedProposal(vectors, index._ground, queries, 1, prove=True).compared
    assert 0 < second < 0.25 * ROWS * len(queries)


def test_cells_that_rule_nothing_out_are_left_alone_for_a_while(vectors: Float32Array, queries: Float32Array) -> None:
    index, exact = divided(vectors), ExactIndex(vectors)
    far = queries + np.float32(9)  # about as far from every row
    index.search(queries[:100], k=1)
    assert index._pause == 0
    same(index.search(far, k=1), exact.search(far, k=1))
    assert index._pause == _PAUSE
    same(index.search(queries, k=2), exact.search(queries, k=2))
    assert index._pause == _PAUSE - 1
    for _ in range(_PAUSE - 1):
        index.search(queries[:1], k=1)
    same(index.search(queries, k=1), exact.search(queries, k=1))
    assert index._pause == 0


@pytest.mark.parametrize("k", [1, 3])
def test_proposals_are_bounds_nearly_always_right_and_proven_where_wanted(
    vectors: Float32Array, queries: Float32Array, k: int
) -> None:
    exact, proposal = ExactIndex(vectors).search(queries, k=k), divided(vectors).propose(queries, k=k)
    first = proposal.neighbors
    assert not proposal.proven.all()
    assert (first.distance >= exact.distance).all()
    assert 0.9 < np.mean((first.index == exact.index).all(axis=1)) < 1
    which = np.arange(len(queries)) % 3 == 0
    proposal.prove(which)
    assert proposal.proven[which].all()
    assert not proposal.proven.all()
    for name in ("distance", "index"):
        found, right, before = (getattr(of, name) for of in (proposal.neighbors, exact, first))
        np.testing.assert_array_equal(found[proposal.proven], right[proposal.proven])
        np.testing.assert_array_equal(found[~proposal.proven], before[~proposal.proven])
    proposal.prove(np.ones(len(queries), bool))
    same(proposal.neighbors, exact)


def test_what_is_known_of_a_proposal_stays_as_it_was(vectors: Float32Array, queries: Float32Array) -> None:
    proposal = divided(vectors).propose(queries, k=1)
    known = proposal.neighbors
    held = known.distance.copy()
    proposal.prove(np.ones(len(queries), bool))
    assert (proposal.neighbors.distance != held).any()
    np.testing.assert_array_equal(known.distance, held)


def test_a_proposal_is_the_same_with_any_threads_and_before_and_after_other_searches(
    vectors: Float32Array, queries: Float32Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = PrunedIndex(vectors)  # no cells yet
    first = fresh.propose(queries, k=1)
    fresh.search(queries + np.float32(9), k=1)  # rules nothing out
    assert fresh._pause == _PAUSE
    monkeypatch.setattr("memory_bank._passes._WORTH_A_THREAD", 0)
    for index in (fresh, divided(vectors)):
        again = index.propose(queries, k=1)
        same(again.neighbors, first.neighbors)
        np.testing.assert_array_equal(again.proven, first.proven)


def test_threads_that_ask_while_the_cells_are_made_get_the_same_answers(
    vectors: Float32Array, queries: Float32Array
) -> None:
    expected, index = ExactIndex(vectors).search(queries, k=1), PrunedIndex(vectors)
    with ThreadPoolExecutor(4, initializer=use_threads, initargs=(1,)) as pool:
        for found in pool.map(lambda _: index.search(queries, k=1), range(24)):
            same(found, expected)
    assert index._ground.cells is not None


def test_cells_are_made_once_as_many_queries_have_come_as_there_are_rows(vectors: Float32Array) -> None:
    index = PrunedIndex(vectors)
    index.search(vectors, k=1)
    assert index._ground.cells is None
    index.search(vectors[:1], k=1)
    assert index._ground.cells is not None
    small = PrunedIndex(vectors[: LEAST_ROWS - 1])
    assert small.arrays() == {}


def test_saved_cells_are_used(vectors: Float32Array, queries: Float32Array) -> None:
    arrays = PrunedIndex(vectors).arrays()
    again = make_index("pruned", vectors, saved=arrays)
    assert isinstance(again, PrunedIndex)
    assert again._ground.cells is not None
    same(again.search(queries, k=2), ExactIndex(vectors).search(queries, k=2))
    for name in arrays:
        np.testing.assert_array_equal(again.arrays()[name], arrays[name])


def test_arrays_that_are_no_cells_of_these_rows_are_refused(vectors: Float32Array) -> None:
    arrays = PrunedIndex(vectors).arrays()
    cell = arrays["cell"]
    wrong = (
        {"x": cell}, {"centre": arrays["centre"]}, arrays | {"probed": cell[:1]}, arrays | {"cell": cell + np.int32(1)},
        arrays | {"cell": cell.astype(np.float64)}, arrays | {"cell": cell.tolist()}, arrays | {"cell": -1 - cell},
        arrays | {"centre": np.float32(1).reshape(())}, arrays | {"gap": arrays["gap"][1:]},
    )  # fmt: skip
    for saved in wrong:
        with pytest.raises(ArgumentError, match="saved: expected what arrays"):
            make_index("pruned", vectors, saved=saved)
    for fewer in (vectors[1:], np.ascontiguousarray(vectors[:, 1:])):
        with pytest.raises(ArgumentError, match=f"these {len(fewer)} vectors of size {fewer.shape[1]}"):
            make_index("pruned", fewer, saved=arrays)
    for kind in ("faiss-cells", "exact"):
        with pytest.raises(ArgumentError, match=f"{kind} .*'centre', 'cell', 'near', 'gap'"):
            make_index(kind, vectors, saved=arrays)


def test_the_former_name_still_works(vectors: Float32Array) -> None:
    bank = MemoryBank(vectors[:50], 0, np.zeros((50, 1), np.int64), index="faiss-flat")
    assert bank.index == "pruned"
    assert make_index("faiss-flat", vectors[:50]).kind == "pruned"
