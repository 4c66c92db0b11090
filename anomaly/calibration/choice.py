"""From held-out scores to a `Calibration`: the threshold for an objective."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from anomaly.calibration._parameters import PROMISED, check_parameters
from anomaly.calibration._scores import checked_fraction, checked_scores
from anomaly.calibration.calibration import (
    DEFAULT_CONFIDENCE,
    DEFAULT_FALSE_ALARM_TARGET,
    OBJECTIVES,
    Calibration,
    Objective,
    counts_at,
)
from anomaly.calibration.promise import max_false_alarm_threshold, max_miss_threshold
from anomaly.calibration.scored import ValidationScores
from anomaly.calibration.threshold import accuracy_threshold, cost_threshold, false_alarm_threshold
from anomaly.errors import CalibrationError
from anomaly.types import Float64Array


def calibrate(
    undamaged_scores: npt.ArrayLike,
    damaged_scores: npt.ArrayLike,
    *,
    objective: Objective = "accuracy",
    target: float | None = None,
    confidence: float = DEFAULT_CONFIDENCE,
    miss_cost: float | None = None,
    max_miss_rate: float | None = None,
    max_false_alarm_rate: float | None = None,
    left_out_scores: npt.ArrayLike = (),
) -> Calibration:
    """Choose the threshold for an objective.

    Parameters
    ----------
    undamaged_scores : array_like, (n0,)
        Held-out raw image scores, none of an image in the memory bank.
    damaged_scores : array_like, (n1,)
        May be empty but for ``"cost"``, ``"max-miss-rate"`` and ``"both-rates"``; ``"accuracy"`` then becomes
        ``"false-alarm-target"`` with `DEFAULT_FALSE_ALARM_TARGET`, and the notes say so.
    objective : str
        ``"accuracy"``: fewest errors. ``"cost"``: least ``false alarms + miss_cost * misses``.
        ``"false-alarm-target"``: this share of undamaged images flagged on average (conformal).
        ``"max-false-alarm-rate"``, ``"max-miss-rate"``: this rate is not exceeded, with the given confidence.
        ``"both-rates"``: neither of the two is, each with the given confidence; see `both_rates_thresholds`.
    target : float, optional
        The rate, in (0, 1); required by the objectives that have one, an error with the others.
    confidence : float
        Of the promise, in (0, 1); another value than the default is an error where nothing is promised.
    miss_cost, max_miss_rate, max_false_alarm_rate : float, optional
        The first is required by ``"cost"`` alone, the others by ``"both-rates"`` alone.
    left_out_scores : array_like, (m,)
        Of bank images, each without itself in the bank; they decide between equals only, see `cost_threshold`.

    Raises
    ------
    CalibrationError, PromiseNotPossibleError
        Too few images of a class, scores that are not finite, or parameters that the objective does not have.
    """
    _check(objective, target, confidence, miss_cost, max_miss_rate, max_false_alarm_rate)
    undamaged = checked_scores(undamaged_scores, name="undamaged")
    damaged = checked_scores(damaged_scores, name="damaged", least=0)
    if objective == "accuracy" and not damaged.size:
        objective, target = "false-alarm-target", DEFAULT_FALSE_ALARM_TARGET
    choose = _rules(target, confidence, miss_cost, max_miss_rate, max_false_alarm_rate, left_out_scores)[objective]
    lower, threshold, notes = choose(undamaged, damaged)
    return Calibration(
        threshold=threshold,
        objective=objective,
        **counts_at(undamaged, damaged, threshold=threshold, reinspect_above=lower),
        target=target,
        confidence=confidence if objective in PROMISED else None,
        miss_cost=miss_cost,
        max_miss_rate=max_miss_rate,
        max_false_alarm_rate=max_false_alarm_rate,
        reinspect_above=lower,
        by_part_type={},
        notes=(*notes, *_warnings(undamaged, damaged, threshold)),
        validation=ValidationScores(undamaged, damaged),
    )


def both_rates_thresholds(
    undamaged_scores: npt.ArrayLike,
    damaged_scores: npt.ArrayLike,
    *,
    max_miss_rate: float,
    max_false_alarm_rate: float,
    confidence: float,
) -> tuple[float | None, float]:
    """Return the thresholds below which nothing needs a look and above which all is damaged.

    With `max_miss_threshold` m and `max_false_alarm_threshold` a: every threshold up to m keeps the promise on misses,
    every threshold from a on the one on false alarms. If ``a <= m`` one threshold between keeps both, and it is the one
    nearest to `accuracy_threshold`: however it is chosen there, neither rate is larger than at m and a. Otherwise
    ``m < score <= a`` is to be reinspected.

    Parameters
    ----------
    undamaged_scores : array_like, (n0,)
    damaged_scores : array_like, (n1,)
    max_miss_rate, max_false_alarm_rate, confidence : float
        In (0, 1). Each promise holds with this confidence, so both together with at least ``2 * confidence - 1``.

    Returns
    -------
    lower : float or None
        None: one threshold keeps both promises.
    upper : float

    Raises
    ------
    PromiseNotPossibleError
        There are too few images of a class.
    CalibrationError
        Scores, rates or confidence are not usable.
    """
    undamaged = checked_scores(undamaged_scores, name="undamaged")
    damaged = checked_scores(damaged_scores, name="damaged", least=0)
    lower = max_miss_threshold(undamaged, damaged, target=max_miss_rate, confidence=confidence)
    upper = max_false_alarm_threshold(undamaged, damaged, target=max_false_alarm_rate, confidence=confidence)
    if upper <= lower:
        return None, min(max(accuracy_threshold(undamaged, damaged), upper), lower)
    pooled = np.concatenate([undamaged, damaged])
    if not np.any((pooled > lower) & (pooled <= upper)):
        return None, upper
    return lower, upper


_Choice: TypeAlias = tuple[float | None, float, list[str]]
"""The lower threshold where there are two, the threshold, and what has to be said of them."""


def _check(
    objective: Objective,
    target: float | None,
    confidence: float,
    miss_cost: float | None,
    max_miss_rate: float | None,
    max_false_alarm_rate: float | None,
) -> None:
    """Compare the parameters given with those that the objective has."""
    if objective not in OBJECTIVES:
        raise CalibrationError(f"unknown objective {objective!r}; choose one of {', '.join(OBJECTIVES)}")
    checked_fraction(confidence, name="confidence")
    check_parameters(
        objective,
        target=target,
        confidence=confidence if objective in PROMISED or confidence != DEFAULT_CONFIDENCE else None,
        miss_cost=miss_cost,
        max_miss_rate=max_miss_rate,
        max_false_alarm_rate=max_false_alarm_rate,
    )


def _rules(
    target: float | None,
    confidence: float,
    miss_cost: float | None,
    max_miss_rate: float | None,
    max_false_alarm_rate: float | None,
    left_out_scores: npt.ArrayLike,
) -> dict[str, Callable[[Float64Array, Float64Array], _Choice]]:
    """Return what chooses for each objective; the parameters are those that the objective has."""
    rate, cost = _number(target), _number(miss_cost)
    left_out = checked_scores(left_out_scores, name="left-out", least=0)

    def both(undamaged: Float64Array, damaged: Float64Array) -> _Choice:
        lower, upper = both_rates_thresholds(
            undamaged,
            damaged,
            max_miss_rate=_number(max_miss_rate),
            max_false_alarm_rate=_number(max_false_alarm_rate),
            confidence=confidence,
        )
        return lower, upper, [_both_note(confidence)]

    return {
        "accuracy": lambda u, d: (None, accuracy_threshold(u, d, left_out_scores=left_out), []),
        "both-rates": both,
        "cost": lambda u, d: (None, cost_threshold(u, d, miss_cost=cost, left_out_scores=left_out), []),
        "false-alarm-target": lambda u, d: _aimed(u, d, target=rate),
        "max-false-alarm-rate": lambda u, d: (
            None, max_false_alarm_threshold(u, d, target=rate, confidence=confidence), [],
        ),
        "max-miss-rate": lambda u, d: (None, max_miss_threshold(u, d, target=rate, confidence=confidence), []),
    }  # fmt: skip


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _aimed(undamaged: Float64Array, damaged: Float64Array, *, target: float) -> _Choice:
    result = false_alarm_threshold(undamaged, target=target, damaged_scores=damaged)
    if result.supported:
        return None, result.threshold, []
    note = (
        f"{result.n} undamaged validation {'image' if result.n == 1 else 'images'} cannot support a false-alarm target "
        f"of {target:.4g}: {result.needed} are needed; until then the threshold is extrapolated above every undamaged "
        "score seen."
    )
    return None, result.threshold, [note]


def _both_note(confidence: float) -> str:
    return (
        f"Each of the two rates is promised with confidence {confidence:.4g}, both together with at least "
        f"{max(0.0, 2 * confidence - 1):.4g}."
    )


def _warnings(undamaged: Float64Array, damaged: Float64Array, threshold: float) -> list[str]:
    """Return what is true of the scores whatever the objective."""
    if not damaged.size:
        return [
            "No damaged image was labelled: the threshold rests on undamaged images and a false-alarm rate "
            "only, and nothing is known about missed damage."
        ]
    found = []
    if np.median(damaged) <= np.median(undamaged):
        found.append("The damaged validation images do not score higher than the undamaged ones.")
    if min(undamaged[0], damaged[0]) > threshold:
        found.append("Every validation image is flagged: the scores do not tell the classes apart.")
    if max(undamaged[-1], damaged[-1]) <= threshold:
        found.append("No validation image is flagged: the scores do not tell the classes apart.")
    return found
