"""From scores to a verdict: the threshold, whether the picture may be judged at all, and each of its parts."""

from __future__ import annotations

from dataclasses import replace

from anomaly.calibration import Calibration, CalibrationRecord
from anomaly.capture import CaptureReference
from anomaly.config import Config
from anomaly.detector.part_view import PartView
from anomaly.scoring import ProvenMaps, find_regions, part_scores
from anomaly.types import DAMAGED, NOT_JUDGED, PartVerdict, Prediction, UInt8Array


def apply_calibration(prediction: Prediction, record: CalibrationRecord, part_type: str) -> Prediction:
    """Add what a calibration says of a score, and the regions above its threshold."""
    calibration, score = record.calibration.for_part_type(part_type), prediction.score
    p, low, high = calibration.probability(score) or (None, None, None)
    judged = replace(
        prediction,
        label=calibration.label(score),
        threshold=calibration.threshold,
        reinspect_above=calibration.reinspect_above,
        probability=p,
        probability_low=low,
        probability_high=high,
        p_value=calibration.p_value(score),
        calibration_version=record.version,
    )
    return replace(judged, regions=find_regions(prediction.anomaly_map, calibration.region_threshold))


def check_capture(prediction: Prediction, reference: CaptureReference | None, config: Config) -> Prediction:
    """Say what is odd about a picture, and take the label off one that is beyond the capture limits.

    Such a picture keeps ``damaged`` where most of it looks ordinary: then something local is damaged, whatever the
    light.
    """
    sample = prediction.capture
    if reference is None or sample is None or not config.capture.check:
        return prediction
    found = reference.judge(sample, prediction.quality, refuse_at=config.capture.refuse_at)
    prediction = replace(prediction, quality=replace(prediction.quality, warnings=found.warnings))
    if prediction.label is None or not found.refused or (prediction.label == DAMAGED and not found.everywhere):
        return prediction
    return replace(
        prediction,
        label=NOT_JUDGED,
        probability=None,
        probability_low=None,
        probability_high=None,
        p_value=None,
    )


def judge_parts(
    pixels: UInt8Array, maps: ProvenMaps, view: PartView | None, calibration: Calibration
) -> tuple[PartVerdict, ...] | None:
    """Give each part of an image its own score and verdict; None where parts cannot be told apart.

    For images that a person has to look at. The parts of an undamaged image need not be looked for: none of them can be
    damaged (:func:`anomaly.scoring.part_scores`), and finding them takes time.
    """
    if view is None or view.finder is None:
        return None
    found = view.finder.find(pixels)
    labels, count = found.label_grid(*maps.shape), len(found.parts)
    grid_map = maps.in_parts(labels, count=count, value=calibration.region_threshold)
    scores = part_scores(grid_map, labels, count=count, top_share=maps.top_share)
    return tuple(
        PartVerdict(*part.box, part.area_px, part.cut_off, score, calibration.label(score))
        for part, score in zip(found.parts, scores, strict=True)
    )
