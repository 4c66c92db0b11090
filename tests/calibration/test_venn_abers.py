"""Probabilities: the definition, never falling in the score, at one with the label, right on average."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.calibration import ValidationScores, VennAbers, calibrate
from anomaly.calibration.venn_abers import isotonic_value
from anomaly.errors import CalibrationError

GRID = st.integers(0, 12).map(lambda k: k / 4)
CLASS = st.lists(GRID, min_size=1, max_size=14)
PLACES = np.arange(-0.625, 4, 0.125)
"""On and between the scores of `GRID`, and beyond them."""


def by_definition(undamaged: list[float], damaged: list[float], score: float, label: int) -> Fraction:
    """Isotonic regression by the max-min formula, in exact arithmetic, with the new score labelled."""
    pairs = [(value, 0) for value in undamaged] + [(value, 1) for value in damaged] + [(score, label)]
    values = sorted({value for value, _ in pairs})

    def mean(low: float, high: float) -> Fraction:
        inside = [hit for value, hit in pairs if low <= value <= high]
        return Fraction(sum(inside), len(inside))

    return max(
        min(mean(low, high) for high in values if high >= score) for low in values if low <= score
    )  # Robertson, Wright, Dykstra, Order Restricted Statistical Inference (1988), theorem 1.4.4


@given(CLASS, CLASS, st.sampled_from(PLACES.tolist()))
def test_the_interval_is_what_the_definition_says(undamaged, damaged, score):
    low, high = VennAbers.fit(undamaged, damaged).interval(score)
    assert low == float(by_definition(undamaged, damaged, score, 0))
    assert high == float(by_definition(undamaged, damaged, score, 1))


@given(CLASS, CLASS)
def test_probabilities_never_fall_and_stay_in_their_interval(undamaged, damaged):
    fitted = VennAbers.fit(undamaged, damaged)
    found = np.array([fitted.probability(score) for score in PLACES])
    assert (np.diff(found, axis=0) >= 0).all()
    p, low, high = found.T
    assert (low < high).all()
    assert ((low <= p) & (p <= high)).all()
    assert ((low >= 0) & (high <= 1)).all()


@pytest.mark.parametrize("cost", [1.0, 10.0, 0.3, 1 / 3])
@given(CLASS, CLASS)
def test_the_label_is_at_one_with_the_probability_and_nothing_leaves_the_interval(cost, undamaged, damaged):
    chosen = (
        calibrate(undamaged, damaged) if cost == 1 else calibrate(undamaged, damaged, objective="cost", miss_cost=cost)
    )
    intervals = VennAbers.fit(undamaged, damaged)
    deciding = 1 / (1 + cost)
    before = (0.0, 0.0, 0.0)
    for score in (*PLACES, chosen.threshold):
        p, low, high = chosen.probability(score)
        assert (low, high) == intervals.interval(score)
        assert low <= p <= high
        assert p >= deciding if chosen.label(score) == "damaged" else p <= deciding
    for score in sorted((*PLACES, chosen.threshold)):
        now = chosen.probability(score)
        assert all(new >= old for new, old in zip(now, before, strict=True))
        before = now


def test_by_hand():
    # Above 3 undamaged and below 4 damaged: either label leaves two clean blocks.
    apart = VennAbers.fit([1, 2, 3], [5, 6, 7, 8])
    assert apart.probability(4) == (0.5, 0.0, 1.0)
    assert apart.probability(9) == (pytest.approx(1 / 1.2), 4 / 5, 1.0)
    assert apart.probability(0)[1:] == (0.0, 1 / 4)
    # On a score that both labels have: 1 of 2 damaged there, so 1/3 and 2/3.
    assert VennAbers.fit([1, 2], [2, 3]).interval(2) == (1 / 3, 2 / 3)


def test_isotonic_regression_is_that_of_scikit_learn():
    isotonic = pytest.importorskip("sklearn.isotonic")
    rng = np.random.default_rng(0)
    totals = rng.integers(1, 5, size=60)
    hits = rng.binomial(totals, np.linspace(0.1, 0.9, 60))
    oracle = isotonic.isotonic_regression(hits / totals, sample_weight=totals.astype(float))
    found = [isotonic_value(hits.tolist(), totals.tolist(), at) for at in range(60)]
    np.testing.assert_allclose(found, oracle, atol=1e-12)


@pytest.mark.parametrize(("n0", "n1"), [(20, 20), (60, 25), (15, 60)])
def test_probabilities_are_right_on_average_under_a_known_law(n0, n1):
    """Of images labelled as in validation, the share damaged lies between the mean p0 and the mean p1."""
    rng = np.random.default_rng(n0)
    lows, highs, merged, truths = [], [], [], []
    for _ in range(1500):
        n_damaged = rng.binomial(n0 + n1 + 1, n1 / (n0 + n1))
        scores = np.concatenate([rng.normal(0, 1, n0 + n1 + 1 - n_damaged), rng.normal(1.5, 1, n_damaged)])
        damaged = np.arange(n0 + n1 + 1) >= n0 + n1 + 1 - n_damaged
        new = rng.integers(n0 + n1 + 1)
        rest = np.arange(n0 + n1 + 1) != new
        p, low, high = VennAbers.fit(scores[rest & ~damaged], scores[rest & damaged]).probability(scores[new])
        lows.append(low), highs.append(high), merged.append(p), truths.append(damaged[new])
    noise = 3 * math.sqrt(0.25 / 1500)
    assert np.mean(lows) - noise <= np.mean(truths) <= np.mean(highs) + noise
    assert abs(np.mean(merged) - np.mean(truths)) <= noise
    confident = np.array(merged) > 0.8
    assert np.mean(np.array(truths)[confident]) >= np.mean(np.array(lows)[confident]) - 3 * math.sqrt(
        0.25 / confident.sum()
    )


def test_without_a_damaged_image_there_is_no_probability_but_a_p_value():
    calibration = calibrate([1.0, 2.0, 3.0, 4.0], [])
    assert calibration.probability(2.5) is None
    assert [calibration.p_value(score) for score in (0.0, 2.0, 2.5, 9.0)] == [1.0, 0.8, 0.6, 0.2]


def test_the_p_value_keeps_its_promise_with_ties():
    rng = np.random.default_rng(1)
    for decimals in (0, 9):
        draws = np.round(rng.gamma(4, size=(4000, 25)), decimals)
        p = np.array([ValidationScores(row[1:], row[:0]).p_value(row[0]) for row in draws])
        for level in (0.04, 0.1, 0.2, 0.5):
            assert np.mean(p <= level) <= level + 3 * math.sqrt(level * (1 - level) / 4000)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_none_has_no_probability(score):
    with pytest.raises(CalibrationError, match="finite"):
        VennAbers.fit([1.0], [2.0]).probability(score)
    with pytest.raises(CalibrationError, match="finite"):
        calibrate([1.0], []).p_value(score)
