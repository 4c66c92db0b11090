from __future__ import annotations

import math

import numpy as np
import pytest

from anomaly.capture import MEASURES, capture_sample
from tests.capture.samples import QUALITY


def test_a_picture_as_numbers() -> None:
    grid = np.arange(64, dtype=np.float32).reshape(8, 8) + 1
    sample = capture_sample(QUALITY, grid, [np.ones(3, np.float32), np.zeros(2, np.float32)], 1.5)
    assert tuple(sample.measures) == MEASURES
    assert sample.measures["log_area"] == pytest.approx(math.log(640 * 480))
    assert sample.measures["log_typical"] == pytest.approx(math.log(np.quantile(grid, 0.25)))
    assert sample.strangeness[0, 0] == pytest.approx(grid[:2, :2].mean())
    assert sample.strangeness[3, 3] == pytest.approx(grid[6:, 6:].mean())
    assert sample.embedding.tolist() == [1, 1, 1, 0, 0]
    assert sample.score == 1.5


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (5, 4), (28, 40)])
def test_every_cell_has_a_value(shape: tuple[int, int]) -> None:
    sample = capture_sample(QUALITY, np.ones(shape, np.float32), [np.zeros(2, np.float32)], 1.0)
    assert np.array_equal(sample.strangeness, np.ones((4, 4), np.float32))


def test_local_damage_hardly_moves_the_typical_patch() -> None:
    grid = np.random.default_rng(0).uniform(0.5, 1.0, (20, 20)).astype(np.float32)
    damaged = grid.copy()
    damaged[3:8, 4:9] = 9.0
    before, after = (
        capture_sample(QUALITY, g, [np.zeros(2, np.float32)], 1.0).measures["log_typical"] for g in (grid, damaged)
    )
    assert after - before < 0.05
