"""Promised rates under known laws of the scores: kept as often as promised, refused where n cannot, and not wasteful.

10,000 draws for each case, vectorised: the threshold of a draw depends on the order of its scores alone, so the rule is
taken from the library once for each n and target (the number of errors it allows) and applied to all draws at once;
`test_the_vectorised_rule_is_the_library` holds that against the library itself, draw by draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from anomaly.calibration import (
    best_possible_rate,
    both_rates_thresholds,
    calibrate,
    images_needed,
    max_false_alarm_threshold,
    max_miss_threshold,
)
from anomaly.errors import PromiseNotPossibleError
from anomaly.types import Float64Array

DRAWS = 10_000
SIZES = (20, 30, 59, 93, 150, 300)
TARGETS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2)
CONFIDENCE = 0.95
SLACK = 3 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / DRAWS)

pytestmark = pytest.mark.slow

Law = tuple[Callable[[np.random.Generator, int], Float64Array], Callable[[Float64Array], Float64Array]]


def grid(step: float, law: stats.rv_continuous, *parameters: float) -> Law:
    """Scores rounded down to a grid, so that many tie, and the exact share above a threshold."""

    def draw(rng: np.random.Generator, n: int) -> Float64Array:
        return np.floor(law.rvs(*parameters, size=(DRAWS, n), random_state=rng) / step) * step

    def above(threshold: Float64Array) -> Float64Array:
        # A score is above t exactly if the continuous one is at least the next step above t.
        return law.sf((np.floor(threshold / step) + 1) * step, *parameters)

    return draw, above


def continuous(law: stats.rv_continuous, *parameters: float) -> Law:
    return (lambda rng, n: law.rvs(*parameters, size=(DRAWS, n), random_state=rng)), (
        lambda threshold: law.sf(threshold, *parameters)
    )


LAWS: dict[str, Law] = {
    "normal": continuous(stats.norm),
    "heavy tails": continuous(stats.t, 2),
    "skewed": continuous(stats.gamma, 2),
    "ties": grid(0.25, stats.norm),
    "few values": grid(1.0, stats.gamma, 2),
}


def allowed_errors(n: int, target: float) -> int | None:
    """Errors that the library's threshold makes on n distinct scores; None: it refuses."""
    scores = np.arange(float(n))
    try:
        return int(np.sum(scores > max_false_alarm_threshold(scores, target=target, confidence=CONFIDENCE)))
    except PromiseNotPossibleError:
        return None


def place_in_gap_above(ordered: Float64Array, k: int) -> Float64Array:
    """Threshold of each draw: a quarter into the gap above the score with k scores above it; ordered is (draws, n)."""
    at = ordered[:, -1 - k]
    higher = np.where(ordered > at[:, None], ordered, np.inf).min(axis=1)
    distinct = 1 + np.sum(np.diff(ordered, axis=1) > 0, axis=1)
    beyond = np.maximum(np.ptp(ordered, axis=1) / (2 * distinct), np.abs(ordered).max(axis=1) * 2.0**-20)
    return np.where(np.isfinite(higher), at + 0.25 * (higher - at), at + beyond)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("n", SIZES)
def test_a_promised_rate_holds_as_often_as_promised(name: str, n: int) -> None:
    draw, above = LAWS[name]
    ordered = np.sort(draw(np.random.default_rng(n), n), axis=1)
    promised = 0
    for target in TARGETS:
        k = allowed_errors(n, target)
        if k is None:
            assert n < images_needed(target, confidence=CONFIDENCE)
            continue
        promised += 1
        rate = above(place_in_gap_above(ordered, k))
        assert np.mean(rate <= target) >= CONFIDENCE - SLACK, (target, k)
    assert promised >= 1 or n < images_needed(max(TARGETS), confidence=CONFIDENCE)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("target", TARGETS)
def test_no_promise_is_made_that_n_cannot_support_and_none_refused_that_it_can(n: int, target: float) -> None:
    # All n on the right side still happens with this probability when the true rate is the target.
    possible = (1 - target) ** n <= 1 - CONFIDENCE
    assert (allowed_errors(n, target) is not None) == possible
    assert (best_possible_rate(n, confidence=CONFIDENCE) <= target) == possible


@pytest.mark.parametrize("n", SIZES)
def test_the_mean_rate_is_within_a_fifth_of_the_best_possible_for_the_rule(n: int) -> None:
    """Best possible: the most errors k with P(Bin(n, target) <= k) <= 0.05, so a mean rate of (k + 1) / (n + 1)."""
    draw, above = LAWS["normal"]
    ordered = np.sort(draw(np.random.default_rng(n), n), axis=1)
    for target in TARGETS:
        k = allowed_errors(n, target)
        if k is None:
            continue
        best = max(j for j in range(n) if stats.binom.cdf(j, n, target) <= 1 - CONFIDENCE)
        mean = float(np.mean(above(place_in_gap_above(ordered, k))))
        at_score = float(np.mean(above(ordered[:, -1 - k])))
        assert k == best
        assert at_score == pytest.approx((k + 1) / (n + 1), rel=0.05)
        assert 0.8 * at_score <= mean <= at_score, (target, k)


def test_the_vectorised_rule_is_the_library() -> None:
    for name, (draw, _) in LAWS.items():
        rows = draw(np.random.default_rng(1), 100)[:100]
        fast = place_in_gap_above(np.sort(rows, axis=1), allowed_errors(100, 0.05) or 0)
        for row, threshold in zip(rows, fast, strict=True):
            alarm = max_false_alarm_threshold(row, target=0.05, confidence=CONFIDENCE)
            miss = max_miss_threshold([], -row, target=0.05, confidence=CONFIDENCE)
            assert alarm == pytest.approx(threshold, rel=1e-12, abs=1e-12), name
            assert miss == -alarm


@pytest.mark.parametrize("shift", [1.0, 2.5, 5.0])
def test_both_rates_hold_together_as_often_as_is_said(shift: float) -> None:
    """Each with 95 %, both with at least 90 %, whether one threshold results or two."""
    rng = np.random.default_rng(int(10 * shift))
    draws, alarm_kept, miss_kept, both_kept = 1500, 0, 0, 0
    for _ in range(draws):
        undamaged, damaged = rng.normal(0, 1, 80), rng.normal(shift, 1, 70)
        lower, upper = both_rates_thresholds(
            undamaged, damaged, max_miss_rate=0.1, max_false_alarm_rate=0.05, confidence=CONFIDENCE
        )
        alarm = stats.norm.sf(upper) <= 0.05
        miss = stats.norm.cdf((upper if lower is None else lower) - shift) <= 0.1
        alarm_kept, miss_kept, both_kept = alarm_kept + alarm, miss_kept + miss, both_kept + (alarm and miss)
    slack = 3 * math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / draws)
    assert min(alarm_kept, miss_kept) / draws >= CONFIDENCE - slack
    assert both_kept / draws >= 2 * CONFIDENCE - 1 - slack


@pytest.mark.parametrize("n", [20, 40, 100, 300])
@pytest.mark.parametrize("target", [0.05, 0.1, 0.2])
def test_an_aimed_rate_is_not_exceeded_on_average_and_nearly_reached(n: int, target: float) -> None:
    """The false-alarm target of undamaged images alone: a mean, not a promise; conformal, so ties can only lower it."""
    for name in ("normal", "ties"):
        draw, above = LAWS[name]
        rows = draw(np.random.default_rng(n), n)[:2000]
        found = [calibrate(row, [], objective="false-alarm-target", target=target).threshold for row in rows]
        rates = above(np.array(found))
        noise = 3 * float(np.std(rates)) / math.sqrt(len(rows))
        assert np.mean(rates) <= target + noise
        if name == "normal":
            assert np.mean(rates) >= target - 1.6 / (n + 1) - noise
