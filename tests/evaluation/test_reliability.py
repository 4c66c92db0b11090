"""Probabilities held against what happened."""

from __future__ import annotations

import numpy as np
import pytest

from anomaly.errors import DatasetError
from anomaly.evaluation import Interval, Reliability, Undefined, reliability


def test_by_hand():
    found = reliability([0.15, 0.15, 0.85, 0.85], [False, True, True, True])
    assert isinstance(found, Reliability)
    assert found.error == pytest.approx((abs(0.5 - 0.15) * 2 + 0.15 * 2) / 4)
    assert found.brier == pytest.approx((0.15**2 + 3 * 0.85**2 * 0 + 0.85**2 + 2 * 0.15**2) / 4)
    assert [(b.probability, b.damaged.count, b.damaged.n) for b in found.bins] == [
        (pytest.approx(0.15), 1, 2), (pytest.approx(0.85), 2, 2),
    ]  # fmt: skip


def test_certainty_stands_in_the_last_bin():
    found = reliability([0.0, 1.0], [False, True])
    assert isinstance(found, Reliability)
    assert (found.error, found.brier, found.error_if_perfect) == (0.0, 0.0, 0.0)
    assert isinstance(found.error_interval, Undefined)


def test_perfect_probabilities_err_by_chance_and_wrong_ones_by_more():
    rng = np.random.default_rng(0)
    said = rng.random(400)
    right = reliability(said, rng.random(400) < said)
    wrong = reliability(said, rng.random(400) < said**4)
    assert isinstance(right.error_interval, Interval)
    assert right.error_if_perfect / 2 < right.error < 2 * right.error_if_perfect
    assert wrong.error_interval.low > 2 * wrong.error_if_perfect


def test_nothing_is_undefined_and_nonsense_refused():
    assert isinstance(reliability([], []), Undefined)
    with pytest.raises(DatasetError):
        reliability([0.5], [True, False])
