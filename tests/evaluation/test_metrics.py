"""Hand-worked measures, exact intervals, and what is undefined."""

import math

import numpy as np
import pytest
from scipy import stats

from anomaly.errors import DatasetError
from anomaly.evaluation import (
    Confusion,
    Interval,
    Rate,
    Undefined,
    auroc_interval,
    average_precision,
    confusion,
    image_auroc,
    rate_interval,
)


@pytest.mark.parametrize(
    "given",
    [
        {"threshold": [1.0, 2.0, 3.0]},
        {"threshold": [[1.0], [2.0]]},
        {"threshold": np.nan},
        {"threshold": 1.0, "reinspect_above": np.nan},
        {"threshold": "high"},
    ],
)
def test_thresholds_that_do_not_fit_are_refused(given):
    with pytest.raises(DatasetError, match="threshold"):
        confusion([1.0, 2.0], [True, False], **given)


def test_confusion_by_hand():
    found = confusion([1.0, 2.0, 3.0, 2.0, 4.0], [False, False, False, True, True], threshold=2.0)
    assert found == Confusion(n_undamaged=3, n_damaged=2, false_alarms=1, misses=1)  # 2.0 is not above 2.0
    assert found.correct == 3


@pytest.mark.parametrize(("count", "n"), [(0, 30), (2, 46), (15, 30), (30, 30), (1, 1)])
def test_rate_interval_is_that_of_clopper_and_pearson(count, n):
    found = rate_interval(count, n)
    exact = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    assert isinstance(found, Rate)
    assert (found.low, found.high) == (pytest.approx(exact.low), pytest.approx(exact.high))
    assert (found.count, found.n, found.value) == (count, n, count / n)


def test_a_rate_of_nothing_is_undefined():
    assert isinstance(rate_interval(0, 0), Undefined)


@pytest.mark.parametrize(("count", "n"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(count, n):
    with pytest.raises(DatasetError):
        rate_interval(count, n)


def test_large_scores_keep_their_order():
    # torchmetrics applies a sigmoid to scores outside [0, 1]; beyond about 17 all become 1 and tie.
    scores = np.concatenate([np.linspace(20, 40, 50), np.linspace(39, 60, 50)])
    damaged = np.arange(100) >= 50
    assert image_auroc(scores, damaged) > 0.99


def test_auroc_by_hand_with_ties():
    # pairs: (2, 1) right, (2, 2) tie, (3, 1) right, (3, 2) right
    assert image_auroc([1.0, 2.0, 2.0, 3.0], [False, False, True, True]) == 3.5 / 4
    assert image_auroc([1.0, 2.0], [True, False]) == 0.0


def test_average_precision_by_hand():
    # from the top: damaged (1/1), undamaged, damaged (2/3)
    assert average_precision([3.0, 2.0, 1.0], [True, False, True]) == pytest.approx((1 + 2 / 3) / 2)


def test_delong_by_hand():
    # Undamaged 1, 3; damaged 2, 4. Placements: undamaged 1, 1/2; damaged 1/2, 1. Each variance 1/8.
    found = auroc_interval([1.0, 3.0, 2.0, 4.0], [False, False, True, True])
    assert isinstance(found, Interval)
    reach = 1.959964 * math.sqrt(1 / 16 + 1 / 16) / (0.75 * 0.25)
    assert found.value == 0.75
    assert found.low == pytest.approx(1 / (1 + math.exp(reach - math.log(3))), rel=1e-6)
    assert found.high == pytest.approx(1 / (1 + math.exp(-reach - math.log(3))), rel=1e-6)


@pytest.mark.parametrize("n", [5, 50])
def test_perfect_separation_still_has_an_interval(n):
    found = auroc_interval(np.arange(2.0 * n), np.arange(2 * n) >= n)
    assert isinstance(found, Interval)
    assert found.value == found.high == 1.0
    assert found.low < 1 - 0.5 / n
    narrower = auroc_interval(np.arange(4.0 * n), np.arange(4 * n) >= 2 * n)
    assert isinstance(narrower, Interval)
    assert narrower.low > found.low


@pytest.mark.parametrize(
    ("scores", "damaged"),
    [([1.0, 1.0, 1.0, 1.0], [False, True, False, True]), ([1.0, 2.0], [True, False]), ([2.0, 1.0, 3.0], [1, 0, 0])],
)
def test_degenerate_areas_have_wide_intervals(scores, damaged):
    found = auroc_interval(scores, np.array(damaged, dtype=bool))
    assert isinstance(found, Interval)
    assert found.high - found.low > 0.5


def test_the_interval_covers_the_true_area():
    rng = np.random.default_rng(2)
    true_area, covered, draws = stats.norm.cdf(1.5 / math.sqrt(2)), 0, 600
    damaged = np.arange(60) >= 30
    for _ in range(draws):
        found = auroc_interval(rng.normal(0, 1, 60) + 1.5 * damaged, damaged)
        assert isinstance(found, Interval)
        covered += found.low <= true_area <= found.high
    assert 0.92 <= covered / draws <= 0.98


@pytest.mark.parametrize("measure", [image_auroc, average_precision, auroc_interval])
@pytest.mark.parametrize(("damaged", "missing"), [([True, True], "undamaged"), ([False, False], "damaged")])
def test_one_class_is_undefined_and_says_which(measure, damaged, missing):
    found = measure([1.0, 2.0], damaged)
    assert isinstance(found, Undefined)
    assert f"no {missing} image" in found.reason


@pytest.mark.parametrize("measure", [image_auroc, average_precision, auroc_interval])
def test_no_image_is_undefined(measure):
    assert isinstance(measure([], []), Undefined)


@pytest.mark.parametrize("measure", [image_auroc, average_precision, auroc_interval])
@pytest.mark.parametrize(
    ("scores", "damaged"),
    [
        ([1.0, math.nan], [True, False]),
        ([1.0], [True, False]),
        ([1.0, 2.0], [1, 0]),
        ([[1.0]], [[True]]),
        (["a", "b"], [True, False]),
        ([None, object()], [True, False]),
        ([[1.0], [1.0, 2.0]], [True, False]),
        ([10**400, 1], [True, False]),
        ([1.0, 2.0], [[True], [True, False]]),
    ],
)
def test_unusable_input_is_refused(measure, scores, damaged):
    with pytest.raises(DatasetError):
        measure(scores, damaged)


@pytest.mark.parametrize("confidence", [0, 1, 95, 1 - 1e-16, 1e-17, math.nan, "0.95", None, True])
def test_an_impossible_confidence_is_refused(confidence):
    with pytest.raises(DatasetError, match="confidence"):
        auroc_interval([1.0, 2.0], [False, True], confidence=confidence)
    with pytest.raises(DatasetError, match="confidence"):
        rate_interval(1, 2, confidence=confidence)
