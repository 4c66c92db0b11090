"""From held-out scores to a threshold that explains itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from anomaly.calibration._scores import checked_fraction, checked_scores
from anomaly.calibration.promise import max_false_alarm_threshold, max_miss_threshold
from anomaly.calibration.threshold import accuracy_threshold, cost_threshold, false_alarm_threshold
from anomaly.errors import CalibrationError
from anomaly.types import DAMAGED, UNDAMAGED, Float64Array, Label

Objective: TypeAlias = Literal["accuracy", "cost", "false-alarm-target", "max-false-alarm-rate", "max-miss-rate"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
_PROMISED = ("max-false-alarm-rate", "max-miss-rate")

DEFAULT_CONFIDENCE = 0.95
DEFAULT_FALSE_ALARM_TARGET = 0.05
"""False-alarm target where no damaged image was labelled; 19 undamaged images support it."""


@dataclass(frozen=True)
class Calibration:
    """A threshold, what it was chosen for and how it did on the validation images.

    Attributes
    ----------
    threshold : float
        ``score > threshold`` is damaged; in the unit of the score.
    objective : str
        One of `OBJECTIVES`: what was asked for, or, where no damaged image is labelled and accuracy was asked
        for, ``"false-alarm-target"``.
    n_undamaged, n_damaged : int
        Validation images.
    false_alarms : int
        Undamaged validation images that the threshold flags.
    misses : int
        Damaged validation images that it does not flag.
    target : float or None
        The rate aimed at (``"false-alarm-target"``) or promised (``"max-..."``).
    confidence : float or None
        Of the promise; None where nothing is promised.
    miss_cost : float or None
        Price of a miss in false alarms (``"cost"`` only).
    notes : tuple of str
        What a reader of the threshold has to know, one sentence each.

    Raises
    ------
    CalibrationError
        The fields contradict each other.
    """

    threshold: float
    objective: Objective
    n_undamaged: int
    n_damaged: int
    false_alarms: int
    misses: int
    target: float | None = None
    confidence: float | None = None
    miss_cost: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise CalibrationError(f"unknown objective {self.objective!r}; choose one of {', '.join(OBJECTIVES)}")
        if not math.isfinite(self.threshold):
            raise CalibrationError(f"the threshold must be finite, got {self.threshold}; calibrate again")
        if not (0 <= self.false_alarms <= self.n_undamaged and 0 <= self.misses <= self.n_damaged):
            raise CalibrationError(
                f"counts contradict each other: {self.false_alarms} of {self.n_undamaged} undamaged flagged, "
                f"{self.misses} of {self.n_damaged} damaged missed; calibrate again"
            )
        _check_extras(self)

    def label(self, score: float) -> Label:
        """Return the verdict on one raw image score.

        Raises
        ------
        CalibrationError
            The score is NaN or infinite; such an image must not pass as undamaged.
        """
        if not math.isfinite(score):
            raise CalibrationError(f"a score must be finite to be judged, got {score}; score the image again")
        return DAMAGED if score > self.threshold else UNDAMAGED

    def lines(self) -> list[str]:
        """Return what there is to say in plain text, counts first."""
        aim = {
            "accuracy": "fewest validation errors",
            "cost": f"a miss costs {self.miss_cost} false alarms",
            "false-alarm-target": f"false-alarm target {self.target}",
            "max-false-alarm-rate": f"false-alarm rate at most {self.target}, confidence {self.confidence}",
            "max-miss-rate": f"miss rate at most {self.target}, confidence {self.confidence}",
        }[self.objective]
        damaged = "no damaged image"
        if self.n_damaged:
            damaged = f"{self.misses} of {self.n_damaged} damaged missed"
        return [
            f"{damaged}, {self.false_alarms} of {self.n_undamaged} undamaged flagged on validation",
            f"threshold {self.threshold:.6g} ({aim})",
            *self.notes,
        ]


def calibrate(
    undamaged_scores: npt.ArrayLike,
    damaged_scores: npt.ArrayLike,
    *,
    objective: Objective = "accuracy",
    target: float | None = None,
    confidence: float = DEFAULT_CONFIDENCE,
    miss_cost: float | None = None,
) -> Calibration:
    """Choose the threshold for an objective.

    Parameters
    ----------
    undamaged_scores : array_like, (n0,)
        Held-out raw image scores, none of an image in the memory bank.
    damaged_scores : array_like, (n1,)
        May be empty but for ``"cost"`` and ``"max-miss-rate"``; ``"accuracy"`` then becomes
        ``"false-alarm-target"`` with `DEFAULT_FALSE_ALARM_TARGET`, and the notes say so.
    objective : str
        ``"accuracy"``: fewest validation errors. ``"cost"``: least ``false alarms + miss_cost * misses``.
        ``"false-alarm-target"``: this share of undamaged images flagged on average (conformal).
        ``"max-false-alarm-rate"``, ``"max-miss-rate"``: this rate is not exceeded, with the given confidence.
    target : float, optional
        The rate, in (0, 1); required by the objectives that have one, an error with the others.
    confidence : float
        Of the promise, in (0, 1); another value than the default is an error where nothing is promised.
    miss_cost : float, optional
        Required by ``"cost"``, an error with the others.

    Raises
    ------
    CalibrationError
        Too few images of a class, scores that are not finite, or parameters that the objective does not have.
    PromiseNotPossibleError
        The images cannot carry the promised rate.
    """
    _check_parameters(objective, target=target, confidence=confidence, miss_cost=miss_cost)
    undamaged = checked_scores(undamaged_scores, name="undamaged")
    damaged = checked_scores(damaged_scores, name="damaged", least=0)
    notes: list[str] = []
    if objective == "accuracy" and not damaged.size:
        objective, target = "false-alarm-target", DEFAULT_FALSE_ALARM_TARGET
    if objective == "false-alarm-target" and target is not None:
        threshold = _aimed_threshold(undamaged, damaged, target=target, notes=notes)
    else:
        rules = _rules(target=target, confidence=confidence, miss_cost=miss_cost)
        threshold = rules[objective](undamaged, damaged)
    false_alarms, misses = int(np.sum(undamaged > threshold)), int(np.sum(damaged <= threshold))
    return Calibration(
        threshold,
        objective,
        n_undamaged=undamaged.size,
        n_damaged=damaged.size,
        false_alarms=false_alarms,
        misses=misses,
        target=target,
        confidence=confidence if objective in _PROMISED else None,
        miss_cost=miss_cost,
        notes=(*notes, *_warnings(undamaged, damaged, false_alarms=false_alarms, misses=misses)),
    )


def _rules(
    *, target: float | None, confidence: float, miss_cost: float | None
) -> dict[str, Callable[[Float64Array, Float64Array], float]]:
    rate = math.nan if target is None else target
    cost = math.nan if miss_cost is None else miss_cost
    return {
        "accuracy": accuracy_threshold,
        "cost": lambda u, d: cost_threshold(u, d, miss_cost=cost),
        "max-false-alarm-rate": lambda u, d: max_false_alarm_threshold(u, d, target=rate, confidence=confidence),
        "max-miss-rate": lambda u, d: max_miss_threshold(u, d, target=rate, confidence=confidence),
    }


def _check_parameters(
    objective: Objective, *, target: float | None, confidence: float, miss_cost: float | None
) -> None:
    if objective not in OBJECTIVES:
        raise CalibrationError(f"unknown objective {objective!r}; choose one of {', '.join(OBJECTIVES)}")
    with_target = objective in (*_PROMISED, "false-alarm-target")
    if with_target and target is None:
        raise CalibrationError(f"objective {objective!r} needs a target; pass e.g. target=0.05 for 5 %")
    if not with_target and target is not None:
        raise CalibrationError(f"objective {objective!r} has no target, got {target}; leave it out")
    if target is not None:
        checked_fraction(target, name="target")
    checked_fraction(confidence, name="confidence")
    if objective not in _PROMISED and confidence != DEFAULT_CONFIDENCE:
        raise CalibrationError(f"objective {objective!r} has no confidence, got {confidence}; leave it out")
    if (objective == "cost") != (miss_cost is not None):
        raise CalibrationError(
            f"miss_cost belongs to objective 'cost' alone, got {objective!r} with miss_cost {miss_cost}; "
            "give both or neither"
        )


def _check_extras(calibration: Calibration) -> None:
    """Compare a record's optional numbers with what its objective has."""
    promised = calibration.objective in _PROMISED
    if promised != (calibration.confidence is not None):
        raise CalibrationError(
            f"objective {calibration.objective!r} with confidence {calibration.confidence}; calibrate again"
        )
    confidence = DEFAULT_CONFIDENCE if calibration.confidence is None else calibration.confidence
    _check_parameters(
        calibration.objective,
        target=calibration.target,
        confidence=confidence,
        miss_cost=calibration.miss_cost,
    )


def _aimed_threshold(undamaged: Float64Array, damaged: Float64Array, *, target: float, notes: list[str]) -> float:
    result = false_alarm_threshold(undamaged, target=target, damaged_scores=damaged)
    if not result.supported:
        notes.append(
            f"{result.n} undamaged validation images cannot support a false-alarm target of {target:.4g}: "
            f"{result.needed} are needed; until then the threshold is extrapolated above every score seen."
        )
    return result.threshold


def _warnings(undamaged: Float64Array, damaged: Float64Array, *, false_alarms: int, misses: int) -> list[str]:
    """Return what is true of the scores whatever the objective."""
    if not damaged.size:
        return [
            "No damaged image was labelled: the threshold rests on undamaged images and a false-alarm rate "
            "only, and nothing is known about missed damage."
        ]
    found = []
    if np.median(damaged) <= np.median(undamaged):
        found.append("The damaged validation images do not score higher than the undamaged ones.")
    if false_alarms == undamaged.size and misses == 0:
        found.append("Every validation image is flagged: the scores do not tell the classes apart.")
    if misses == damaged.size and false_alarms == 0:
        found.append("No validation image is flagged: the scores do not tell the classes apart.")
    return found
