from __future__ import annotations

import numpy as np
import pytest

from memory_bank import _net
from memory_bank._exact import squared_distances
from memory_bank._net import net_of
from memory_bank.types import Float32Array
from tests.memory_bank.data import surfaces, walks, word_counts


def leaders(vectors: Float32Array, radius: float) -> list[int]:
    """Return what the leader algorithm chooses, row by row as it is told."""
    chosen: list[int] = []
    for row, vector in enumerate(vectors):
        if not chosen or squared_distances(vectors[chosen], vector).min() > radius**2:
            chosen.append(row)
    return chosen


def test_a_hand_worked_example() -> None:
    line = np.array([[0.0], [1.0], [1.5], [2.5], [0.5], [4.0]], np.float32)
    # 1 is as far from 0 as the radius; 1.5 is farther; 2.5 is as far from 1.5 as that; 4 is the next.
    np.testing.assert_array_equal(net_of(line, 1.0), [0, 2, 5])


@pytest.mark.parametrize("block", [1, 7, 512])
@pytest.mark.parametrize(
    ("vectors", "radius"),
    [
        (word_counts(700), 4.0),  # distances that are whole roots: many pairs exactly at the radius
        (word_counts(700), float(np.sqrt(np.float64(23)))),
        (walks(900, 5), 3.0),
        (walks(300, 5) * np.float32(1e-18) + np.float32(1), 1e-18),  # equal in float32
        (surfaces(1500), 2.5),
        (walks(200, 3) * np.float32(1e15), 4e15),
        (walks(50, 3), 1e9),
        (walks(50, 3), 1e-9),
    ],
)
def test_chooses_what_the_algorithm_says(
    vectors: Float32Array, radius: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_net, "_BLOCK", block)
    np.testing.assert_array_equal(net_of(vectors, radius), leaders(vectors, radius))


def test_none_is_left_far_and_the_chosen_are_apart() -> None:
    vectors, radius = surfaces(3000), 2.0
    chosen = net_of(vectors, radius)
    assert 100 < chosen.size < 3000
    for row, vector in enumerate(vectors):
        squared = squared_distances(vectors[chosen], vector)
        assert squared.min() <= radius**2
        if row in chosen:
            assert np.count_nonzero(squared <= radius**2) == 1
