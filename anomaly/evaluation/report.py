"""What a set of labelled scores says about a detector."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anomaly.calibration import Calibration, ScoredImage
from anomaly.evaluation.metrics import (
    Interval,
    Rate,
    Undefined,
    auroc_interval,
    average_precision,
    confusion,
    rate_interval,
)
from anomaly.types import DAMAGED, BoolArray, Float32Array


@dataclass(frozen=True)
class SliceReport:
    """Measures over all images, over one part type, or over one kind of damage and all undamaged images.

    Attributes
    ----------
    name : str
    n_undamaged, n_damaged : int
    miss_rate : Rate or Undefined
        Damaged images that are not flagged, of all damaged ones.
    false_alarm_rate : Rate or Undefined
        Undamaged images that are flagged, of all undamaged ones.
    accuracy : Rate or Undefined
        Images on the right side, of all.
    auroc : Interval or Undefined
    average_precision : float or Undefined
    """

    name: str
    n_undamaged: int
    n_damaged: int
    miss_rate: Rate | Undefined
    false_alarm_rate: Rate | Undefined
    accuracy: Rate | Undefined
    auroc: Interval | Undefined
    average_precision: float | Undefined


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
    """

    auroc: float | Undefined
    aupro: float | Undefined
    n_images: int
    n_masks: int


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
        Each kind of damage against all undamaged images; empty where the data name no kind.
    threshold : float or None
        None: the detector is not calibrated.
    confidence : float
        Of every interval.
    pixels : PixelReport or Undefined
    failed : tuple of FailedImage
    """

    overall: SliceReport
    by_part_type: tuple[SliceReport, ...]
    by_defect: tuple[SliceReport, ...]
    threshold: float | None
    confidence: float
    pixels: PixelReport | Undefined
    failed: tuple[FailedImage, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report ready for JSON; what is undefined is ``{"undefined": reason}``."""
        found = _plain(self)
        assert isinstance(found, dict)
        return found

    def lines(self) -> list[str]:
        """Return the report as plain text, a line each, for a terminal."""
        found = _slice_lines(self.overall, confidence=self.confidence)
        if isinstance(self.pixels, Undefined):
            found.append(f"pixel metrics undefined: {self.pixels.reason}")
        else:
            auroc, aupro = _area(self.pixels.auroc), _area(self.pixels.aupro)
            found.append(f"pixel AUROC {auroc}, AUPRO {aupro} ({self.pixels.n_masks} masks)")
        for title, slices in (("part type", self.by_part_type), ("damage", self.by_defect)):
            found += [f"{title} {part.name}: {_short(part)}" for part in slices]
        found += [f"not scored: {image.name}: {image.error}" for image in self.failed]
        return found


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
    threshold = None if calibration is None else calibration.threshold

    def measure(name: str, images: Sequence[ScoredImage]) -> SliceReport:
        return _slice(name, images, threshold=threshold, confidence=confidence)

    part_types = sorted({image.part_type for image in scored} - {""})
    defects = sorted({image.defect for image in scored if image.label == DAMAGED} - {""})
    return EvaluationReport(
        overall=measure("all", scored),
        by_part_type=tuple(
            measure(part_type, [image for image in scored if image.part_type == part_type]) for part_type in part_types
        ),
        by_defect=tuple(
            measure(defect, [image for image in scored if image.label != DAMAGED or image.defect == defect])
            for defect in defects
        ),
        threshold=threshold,
        confidence=confidence,
        pixels=Undefined("no masks were given"),
    )


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
    pixels = PixelReport(auroc=found.auroc, aupro=found.aupro, n_images=found.n_images, n_masks=n_masks)
    return dataclasses.replace(report, pixels=pixels)


def _slice(name: str, images: Sequence[ScoredImage], *, threshold: float | None, confidence: float) -> SliceReport:
    scores = np.array([image.score for image in images], dtype=np.float64)
    damaged = np.array([image.label == DAMAGED for image in images], dtype=np.bool_)
    miss_rate: Rate | Undefined
    false_alarm_rate: Rate | Undefined
    accuracy: Rate | Undefined
    miss_rate = false_alarm_rate = accuracy = Undefined("the detector is not calibrated")
    if threshold is not None:
        counts = confusion(scores, damaged, threshold=threshold)
        miss_rate = _rate(counts.misses, counts.n_damaged, kind="damaged", confidence=confidence)
        false_alarm_rate = _rate(counts.false_alarms, counts.n_undamaged, kind="undamaged", confidence=confidence)
        accuracy = _rate(counts.correct, len(images), kind="labelled", confidence=confidence)
    return SliceReport(
        name=name,
        n_undamaged=int(np.sum(~damaged)),
        n_damaged=int(np.sum(damaged)),
        miss_rate=miss_rate,
        false_alarm_rate=false_alarm_rate,
        accuracy=accuracy,
        auroc=auroc_interval(scores, damaged, confidence=confidence),
        average_precision=average_precision(scores, damaged),
    )


def _rate(count: int, n: int, *, kind: str, confidence: float) -> Rate | Undefined:
    return rate_interval(count, n, confidence=confidence) if n else Undefined(f"there is no {kind} image")


def _slice_lines(part: SliceReport, *, confidence: float) -> list[str]:
    found = [_short(part)]
    for name, rate in (
        ("miss rate", part.miss_rate),
        ("false-alarm rate", part.false_alarm_rate),
        ("accuracy", part.accuracy),
    ):
        found.append(f"{name} {_text(rate)}")
    found.append(f"image AUROC {_text(part.auroc)}")
    found.append(f"average precision {_area(part.average_precision)}")
    found.append(f"intervals at {100 * confidence:g} % confidence")
    return found


def _short(part: SliceReport) -> str:
    if isinstance(part.accuracy, Undefined):
        counted = f"{part.n_damaged} damaged, {part.n_undamaged} undamaged; rates undefined: "
        return counted + part.accuracy.reason
    missed = part.miss_rate.count if isinstance(part.miss_rate, Rate) else 0
    flagged = part.false_alarm_rate.count if isinstance(part.false_alarm_rate, Rate) else 0
    damaged = f"{missed} of {part.n_damaged} damaged missed" if part.n_damaged else "no damaged image"
    undamaged = f"{flagged} of {part.n_undamaged} undamaged flagged" if part.n_undamaged else "no undamaged image"
    return f"{damaged}, {undamaged}"


def _text(found: Rate | Interval | Undefined) -> str:
    if isinstance(found, Undefined):
        return f"undefined: {found.reason}"
    return f"{100 * found.value:.1f} % ({100 * found.low:.1f}-{100 * found.high:.1f} %)"


def _area(found: float | Undefined) -> str:
    return f"undefined: {found.reason}" if isinstance(found, Undefined) else f"{100 * found:.1f} %"


def _plain(value: Any) -> Any:
    if isinstance(value, Undefined):
        return {"undefined": value.reason}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
