"""Scores of the parts of one picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.errors import AnomalyError
from anomaly.scoring import image_score, part_scores
from anomaly.types import Float32Array


def two_parts() -> tuple[Float32Array, np.ndarray]:
    labels = np.zeros((20, 30), dtype=np.int32)
    labels[4:16, 3:12] = 1
    labels[4:16, 18:27] = 2
    return np.ones((20, 30), dtype=np.float32), labels


def test_a_strange_part_has_the_score_of_the_image_and_its_neighbour_an_ordinary_one():
    grid_map, labels = two_parts()
    grid_map[8:11, 20:24] = 5.0
    first, second = part_scores(grid_map, labels, count=2, top_share=0.01)
    assert second == image_score(grid_map, top_share=0.01) == 5.0
    assert first == 1.0


def test_what_stands_out_from_a_part_by_one_cell_belongs_to_it():
    grid_map, labels = two_parts()
    grid_map[3, 3:12] = 5.0
    assert part_scores(grid_map, labels, count=2, top_share=0.01) == (5.0, 1.0)


def test_damage_far_from_all_parts_belongs_to_none():
    grid_map, labels = two_parts()
    grid_map[:2] = 9.0
    assert part_scores(grid_map, labels, count=2, top_share=0.01) == (1.0, 1.0)


def test_no_part_no_score():
    grid_map, labels = two_parts()
    assert part_scores(grid_map, np.zeros_like(labels), count=0, top_share=0.01) == ()


@given(seed=st.integers(0, 10_000), share=st.floats(0.001, 1.0))
def test_no_part_scores_above_the_image(seed: int, share: float):
    random = np.random.default_rng(seed)
    grid_map = random.exponential(size=(12, 17)).astype(np.float32)
    labels = random.integers(0, 4, size=(12, 17)).astype(np.int32)
    scores = part_scores(grid_map, labels, count=3, top_share=share)
    assert len(scores) == 3
    assert max(scores) <= image_score(grid_map, top_share=share)


def test_labels_of_another_shape_are_refused():
    grid_map, labels = two_parts()
    with pytest.raises(AnomalyError, match=r"expected labels of the map's shape \(20, 30\), got \(20, 29\)"):
        part_scores(grid_map, labels[:, 1:], count=2, top_share=0.01)
