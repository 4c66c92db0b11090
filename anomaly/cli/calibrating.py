"""A detector calibrated for an aim: the given one, or that of the calibration that stands."""

from __future__ import annotations

from collections.abc import Sequence

from anomaly.calibration import DEFAULT_FALSE_ALARM_TARGET, Calibration, ScoredImage
from anomaly.calibration.calibration import DEFAULT_CONFIDENCE
from anomaly.cli.aim import Aim
from anomaly.cli.progress import Reporter
from anomaly.dataset import LabelledImage
from anomaly.detector import Detector


def calibrated_for(
    aim: Aim,
    detector: Detector,
    labelled: Sequence[LabelledImage],
    *,
    scored: Sequence[ScoredImage] = (),
    reason: str,
    progress: Reporter,
) -> Detector:
    """Calibrate for an aim; the other arguments are those of :meth:`anomaly.Detector.calibrate`."""
    return detector.calibrate(
        labelled,
        scored=scored,
        objective=aim.objective,
        target=aim.target,
        confidence=DEFAULT_CONFIDENCE if aim.confidence is None else aim.confidence,
        miss_cost=aim.miss_cost,
        max_miss_rate=aim.max_miss_rate,
        max_false_alarm_rate=aim.max_false_alarm_rate,
        reason=reason,
        progress=progress,
    )


def standing_aim(detector: Detector, progress: Reporter) -> Aim:
    """Return what the standing calibration was chosen for; accuracy where there is none to keep."""
    standing = detector.calibration
    if standing is None or standing.objective == "accuracy" or _makeshift(standing):
        return Aim("accuracy")
    progress.remark(f"objective kept from the standing calibration: {standing.objective}")
    return Aim(
        standing.objective,
        standing.target,
        standing.confidence,
        standing.miss_cost,
        standing.max_miss_rate,
        standing.max_false_alarm_rate,
    )


def _makeshift(calibration: Calibration) -> bool:
    """Whether the false-alarm target only stood in for accuracy, there being no damaged image."""
    target = calibration.objective == "false-alarm-target" and calibration.target == DEFAULT_FALSE_ALARM_TARGET
    return target and calibration.n_damaged == 0
