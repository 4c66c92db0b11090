"""A threshold that explains itself, and what the validation scores behind it say of a new score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from anomaly.calibration._parameters import PROMISED, check_parameters
from anomaly.calibration.scored import ValidationScores
from anomaly.errors import CalibrationError
from anomaly.types import DAMAGED, REINSPECT, UNDAMAGED, Float64Array, Verdict

Objective: TypeAlias = Literal[
    "accuracy", "both-rates", "cost", "false-alarm-target", "max-false-alarm-rate", "max-miss-rate"
]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

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
        Undamaged validation images labelled damaged.
    misses : int
        Damaged validation images labelled undamaged.
    target : float or None
        The rate aimed at (``"false-alarm-target"``) or promised (``"max-..."``).
    confidence : float or None
        Of the promise, with ``"both-rates"`` of each of the two; None where nothing is promised.
    miss_cost : float or None
        Price of a miss in false alarms (``"cost"`` only).
    notes : tuple of str
        What a reader of the threshold has to know, one sentence each.
    max_miss_rate, max_false_alarm_rate : float or None
        The two promised rates (``"both-rates"`` only).
    reinspect_above : float or None
        ``reinspect_above < score <= threshold`` is ``reinspect`` (``"both-rates"`` only); None: one threshold.
    reinspected_undamaged, reinspected_damaged : int
        Validation images between the two thresholds.
    by_part_type : mapping of str to Calibration
        Part types with a threshold of their own, and what belongs to it; empty: this one holds for all.
    validation : ValidationScores or None
        The scores it rests on, for probabilities. Not part of the text of a record, which holds them anyway.

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
    max_miss_rate: float | None = None
    max_false_alarm_rate: float | None = None
    reinspect_above: float | None = None
    reinspected_undamaged: int = 0
    reinspected_damaged: int = 0
    by_part_type: Mapping[str, Calibration] = field(default_factory=dict)
    validation: ValidationScores | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise CalibrationError(f"unknown objective {self.objective!r}; choose one of {', '.join(OBJECTIVES)}")
        if not math.isfinite(self.threshold):
            raise CalibrationError(f"the threshold must be finite, got {self.threshold}; calibrate again")
        flagged = self.false_alarms + self.reinspected_undamaged
        passed = self.misses + self.reinspected_damaged
        counts = (self.false_alarms, self.misses, self.reinspected_undamaged, self.reinspected_damaged)
        if min(counts) < 0 or flagged > self.n_undamaged or passed > self.n_damaged:
            raise CalibrationError(
                f"counts contradict each other: {self.false_alarms} of {self.n_undamaged} undamaged flagged, "
                f"{self.misses} of {self.n_damaged} damaged missed; calibrate again"
            )
        self._check_band()
        if any(not name or own.by_part_type for name, own in self.by_part_type.items()):
            raise CalibrationError("a part type without a name, or with types of its own; calibrate again")
        promised = self.objective in PROMISED
        if promised != (self.confidence is not None):
            raise CalibrationError(f"objective {self.objective!r} with confidence {self.confidence}; calibrate again")
        check_parameters(
            self.objective,
            target=self.target,
            confidence=self.confidence,
            miss_cost=self.miss_cost,
            max_miss_rate=self.max_miss_rate,
            max_false_alarm_rate=self.max_false_alarm_rate,
        )

    def for_part_type(self, part_type: str) -> Calibration:
        """Return what judges parts of a type: its own calibration, or this one, the common one, where it has none.

        Parameters
        ----------
        part_type : str
            Empty: not known.
        """
        return self.by_part_type.get(part_type, self)

    @property
    def region_threshold(self) -> float:
        """What regions of the anomaly map lie above: the lower of the two thresholds, or the only one."""
        return self.threshold if self.reinspect_above is None else self.reinspect_above

    def label(self, score: float) -> Verdict:
        """Return the verdict on one raw image score.

        Raises
        ------
        CalibrationError
            The score is NaN or infinite; such an image must not pass as undamaged.
        """
        if not math.isfinite(score):
            raise CalibrationError(f"a score must be finite to be judged, got {score}; score the image again")
        if score > self.threshold:
            return DAMAGED
        if self.reinspect_above is not None and score > self.reinspect_above:
            return REINSPECT
        return UNDAMAGED

    def probability(self, score: float) -> tuple[float, float, float] | None:
        """Return the probability of damage and the ends of its interval, ``(p, low, high)``.

        It holds for images as often damaged as the validation images are. All three never fall in the score, and
        ``low <= p <= high``. With the objective ``accuracy`` p agrees with the label: at least 1/2 for what is
        labelled damaged, at most 1/2 for the rest. With ``cost`` the same holds at ``1 / (1 + miss_cost)``.

        Returns
        -------
        tuple of three floats, or None
            None where no damaged image was labelled, or the scores are not at hand.

        Raises
        ------
        CalibrationError
            The score is NaN or infinite.

        Notes
        -----
        Venn-Abers, see :mod:`anomaly.calibration.venn_abers`. Between equally good thresholds the interval holds the
        deciding probability inside, and p is brought to the side that the label is on
        (``docs/decisions/0012-probability.md`` has the proof).
        """
        predictor = None if self.validation is None else self.validation.venn_abers
        if predictor is None:
            return None
        p, low, high = predictor.probability(score)
        if self.objective in ("accuracy", "cost"):
            deciding = 1 / (1 + (1.0 if self.miss_cost is None else self.miss_cost))
            p = max(p, deciding) if score > self.threshold else min(p, deciding)
        return p, min(low, p), max(high, p)

    def p_value(self, score: float) -> float | None:
        """Return the conformal p-value of "this image is undamaged"; None where the scores are not at hand.

        See :meth:`anomaly.calibration.ValidationScores.p_value`.
        """
        return None if self.validation is None else self.validation.p_value(score)

    def lines(self) -> list[str]:
        """Return what there is to say in plain text, counts first."""
        damaged = "no damaged image"
        if self.n_damaged:
            damaged = f"{self.misses} of {self.n_damaged} damaged missed"
        found = [f"{damaged}, {self.false_alarms} of {self.n_undamaged} undamaged flagged on validation"]
        if self.reinspect_above is None:
            found.append(f"threshold {self.threshold:.6g} ({self._aim()})")
        else:
            found += [
                f"{self.reinspected_damaged} of {self.n_damaged} damaged and {self.reinspected_undamaged} of "
                f"{self.n_undamaged} undamaged to be reinspected",
                f"thresholds {self.reinspect_above:.6g} and {self.threshold:.6g}, reinspect between ({self._aim()})",
            ]
        found += self.notes
        return found + [f"{name}: {'; '.join(own.lines())}" for name, own in self.by_part_type.items()]

    def _aim(self) -> str:
        """Say what the threshold was chosen for."""
        return {
            "accuracy": "fewest validation errors",
            "both-rates": f"miss rate at most {self.max_miss_rate} and false-alarm rate at most "
            f"{self.max_false_alarm_rate}, confidence {self.confidence} each",
            "cost": f"a miss costs {self.miss_cost} false alarms",
            "false-alarm-target": f"false-alarm target {self.target}",
            "max-false-alarm-rate": f"false-alarm rate at most {self.target}, confidence {self.confidence}",
            "max-miss-rate": f"miss rate at most {self.target}, confidence {self.confidence}",
        }[self.objective]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields ready for JSON; what belongs to two rates or to part types is left out where it is not."""
        names = FIELDS + BOTH_RATES_FIELDS if self.objective == "both-rates" else FIELDS
        found = {name: getattr(self, name) for name in names}
        if self.by_part_type:
            found[BY_PART_TYPE] = {name: own.to_dict() for name, own in self.by_part_type.items()}
        return found

    def _check_band(self) -> None:
        lower = self.reinspect_above
        if lower is None:
            sound = self.reinspected_undamaged == self.reinspected_damaged == 0
        else:
            sound = self.objective == "both-rates" and lower < self.threshold and math.isfinite(lower)
        if not sound:
            raise CalibrationError(
                f"objective {self.objective!r} with thresholds {lower} and {self.threshold} and "
                f"{self.reinspected_undamaged + self.reinspected_damaged} images between; calibrate again"
            )


FIELDS = (
    "threshold", "objective", "n_undamaged", "n_damaged", "false_alarms", "misses", "target", "confidence",
    "miss_cost", "notes",
)  # fmt: skip
"""Fields that every record holds."""
BOTH_RATES_FIELDS = (
    "max_miss_rate", "max_false_alarm_rate", "reinspect_above", "reinspected_undamaged", "reinspected_damaged",
)  # fmt: skip
"""Fields that a record holds for ``"both-rates"`` only, so that older readers understand all others."""
BY_PART_TYPE = "by_part_type"
"""Field of a record where some part types have thresholds of their own: the same fields for each."""


def counts_at(
    undamaged: Float64Array, damaged: Float64Array, *, threshold: float, reinspect_above: float | None
) -> dict[str, int]:
    """Count the verdicts on validation scores, by the names of the fields of `Calibration`.

    Parameters
    ----------
    undamaged, damaged : ndarray of float64, (n0,) and (n1,)
    threshold : float
    reinspect_above : float or None
    """
    low = threshold if reinspect_above is None else reinspect_above
    alarms, misses = int(np.sum(undamaged > threshold)), int(np.sum(damaged <= low))
    return {
        "n_undamaged": undamaged.size,
        "n_damaged": damaged.size,
        "false_alarms": alarms,
        "misses": misses,
        "reinspected_undamaged": int(np.sum(undamaged > low)) - alarms,
        "reinspected_damaged": int(np.sum(damaged <= threshold)) - misses,
    }
