"""Thresholds to choose from: each chosen on the validation photographs, counted on the test photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from anomaly.calibration import Calibration, Objective, ScoredImage, calibrate, calibrate_by_type
from anomaly.errors import CalibrationError, PromiseNotPossibleError
from anomaly.evaluation import Confusion, confusion
from anomaly.report.results import ExaminedImage
from anomaly.types import DAMAGED


@dataclass(frozen=True)
class OperatingPoint:
    """A way to set the threshold.

    Attributes
    ----------
    name : str
        What it is for, in words.
    options : str
        Of ``--recalibrate``; empty: what stands.
    calibration : Calibration or None
        None: the validation photographs do not allow it.
    test : Confusion or None
        On the test split; None: no calibration, or no test photographs.
    refusal : str
        Why there is none; empty where there is one.
    """

    name: str
    options: str
    calibration: Calibration | None
    test: Confusion | None
    refusal: str = ""


@dataclass(frozen=True)
class _Choice:
    name: str
    options: str
    objective: Objective
    target: float | None = None
    miss_cost: float | None = None


_CHOICES = (
    _Choice("a miss costs 5 false alarms", "--miss-cost 5", "cost", miss_cost=5.0),
    _Choice("a miss costs 20 false alarms", "--miss-cost 20", "cost", miss_cost=20.0),
    _Choice("at most 10 % misses, promised", "--max-miss-rate 0.1", "max-miss-rate", target=0.1),
    _Choice("at most 5 % false alarms, promised", "--max-false-alarm-rate 0.05", "max-false-alarm-rate", target=0.05),
)


def operating_points(
    standing: Calibration | None,
    validation: Sequence[ScoredImage],
    test: Sequence[ExaminedImage],
    *,
    left_out_scores: Sequence[float] = (),
) -> tuple[OperatingPoint, ...]:
    """Return the standing threshold and its alternatives.

    Parameters
    ----------
    standing : Calibration or None
        None: there is nothing to choose from.
    validation : sequence of ScoredImage
    test : sequence of ExaminedImage
        May be empty.
    left_out_scores : sequence of float
        See :func:`anomaly.calibrate`.
    """
    if standing is None:
        return ()
    points = [OperatingPoint("the threshold in use", "", standing, _count(standing, test))]
    for choice in _CHOICES:
        refusal, other = "", None
        try:
            other = calibrate_by_type(
                validation,
                partial(
                    calibrate,
                    objective=choice.objective,
                    target=choice.target,
                    miss_cost=choice.miss_cost,
                    left_out_scores=left_out_scores,
                ),
            )
        except PromiseNotPossibleError as refused:
            label = "damaged" if choice.objective == "max-miss-rate" else "undamaged"
            refusal = f"needs {refused.needed} {label} validation photographs"
        except CalibrationError:
            refusal = "needs labelled damaged photographs"
        counts = None if other is None else _count(other, test)
        points.append(OperatingPoint(choice.name, choice.options, other, counts, refusal))
    return tuple(points)


def _count(calibration: Calibration, test: Sequence[ExaminedImage]) -> Confusion | None:
    if not test:
        return None
    judging = [calibration.for_part_type(image.part_type) for image in test]
    return confusion(
        [image.score for image in test],
        np.array([image.label == DAMAGED for image in test], dtype=np.bool_),
        threshold=[one.threshold for one in judging],
        reinspect_above=[one.region_threshold for one in judging],
    )
