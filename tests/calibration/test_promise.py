"""A promised rate holds with the stated confidence, or is refused with the number of images needed."""

import math

import numpy as np
import pytest
from scipy import stats

from anomaly.calibration import (
    best_possible_rate,
    images_needed,
    max_false_alarm_threshold,
    max_miss_threshold,
)
from anomaly.errors import CalibrationError, PromiseNotPossibleError


@pytest.mark.parametrize(
    ("target", "confidence", "needed"),
    [(0.05, 0.95, 59), (0.01, 0.95, 299), (0.1, 0.9, 22), (0.5, 0.5, 1), (0.25, 0.75, 5), (0.5, 0.75, 2)],
)
def test_images_needed(target, confidence, needed):
    assert images_needed(target, confidence=confidence) == needed


def test_best_possible_rate_is_what_the_images_can_promise():
    best = best_possible_rate(59, confidence=0.95)
    assert best == pytest.approx(1 - 0.05 ** (1 / 59))
    assert images_needed(best, confidence=0.95) == 59
    assert best_possible_rate(0, confidence=0.95) == 1.0


@pytest.mark.parametrize("n", [59, 92, 93, 124, 300])
def test_as_many_errors_are_allowed_as_the_binomial_law_allows(n):
    scores = np.arange(float(n))
    allowed = max(k for k in range(n) if stats.binom.cdf(k, n, 0.05) <= 0.05)
    flagged = int(np.sum(scores > max_false_alarm_threshold(scores, target=0.05, confidence=0.95)))
    missed = int(np.sum(scores <= max_miss_threshold([], scores, target=0.05, confidence=0.95)))
    assert flagged == missed == allowed


def test_refusal_says_what_is_needed_and_what_is_possible():
    with pytest.raises(PromiseNotPossibleError, match="needs 59 damaged") as caught:
        max_miss_threshold([1.0], np.arange(46.0), target=0.05, confidence=0.95)
    assert caught.value.needed == 59
    assert caught.value.best_possible == pytest.approx(1 - 0.05 ** (1 / 46))
    stated = float(str(caught.value).split("ask for ")[1].split()[0])
    assert max_miss_threshold([1.0], np.arange(46.0), target=stated, confidence=0.95) < 0


def test_no_image_at_all_is_refused():
    with pytest.raises(PromiseNotPossibleError, match=r"got 0; label 59 more$") as caught:
        max_miss_threshold([1.0], [], target=0.05, confidence=0.95)
    assert caught.value.best_possible == 1.0


@pytest.mark.parametrize("decimals", [0, 1, 12])
@pytest.mark.parametrize(("n", "target"), [(60, 0.05), (100, 0.05), (80, 0.1)])
def test_the_promise_holds_under_known_laws(n, target, decimals):
    rng = np.random.default_rng(n)
    kept_alarm, kept_miss, draws = 0, 0, 600
    grid = np.round(stats.gamma(4).rvs(size=100_000, random_state=rng), decimals)
    grid.sort()
    for _ in range(draws):
        scores = np.round(stats.gamma(4).rvs(size=n, random_state=rng), decimals)
        high = max_false_alarm_threshold(scores, target=target, confidence=0.95)
        low = max_miss_threshold([], scores, target=target, confidence=0.95)
        kept_alarm += 1 - np.searchsorted(grid, high, side="right") / grid.size <= target
        kept_miss += np.searchsorted(grid, low, side="right") / grid.size <= target
    slack = 3 * math.sqrt(0.95 * 0.05 / draws)
    assert kept_alarm / draws >= 0.95 - slack
    assert kept_miss / draws >= 0.95 - slack


def test_thresholds_keep_off_the_other_class():
    undamaged, damaged = np.arange(60.0), np.array([58.5, 59.25, 59.5, 80.0])
    threshold = max_false_alarm_threshold(undamaged, damaged, target=0.05, confidence=0.95)
    assert 59 < threshold < 59.25


@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_an_impossible_confidence_is_refused(confidence):
    with pytest.raises(CalibrationError, match="confidence"):
        images_needed(0.05, confidence=confidence)
