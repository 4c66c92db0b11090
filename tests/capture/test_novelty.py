from __future__ import annotations

import math

import numpy as np
import pytest

from anomaly.capture.novelty import Novelty, left_out_log_distances


def test_against_the_plain_formula() -> None:
    random = np.random.default_rng(0)
    rows, query = random.normal(size=(7, 11)), random.normal(size=11)
    scale = rows.std(axis=0) + 0.1 * rows.std(axis=0).mean() + 1e-9
    standard, z = (rows - rows.mean(axis=0)) / scale, (query - rows.mean(axis=0)) / scale
    covariance = 0.7 * standard.T @ standard / 7 + 0.3 * np.eye(11)
    expected = 0.5 * math.log(z @ np.linalg.inv(covariance) @ z / 11)
    assert Novelty(rows).log_distance(query) == pytest.approx(expected)


def test_left_out_is_left_out() -> None:
    rows = np.random.default_rng(0).normal(size=(6, 4))
    found = left_out_log_distances(rows)
    assert found[2] == pytest.approx(Novelty(rows[[0, 1, 3, 4, 5]]).log_distance(rows[2]))


def test_a_direction_in_which_pictures_never_vary_counts_more() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(40, 10))
    rows[:, 1] = rows[:, 0] + 0.01 * random.normal(size=40)
    along, across = np.zeros(10), np.zeros(10)
    along[:2], across[:2] = (1.0, 1.0), (1.0, -1.0)
    novelty = Novelty(rows)
    assert novelty.log_distance(3 * across) > novelty.log_distance(3 * along)
