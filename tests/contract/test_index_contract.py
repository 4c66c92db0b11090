"""One battery over every kind of index: each must answer as comparing everything would."""

from __future__ import annotations

import numpy as np
import pytest

from memory_bank import Neighbors, make_index
from memory_bank._cells import make_cells
from memory_bank._pruned import PrunedIndex
from memory_bank._screen import frame_of
from memory_bank.errors import EmptyBankError, NotFiniteError, UnknownIndexError
from memory_bank.index import KINDS, VectorIndex
from memory_bank.types import Float32Array, Int64Array
from tests.memory_bank.data import walks, word_counts


def compare_everything(vectors: Float32Array, queries: Float32Array, k: int) -> Neighbors:
    distance, index = [], []
    for query in queries.astype(np.float64):
        squared = [float(sum((a - b) ** 2 for a, b in zip(row, query, strict=True))) for row in vectors.tolist()]
        order = sorted(range(len(vectors)), key=lambda row: (squared[row], row))[:k]
        index.append(order)
        distance.append([np.sqrt(squared[row]) for row in order])
    return Neighbors(np.array(distance, np.float32), np.array(index, np.int64))


def same(a: Neighbors, b: Neighbors) -> None:
    np.testing.assert_array_equal(a.index, b.index)
    np.testing.assert_array_equal(a.distance, b.distance)


DIVIDED = "pruned, divided into cells"


def index_of(kind: str, vectors: Float32Array) -> VectorIndex:
    """Banks of these sizes are not divided unless one insists."""
    if kind != DIVIDED:
        return make_index(kind, vectors)
    return PrunedIndex(vectors, cells=make_cells(frame_of(vectors).place(vectors)))


@pytest.fixture(autouse=True)
def cells_are_used_for_few_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memory_bank._pruned._WORTH_A_CELL", 0)


pytestmark = pytest.mark.parametrize("kind", [*KINDS, DIVIDED])


def test_hand_worked_example(kind: str) -> None:
    rows = np.array([[0, 0], [3, 4], [6, 8]], np.float32)
    found = index_of(kind, rows).search(np.array([[0, 0], [3, 5]], np.float32), k=2)
    assert found.distance.tolist() == [[0.0, 5.0], [1.0, np.float32(np.sqrt(18))]]  # not squared
    assert found.index.tolist() == [[0, 1], [1, 2]]
    assert (found.distance.dtype, found.index.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("k", [1, 3, 40, 300])
def test_ties_go_to_the_smaller_number(kind: str, k: int) -> None:
    # Word counts are whole numbers: distances are exact and many are equal.
    vectors, queries = word_counts(300, 4), word_counts(30, 4, seed=1)
    same(index_of(kind, vectors).search(queries, k=k), compare_everything(vectors, queries, k))


def test_many_equal_rows(kind: str) -> None:
    vectors = np.concatenate([walks(50, 6), np.repeat(walks(1, 6, seed=9), 500, axis=0), walks(50, 6, seed=3)])
    queries = np.concatenate([vectors[40:60], vectors[50:51] + np.float32(0.01)])
    same(index_of(kind, vectors).search(queries, k=3), compare_everything(vectors, queries, 3))


@pytest.mark.parametrize("k", [1, 5])
def test_near_duplicates_far_from_the_origin(kind: str, k: int) -> None:
    # 1e-3 apart at a distance of 1e4: |q|² + |x|² - 2 q·x in float32 gives 0 or 4 for all of them.
    rng = np.random.default_rng(0)
    vectors = (1e4 * np.sign(rng.normal(size=(200, 8))) + 1e-3 * rng.normal(size=(200, 8))).astype(np.float32)
    queries = vectors[:40] + np.float32(2e-3)
    found = index_of(kind, vectors).search(queries, k=k)
    expected = compare_everything(vectors, queries, k)
    np.testing.assert_allclose(found.distance, expected.distance, rtol=1e-6)
    np.testing.assert_array_equal(found.index, expected.index)


def test_a_row_finds_itself_at_exactly_zero(kind: str) -> None:
    vectors = walks(500) + np.float32(1e5)
    found = index_of(kind, vectors).search(vectors, k=1)
    assert (found.distance == 0).all()
    np.testing.assert_array_equal(found.index[:, 0], np.arange(500))


def test_answers_do_not_depend_on_the_other_queries(kind: str) -> None:
    vectors, queries = walks(600, 24), walks(90, 24, seed=1)
    index = index_of(kind, vectors)
    together = index.search(queries, k=4)
    for batch in (1, 7, 33):  # FAISS computes otherwise from 20 queries on
        parts = [index.search(queries[at : at + batch], k=4) for at in range(0, 90, batch)]
        same(
            together, Neighbors(*(np.concatenate(x) for x in zip(*[(p.distance, p.index) for p in parts], strict=True)))
        )


@pytest.mark.parametrize("value", [1e15, 1e22, 1e30])
def test_far_off_queries_and_rows_are_no_padding(kind: str, value: float) -> None:
    vectors = walks(100)
    queries = np.concatenate([np.full((2, 16), value, np.float32), walks(3, seed=1)])
    same_rows = np.concatenate([vectors, queries[:1]])
    for rows in (vectors, same_rows):
        found = index_of(kind, rows).search(queries, k=2)
        assert (found.index >= 0).all()
        assert np.isfinite(found.distance).all()
        expected = compare_everything(rows, queries, 2)
        np.testing.assert_allclose(found.distance, expected.distance, rtol=1e-6)
        np.testing.assert_array_equal(found.index[2:], expected.index[2:])


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e25])
def test_scaling_vectors_scales_distances(kind: str, scale: float) -> None:
    factor = np.float32(2.0 ** np.round(np.log2(scale)))
    vectors, queries = walks(200), walks(40, seed=1)
    plain = index_of(kind, vectors).search(queries, k=3)
    scaled = index_of(kind, vectors * factor).search(queries * factor, k=3)
    np.testing.assert_array_equal(scaled.index, plain.index)
    np.testing.assert_array_equal(scaled.distance, plain.distance * factor)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 1), (9, 3)])
def test_tiny_indexes(kind: str, shape: tuple[int, int]) -> None:
    vectors = walks(*shape)
    found = index_of(kind, vectors).search(vectors, k=shape[0])
    same(found, compare_everything(vectors, vectors, shape[0]))


def test_all_rows_equal(kind: str) -> None:
    vectors = np.full((50, 3), 0.1, np.float32)
    found = index_of(kind, vectors).search(vectors[:5], k=2)
    assert found.index.tolist() == [[0, 1]] * 5
    assert (found.distance == 0).all()


def test_no_queries(kind: str) -> None:
    found = index_of(kind, walks(20)).search(walks(20)[:0], k=3)
    assert found.distance.shape == found.index.shape == (0, 3)


@pytest.mark.parametrize("kept", [None, np.arange(0, 300, 4)])
def test_what_is_proven_of_a_proposal_is_the_answer_of_a_search(kind: str, kept: Int64Array | None) -> None:
    vectors = walks(300, 6)
    queries = np.concatenate([vectors[::5], walks(40, 6, seed=1), np.full((1, 6), 1e22, np.float32)])
    index = index_of(kind, vectors)
    proposal, found = index.propose(queries, k=2, kept=kept), index.search(queries, k=2, kept=kept)
    assert np.isfinite(proposal.neighbors.distance).all()
    assert (proposal.neighbors.distance >= found.distance).all()
    if kept is not None:
        assert np.isin(proposal.neighbors.index, kept).all()
    proposal.prove(np.ones(len(queries), bool))
    assert proposal.proven.all()
    same(proposal.neighbors, found)


def test_arguments_and_kind(kind: str) -> None:
    name = kind.split(",")[0]
    assert index_of(kind, walks(4)).kind == name
    with pytest.raises(UnknownIndexError, match="exact, faiss-cells, pruned") as unknown:
        make_index(f"{kind}-2", walks(4))
    assert unknown.value.known == KINDS
    with pytest.raises(EmptyBankError):
        make_index(name, walks(4)[:0])
    with pytest.raises(NotFiniteError):
        make_index(name, np.full((2, 2), np.nan, np.float32))
