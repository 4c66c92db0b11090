"""The threshold lies between scores, errs least and moves with the scale of the scores."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.calibration import accuracy_threshold, cost_threshold, false_alarm_threshold
from anomaly.errors import CalibrationError

SCORES = st.lists(st.integers(0, 12).map(lambda n: n / 4), min_size=1, max_size=12)


def errors_at(threshold, undamaged, damaged, miss_cost=1.0):
    return np.sum(np.array(undamaged) > threshold) + miss_cost * np.sum(np.array(damaged) <= threshold)


def fewest_by_hand(undamaged, damaged, miss_cost=1.0):
    return min(errors_at(t, undamaged, damaged, miss_cost) for t in [-math.inf, *undamaged, *damaged])


@given(SCORES, SCORES, st.sampled_from([0.1, 1.0, 10.0]), st.just([]) | SCORES)
def test_no_threshold_errs_less_and_it_is_on_no_score(undamaged, damaged, miss_cost, left_out):
    threshold = cost_threshold(undamaged, damaged, miss_cost=miss_cost, left_out_scores=left_out)
    assert math.isfinite(threshold)
    assert threshold not in undamaged + damaged
    found = errors_at(threshold, undamaged, damaged, miss_cost)
    assert found == pytest.approx(fewest_by_hand(undamaged, damaged, miss_cost))


@given(SCORES, SCORES, st.integers(-20, 20))
def test_scaling_the_scores_scales_the_threshold(undamaged, damaged, power):
    if max(undamaged + damaged) == 0:
        return  # no unit to scale: all scores are zero
    scale = 2.0**power
    scaled = accuracy_threshold(np.array(undamaged) * scale, np.array(damaged) * scale)
    assert scaled == accuracy_threshold(undamaged, damaged) * scale


def test_the_weakest_damaged_image_is_flagged():
    # anomalib's F1 threshold equals the weakest damaged score and decides by ">".
    undamaged, damaged = [1.0, 1.2, 1.4], [3.0, 3.5, 4.0]
    threshold = accuracy_threshold(undamaged, damaged)
    assert 1.4 + 0.25 * 1.6 <= threshold <= 3.0 - 0.25 * 1.6


def test_the_narrow_class_draws_the_threshold_to_its_side():
    undamaged, damaged = np.linspace(0.9, 1.1, 20), np.linspace(5, 30, 20)
    assert accuracy_threshold(undamaged, damaged) < (1.1 + 5) / 2


def test_one_low_damaged_outlier_does_not_decide():
    undamaged = np.linspace(0, 10, 50)
    damaged = np.append(np.linspace(12, 20, 49), 3.05)
    assert 10 < accuracy_threshold(undamaged, damaged) < 12


def test_left_out_scores_say_how_far_undamaged_ones_scatter_and_not_where_they_lie():
    undamaged, damaged = [0.98, 1.0, 1.02], np.linspace(4, 6, 20)
    wide, narrow = np.linspace(-1, 1, 30), np.linspace(-0.01, 0.01, 30)
    alone = accuracy_threshold(undamaged, damaged)
    assert accuracy_threshold(undamaged, damaged, left_out_scores=wide) > alone
    near, far = (accuracy_threshold(undamaged, damaged, left_out_scores=shift + wide) for shift in (0.0, 1024.0))
    assert near == pytest.approx(far)
    # Many of them are still no more undamaged images than were labelled.
    few, many = (accuracy_threshold(undamaged, damaged, left_out_scores=np.tile(narrow, n)) for n in (1, 50))
    assert few == pytest.approx(many, rel=0.1)


def test_order_does_not_matter():
    rng = np.random.default_rng(0)
    undamaged, damaged = rng.normal(0, 1, 30), rng.normal(2, 1, 30)
    assert accuracy_threshold(undamaged, damaged) == accuracy_threshold(undamaged[::-1], rng.permutation(damaged))


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 1e-300, 1e100])
def test_equal_scores_in_both_classes_get_a_place_beyond(value):
    assert accuracy_threshold([value] * 3, [value]) > value
    assert accuracy_threshold([value], [value] * 3) < value
    assert accuracy_threshold([value], [value]) < value  # a tie: flag


def test_damaged_below_undamaged_flags_all_or_nothing():
    assert accuracy_threshold([5.0, 6.0, 7.0], [1.0, 2.0]) > 7.0
    assert accuracy_threshold([5.0, 6.0], [1.0, 2.0, 3.0]) < 1.0


def test_a_gap_without_a_float_in_it_is_no_gap():
    low = 1.0
    high = float(np.nextafter(low, 2.0))
    threshold = accuracy_threshold([low, low], [high])
    assert threshold > high  # both scores count as one; one miss is the least
    between = float(np.nextafter(high, 2.0))
    assert accuracy_threshold([low], [between]) == high  # the one number between


def test_neighbouring_float32_scores_are_told_apart():
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2.0))
    assert float(low) < accuracy_threshold([low], [high]) < float(high)


@pytest.mark.parametrize(
    ("undamaged", "damaged", "message"),
    [
        ([1.0, math.nan], [2.0], "undamaged scores must be finite"),
        ([1.0], [math.inf], "damaged scores must be finite"),
        ([1.0], [1e200], "within 1e150"),
        ([], [1.0], "at least 1 undamaged"),
        ([1.0], [], "at least 1 damaged"),
        ([[1.0]], [2.0], "one-dimensional"),
        (["much"], [2.0], "must be numbers"),
    ],
)
def test_unusable_scores_are_named(undamaged, damaged, message):
    with pytest.raises(CalibrationError, match=message) as caught:
        accuracy_threshold(undamaged, damaged)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("miss_cost", [0, -1, math.nan, math.inf])
def test_an_impossible_miss_cost_is_refused(miss_cost):
    with pytest.raises(CalibrationError, match="miss_cost"):
        cost_threshold([1.0], [2.0], miss_cost=miss_cost)


def test_a_dear_miss_lowers_the_threshold():
    undamaged, damaged = [1.0, 2.0, 3.0, 4.0], [2.5, 5.0, 6.0]
    assert cost_threshold(undamaged, damaged, miss_cost=10) < 2.5
    assert cost_threshold(undamaged, damaged, miss_cost=0.1) > 4.0


def test_false_alarm_threshold_by_hand():
    # n = 19, target 10 %: j = ceil(20 * 0.9) = 18, so one of the 19 lies above.
    result = false_alarm_threshold(np.arange(1.0, 20.0), target=0.1)
    assert result.supported
    assert result.needed == 9
    assert result.threshold == 18.5


@pytest.mark.parametrize(("target", "needed"), [(0.05, 19), (0.01, 99), (0.1, 9), (0.5, 1), (0.001, 999)])
def test_how_many_images_a_target_needs(target, needed):
    assert false_alarm_threshold(np.arange(float(needed)), target=target).supported
    short = false_alarm_threshold(np.arange(float(max(1, needed - 1))), target=target)
    assert short.needed == needed
    assert short.supported == (needed == 1)


def test_too_few_images_put_the_threshold_above_every_score():
    # The text's formula: median 3, mean excess of 3, 4, 5 over it 1, log(1 / (0.05 * 6)) = 1.204.
    result = false_alarm_threshold([1.0, 2.0, 3.0, 4.0, 5.0], target=0.05)
    assert not result.supported
    assert result.threshold == pytest.approx(5 + math.log(1 / 0.3))


@pytest.mark.parametrize("scores", [[2.0], [0.0], [7.0, 7.0, 7.0]])
def test_scores_without_spread_still_get_a_place_above(scores):
    assert false_alarm_threshold(scores, target=0.05).threshold > max(scores)


def test_the_threshold_is_not_the_minimum_without_damaged_images():
    # anomalib before 2.3 fell back to the smallest score.
    scores = np.random.default_rng(3).gamma(4, 1, 40)
    assert np.mean(scores > false_alarm_threshold(scores, target=0.05).threshold) <= 0.05


def test_the_false_alarm_target_holds_on_average():
    rng = np.random.default_rng(7)
    rates = []
    for _ in range(1500):
        scores = np.round(rng.gamma(3, 1, 39), 1)  # ties
        threshold = false_alarm_threshold(scores, target=0.1).threshold
        rates.append(np.mean(np.round(rng.gamma(3, 1, 20), 1) > threshold))
    assert np.mean(rates) <= 0.1 + 3 * np.std(rates) / math.sqrt(len(rates))
    assert np.mean(rates) > 0.07


@pytest.mark.parametrize("target", [0, 1, -0.1, 5, math.nan, True])
def test_an_impossible_target_is_refused(target):
    with pytest.raises(CalibrationError, match="target"):
        false_alarm_threshold([1.0, 2.0], target=target)
