"""What a set of labelled scores says about a detector."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anomaly.calibration import Calibration, ScoredImage
from anomaly.evaluation.bootstrap import average_precision_interval, pixel_intervals
from anomaly.evaluation.metrics import (
    Interval,
    Rate,
    Undefined,
    auroc_interval,
    average_precision,
    confusion,
    rate_interval,
)
from anomaly.evaluation.reliability import Reliability, reliability
from anomaly.types import DAMAGED, BoolArray, Float32Array


@dataclass(frozen=True)
class SliceReport:
    """Measures over all images, one part type, one group, or one kind of damage and all undamaged images.

    Attributes
    ----------
    name : str
    n_undamaged, n_damaged : int
    miss_rate : Rate or Undefined
        Damaged images labelled undamaged, of all damaged ones.
    false_alarm_rate : Rate or Undefined
        Undamaged images labelled damaged, of all undamaged ones.
    accuracy : Rate or Undefined
        Images on the right side, of those that were decided: all of them where there is one threshold.
    auroc : Interval or Undefined
    average_precision : float or Undefined
    average_precision_interval : Interval or Undefined
        Undefined where resampling says nothing.
    reinspected : Rate, Undefined or None
        Images left to a person, of all; None: the calibration has one threshold.
    """

    name: str
    n_undamaged: int
    n_damaged: int
    miss_rate: Rate | Undefined
    false_alarm_rate: Rate | Undefined
    accuracy: Rate | Undefined
    auroc: Interval | Undefined
    average_precision: float | Undefined
    average_precision_interval: Interval | Undefined
    reinspected: Rate | Undefined | None = None


@dataclass(frozen=True)
class PixelReport:
    """How well the anomaly maps point at the masks.

    Attributes
    ----------
    auroc, aupro : float or Undefined
    n_images : int
        Undamaged images, and damaged ones that have a mask.
    n_masks : int
        Damaged images that have a mask with a defect pixel.
    auroc_interval, aupro_interval : Interval or Undefined
        Over images.
    """

    auroc: float | Undefined
    aupro: float | Undefined
    n_images: int
    n_masks: int
    auroc_interval: Interval | Undefined
    aupro_interval: Interval | Undefined


@dataclass(frozen=True)
class FailedImage:
    """An image that could not be scored; it is in no count."""

    name: str
    error: str


@dataclass(frozen=True)
class EvaluationReport:
    """The result of an evaluation, counts first.

    Attributes
    ----------
    overall : SliceReport
    by_part_type : tuple of SliceReport
        Empty where the data carry no part type.
    by_defect : tuple of SliceReport
        Each kind of damage against all undamaged images; empty where the data name no kind. An image with several
        kinds, joined by ``+``, counts under each of them.
    by_group : tuple of SliceReport
        Empty where the data name no group.
    threshold : float or None
        None: the detector is not calibrated.
    reinspect_above : float or None
        The lower threshold, where there are two.
    confidence : float
        Of every interval.
    pixels : PixelReport or Undefined
    probabilities : Reliability or Undefined
        Are the probabilities of damage right, over the images that have one.
    failed : tuple of FailedImage
    part_type_thresholds : mapping of str to float
        Of the part types that are judged by a threshold of their own.
    """

    overall: SliceReport
    by_part_type: tuple[SliceReport, ...]
    by_defect: tuple[SliceReport, ...]
    by_group: tuple[SliceReport, ...]
    threshold: float | None
    reinspect_above: float | None
    confidence: float
    pixels: PixelReport | Undefined
    probabilities: Reliability | Undefined
    failed: tuple[FailedImage, ...] = ()
    part_type_thresholds: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the report ready for JSON; what is undefined is ``{"undefined": reason}``."""
        found = _plain(self)
        assert isinstance(found, dict)
        return found

    def lines(self) -> list[str]:
        """Return the report as plain text, a line each, for a terminal."""
        from anomaly.evaluation.wording import report_lines

        return report_lines(self)


def evaluate_scores(
    scored: Sequence[ScoredImage], calibration: Calibration | None, *, confidence: float = 0.95
) -> EvaluationReport:
    """Return what labelled scores say; pixel metrics are left undefined.

    Parameters
    ----------
    scored : sequence of ScoredImage
        None of them in the memory bank.
    calibration : Calibration or None
        None: rates are undefined, areas are not.
    confidence : float
        Of every interval, in (0, 1).

    Returns
    -------
    EvaluationReport

    Raises
    ------
    DatasetError
        The confidence is impossible.
    RuntimeUnavailableError
        scipy is not installed.
    """

    def measure(name: str, images: Sequence[ScoredImage]) -> SliceReport:
        return _slice(name, images, calibration, confidence=confidence)

    kinds = {image.name: frozenset(image.defect.split("+")) - {""} for image in scored if image.label == DAMAGED}
    return EvaluationReport(
        overall=measure("all", scored),
        by_part_type=tuple(measure(name, images) for name, images in _slices(scored, "part_type")),
        by_defect=tuple(
            measure(kind, [image for image in scored if image.label != DAMAGED or kind in kinds[image.name]])
            for kind in sorted(frozenset[str]().union(*kinds.values()))
        ),
        by_group=tuple(measure(name, images) for name, images in _slices(scored, "group")),
        threshold=None if calibration is None else calibration.threshold,
        reinspect_above=None if calibration is None else calibration.reinspect_above,
        confidence=confidence,
        pixels=Undefined("no masks were given"),
        probabilities=_probabilities(scored, calibration, confidence=confidence),
        part_type_thresholds={
            name: own.threshold for name, own in ({} if calibration is None else calibration.by_part_type).items()
        },
    )


def _slices(scored: Sequence[ScoredImage], field: str) -> list[tuple[str, list[ScoredImage]]]:
    """Return the images by the values of a field; those where it is empty are in none."""
    names = sorted({str(getattr(image, field)) for image in scored} - {""})
    return [(name, [image for image in scored if getattr(image, field) == name]) for name in names]


def _probabilities(
    scored: Sequence[ScoredImage], calibration: Calibration | None, *, confidence: float
) -> Reliability | Undefined:
    if calibration is None:
        return Undefined("the detector is not calibrated")
    found = [calibration.for_part_type(image.part_type).probability(image.score) for image in scored]
    said = [triple[0] for triple in found if triple is not None]
    if found and not said:
        return Undefined("no damaged image was labelled when the detector was calibrated")
    pairs = list(zip(scored, found, strict=True))
    damaged = np.array([image.label == DAMAGED for image, triple in pairs if triple is not None], dtype=np.bool_)
    without = tuple(sorted({image.part_type for image, triple in pairs if triple is None}))
    measured = reliability(said, damaged, confidence=confidence)
    return measured if isinstance(measured, Undefined) else dataclasses.replace(measured, part_types_without=without)


def add_pixel_metrics(
    report: EvaluationReport,
    *,
    maps: Sequence[Float32Array],
    masks: Sequence[BoolArray | None],
) -> EvaluationReport:
    """Return the report with pixel metrics from pairs of anomaly map and mask.

    Parameters
    ----------
    report : EvaluationReport
    maps : sequence of ndarray of float32, (H, W)
    masks : sequence of ndarray of bool, (H', W'), or None
        None for an undamaged image only; a damaged image without a mask must be left out, its damage is
        somewhere.

    Raises
    ------
    DatasetError
        Maps and masks do not fit together.
    RuntimeUnavailableError
        anomalib is not installed.
    """
    from anomaly.interop import pixel_metrics

    n_masks = sum(mask is not None and bool(mask.any()) for mask in masks)
    if not n_masks:
        return dataclasses.replace(report, pixels=Undefined("no mask has a defect pixel"))
    if all(mask is not None and bool(mask.all()) for mask in masks):
        return dataclasses.replace(report, pixels=Undefined("every pixel is a defect pixel"))
    found = pixel_metrics(maps, masks)
    auroc_interval, aupro_interval = pixel_intervals(
        maps, masks, auroc=found.auroc, aupro=found.aupro, confidence=report.confidence
    )
    pixels = PixelReport(
        auroc=found.auroc,
        aupro=found.aupro,
        n_images=found.n_images,
        n_masks=n_masks,
        auroc_interval=auroc_interval,
        aupro_interval=aupro_interval,
    )
    return dataclasses.replace(report, pixels=pixels)


def _slice(
    name: str, images: Sequence[ScoredImage], calibration: Calibration | None, *, confidence: float
) -> SliceReport:
    scores = np.array([image.score for image in images], dtype=np.float64)
    damaged = np.array([image.label == DAMAGED for image in images], dtype=np.bool_)
    miss_rate: Rate | Undefined
    false_alarm_rate: Rate | Undefined
    accuracy: Rate | Undefined
    miss_rate = false_alarm_rate = accuracy = Undefined("the detector is not calibrated")
    reinspected: Rate | Undefined | None = None
    if calibration is not None:
        judging = [calibration.for_part_type(image.part_type) for image in images]
        low = [one.region_threshold for one in judging]
        counts = confusion(scores, damaged, threshold=[one.threshold for one in judging], reinspect_above=low)
        one_each = all(one.reinspect_above is None for one in (calibration, *calibration.by_part_type.values()))
        miss_rate = _rate(counts.misses, counts.n_damaged, kind="damaged", confidence=confidence)
        false_alarm_rate = _rate(counts.false_alarms, counts.n_undamaged, kind="undamaged", confidence=confidence)
        kind = "labelled" if one_each else "decided"
        accuracy = _rate(counts.correct, counts.decided, kind=kind, confidence=confidence)
        if not one_each:
            reinspected = _rate(counts.reinspected, len(images), kind="labelled", confidence=confidence)
    return SliceReport(
        name=name,
        n_undamaged=int(np.sum(~damaged)),
        n_damaged=int(np.sum(damaged)),
        miss_rate=miss_rate,
        false_alarm_rate=false_alarm_rate,
        accuracy=accuracy,
        auroc=auroc_interval(scores, damaged, confidence=confidence),
        average_precision=average_precision(scores, damaged),
        average_precision_interval=average_precision_interval(scores, damaged, confidence=confidence),
        reinspected=reinspected,
    )


def _rate(count: int, n: int, *, kind: str, confidence: float) -> Rate | Undefined:
    return rate_interval(count, n, confidence=confidence) if n else Undefined(f"there is no {kind} image")


def _plain(value: Any) -> Any:
    if isinstance(value, Undefined):
        return {"undefined": value.reason}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
