"""What must hold for any vectors: drawn by hypothesis, ties and duplicates included."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from memory_bank import CoresetBuilder, MemoryBank, make_index, select_coreset
from memory_bank._cells import make_cells
from memory_bank._pruned import PrunedIndex
from memory_bank._screen import frame_of
from memory_bank.types import Float32Array

# Whole numbers give ties and duplicates, the others give cancellation.
whole = st.integers(-3, 3).map(np.float32)
awkward = st.one_of(whole, st.floats(-1e6, 1e6, width=32), st.sampled_from([np.float32(1e-30), np.float32(1e15)]))


@pytest.fixture(autouse=True, scope="module")
def cells_are_used_for_few_queries() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memory_bank._pruned._WORTH_A_CELL", 0)
        yield


@st.composite
def vectors_and_queries(
    draw: st.DrawFn, elements: st.SearchStrategy[float] = awkward
) -> tuple[Float32Array, Float32Array]:
    d = draw(st.integers(1, 4))
    m, n = draw(st.integers(1, 40)), draw(st.integers(1, 25))
    rows = draw(hnp.arrays(np.float32, (m, d), elements=elements))
    return rows, draw(hnp.arrays(np.float32, (n, d), elements=elements))


def bank(vectors: Float32Array) -> MemoryBank:
    rows = np.arange(len(vectors))
    return MemoryBank(vectors, rows % 3, rows[:, None])


@given(vectors_and_queries(), st.data())
def test_every_index_answers_alike(drawn: tuple[Float32Array, Float32Array], data: st.DataObject) -> None:
    vectors, queries = drawn
    k = data.draw(st.integers(1, len(vectors)))
    exact = make_index("exact", vectors).search(queries, k=k)
    divided = PrunedIndex(vectors, cells=make_cells(frame_of(vectors).place(vectors)))
    for index in (make_index("pruned", vectors), divided):
        found = index.search(queries, k=k)
        np.testing.assert_array_equal(found.index, exact.index)
        np.testing.assert_array_equal(found.distance, exact.distance)
        assert (np.diff(found.distance, axis=1) >= 0).all()


@given(vectors_and_queries(), st.integers(1, 25))
def test_any_batching_gives_the_same_distances(drawn: tuple[Float32Array, Float32Array], batch: int) -> None:
    vectors, queries = drawn
    searched = bank(vectors)
    parts = [searched.search(queries[at : at + batch]) for at in range(0, len(queries), batch)]
    together = searched.search(queries)
    assert np.concatenate([part.distance for part in parts]).tobytes() == together.distance.tobytes()
    assert np.concatenate([part.index for part in parts]).tobytes() == together.index.tobytes()


@given(vectors_and_queries())
def test_an_added_vector_raises_no_distance(drawn: tuple[Float32Array, Float32Array]) -> None:
    vectors, queries = drawn
    before = bank(vectors).search(queries).distance
    more = bank(vectors).add(queries[:1], 9, np.zeros((1, 1), np.int64))
    after = more.search(queries).distance
    assert (after <= before).all()
    assert after[0] == 0


@given(vectors_and_queries(), st.randoms(use_true_random=False))
def test_permuting_the_bank_changes_nothing_but_indices(
    drawn: tuple[Float32Array, Float32Array], random: object
) -> None:
    vectors, queries = drawn
    order = np.arange(len(vectors))
    random.shuffle(order)  # type: ignore[attr-defined]
    plain, permuted = bank(vectors).search(queries), bank(vectors[order]).search(queries)
    np.testing.assert_array_equal(plain.distance, permuted.distance)
    found = order[permuted.index[:, 0]]
    apart = np.linalg.norm(vectors[found].astype(np.float64) - queries, axis=1)
    np.testing.assert_allclose(apart, plain.distance[:, 0], rtol=1e-6)


@given(vectors_and_queries())
def test_self_query_is_zero(drawn: tuple[Float32Array, Float32Array]) -> None:
    vectors, _ = drawn
    found = bank(vectors).search(vectors)
    assert (found.distance == 0).all()
    np.testing.assert_array_equal(vectors[found.index[:, 0]], vectors)


@given(vectors_and_queries(whole), st.integers(-20, 20))
def test_scaling_vectors_scales_distances(drawn: tuple[Float32Array, Float32Array], power: int) -> None:
    vectors, queries = drawn
    factor = np.float32(2.0**power)
    plain, scaled = bank(vectors).search(queries), bank(vectors * factor).search(queries * factor)
    np.testing.assert_array_equal(scaled.distance, plain.distance * factor)
    np.testing.assert_array_equal(scaled.index, plain.index)


@given(vectors_and_queries())
def test_removing_what_was_added_gives_the_bank_back(drawn: tuple[Float32Array, Float32Array]) -> None:
    vectors, queries = drawn
    again = bank(vectors).add(queries, 9, np.zeros((len(queries), 1), np.int64)).remove(9)
    assert again.vectors.tobytes() == vectors.tobytes()


@given(vectors_and_queries(), st.integers(1, 45), st.integers(0, 9))
def test_covering_radius(drawn: tuple[Float32Array, Float32Array], size: int, seed: int) -> None:
    vectors, _ = drawn
    coreset = select_coreset(vectors, size, seed=seed)
    assert coreset.index.shape == coreset.radius.shape == (min(size, len(vectors)),)
    assert len(np.unique(coreset.index)) == coreset.index.size
    assert (np.diff(coreset.radius) <= 0).all()
    apart = vectors[:, None].astype(np.float64) - vectors[coreset.index][None]
    distances = np.sqrt((apart**2).sum(axis=2))
    measured = [distances[:, : j + 1].min(axis=1).max() for j in range(coreset.index.size)]
    np.testing.assert_allclose(coreset.radius, measured, rtol=1e-6)
    # Each pick is the row that was farthest, so it is as far from the earlier ones as they left uncovered.
    for j in range(1, coreset.index.size):
        assert np.isclose(distances[coreset.index[j], :j].min(), coreset.radius[j - 1], rtol=1e-6, atol=0)


@given(vectors_and_queries(whole), st.integers(1, 8), st.lists(st.integers(1, 40), max_size=3))
def test_a_builder_does_not_see_the_batches(
    drawn: tuple[Float32Array, Float32Array], size: int, cuts: list[int]
) -> None:
    vectors, _ = drawn
    rows = np.arange(len(vectors))
    builder = CoresetBuilder(size, seed=0, memory_mb=64)
    for part in np.split(rows, sorted({cut for cut in cuts if cut < len(rows)})):
        builder.add(vectors[part], part, part[:, None])
    np.testing.assert_array_equal(builder.build().tags[:, 0], select_coreset(vectors, size, seed=0).index)
