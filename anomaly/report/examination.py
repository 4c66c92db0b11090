"""The photographs behind a trained model, judged and measured once: the test split, and how every picture was taken."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anomaly.calibration import Calibration
from anomaly.dataset import LabelledImage, SplitEntry, read_dataset
from anomaly.detector import BankImage, Detector, Progress, silent
from anomaly.errors import DatasetError, ImageError
from anomaly.evaluation import evaluate, read_mask
from anomaly.imaging import measure_quality
from anomaly.imaging.components import label_components
from anomaly.imaging.decode import content_hash, load_image
from anomaly.report.results import CaptureRow, ExaminedImage, TestResults
from anomaly.types import DAMAGED, NOT_JUDGED, BoolArray, CaptureQuality, Float32Array, Prediction


@dataclass
class _Watch:
    """The detector, remembering what each prediction said and how long it took; maps are not kept.

    Of photographs with a mask it remembers how large the damage is, and whether the map marks it.
    """

    detector: Detector
    masks: Mapping[Path, Path] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    predictions: dict[Path, Prediction] = field(default_factory=dict)
    damage: dict[Path, tuple[int, bool | None]] = field(default_factory=dict)

    @property
    def calibration(self) -> Calibration | None:
        return self.detector.calibration

    @property
    def bank_images(self) -> tuple[BankImage, ...]:
        return self.detector.bank_images

    def predict(self, path: Path, /, *, part_type: str = "") -> Prediction:
        started = time.perf_counter()
        found = self.detector.predict(path, part_type=part_type)
        self.seconds.append(time.perf_counter() - started)
        self.predictions[path] = replace(found, anomaly_map=np.zeros((0, 0), dtype=np.float32))
        if path in self.masks:
            self._remember_damage(path, found, part_type)
        return found

    def _remember_damage(self, path: Path, found: Prediction, part_type: str) -> None:
        mask = read_mask(self.masks[path])  # where it cannot be read, the evaluation could not read it either
        if not mask.any():
            return
        met = None
        if self.calibration is not None:
            own = self.calibration.for_part_type(part_type)
            if own.label(found.score) == DAMAGED:
                met = meets(found.anomaly_map, mask, threshold=own.threshold)
        self.damage[path] = largest_area(mask), met

    def quality(self, path: Path) -> CaptureQuality:
        """Return how a photograph was taken, measured when it was judged where it was."""
        judged = self.predictions.get(path)
        if judged is not None:
            return judged.quality
        return measure_quality(load_image(path, limits=self.detector.config.image))


def find_photographs(
    folder: Path, splits: Sequence[SplitEntry], *, progress: Progress = silent
) -> dict[str, LabelledImage]:
    """Return the photographs of a folder that training used, by the sha256 of their content.

    Parameters
    ----------
    folder : Path
        In a layout that ``--train`` accepts.
    splits : sequence of SplitEntry
    progress : Progress
        Told about ``finding photographs``.

    Raises
    ------
    DatasetError
        The folder is not readable as labelled photographs, or none of them was used in training.
    """
    known = {entry.sha256 for entry in splits}
    images = read_dataset(folder).images
    found: dict[str, LabelledImage] = {}
    for done, image in enumerate(images, start=1):
        try:
            sha256 = content_hash(image.path)
        except ImageError:
            continue
        if sha256 in known:
            found.setdefault(sha256, image)
        progress("finding photographs", done, len(images))
    if not found:
        raise DatasetError(
            f"none of the {len(images)} photographs in {folder} is one that this model was trained with: name the "
            "folder that it was trained on with --data DIR"
        )
    return found


def examine(
    detector: Detector,
    photographs: Mapping[str, LabelledImage],
    *,
    training: str,
    data: str,
    progress: Progress = silent,
) -> tuple[TestResults, dict[str, LabelledImage]]:
    """Judge the test split, and measure how all photographs were taken.

    Parameters
    ----------
    detector : Detector
    photographs : mapping of str to LabelledImage
        By sha256, as :func:`find_photographs` returns them.
    training, data : str
        Fingerprint of the training and name of the folder, for the record.
    progress : Progress
        Told about ``judging test photographs`` and ``measuring photographs``.

    Returns
    -------
    TestResults
        Without examples.
    dict of str to LabelledImage
        The judged photographs by name.

    Raises
    ------
    RuntimeUnavailableError
        A library that training needs is missing.
    """
    splits = detector.provenance.splits
    test = [entry for entry in splits if entry.split == "test" and entry.sha256 in photographs]
    labelled = [photographs[entry.sha256] for entry in test]
    watch = _Watch(detector, {image.path: image.mask for image in labelled if image.mask is not None})
    tell = partial(progress, "judging test photographs")
    report = evaluate(watch, labelled, progress=lambda _, done, total: tell(done, total))
    failed = {image.name: image.error for image in report.failed}
    entries = {photographs[entry.sha256].name: entry for entry in test}
    images = tuple(_judged(image, entries[image.name], watch) for image in labelled if image.name not in failed)
    record = detector.record
    results = TestResults(
        training=training,
        calibration=record.version if record else 0,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=data,
        seconds_per_image=float(np.median(watch.seconds)) if watch.seconds else None,
        images=images,
        failed=tuple(sorted(failed.items())),
        pixels=_pixels(report.to_dict()),
        capture=_capture(watch, photographs, progress),
        missing=sum(entry.sha256 not in photographs for entry in splits),
    )
    return results, {image.name: image for image in labelled}


def _judged(image: LabelledImage, entry: SplitEntry, watch: _Watch) -> ExaminedImage:
    prediction, calibration = watch.predictions[image.path], watch.calibration
    damaged_px, met = watch.damage.get(image.path, (None, None))
    return ExaminedImage(
        name=image.name,
        sha256=entry.sha256,
        label=image.label,
        score=prediction.score,
        verdict=None if calibration is None else calibration.for_part_type(image.part_type).label(prediction.score),
        part_type=image.part_type,
        group=image.group,
        defect=image.defect,
        damaged_px=damaged_px,
        image_px=prediction.quality.width * prediction.quality.height,
        refused=prediction.label == NOT_JUDGED,
        met=met,
    )


def meets(anomaly_map: Float32Array, mask: BoolArray, *, threshold: float) -> bool:
    """Whether the map above the threshold and a mask have a pixel in common.

    Parameters
    ----------
    anomaly_map : ndarray of float32, (H, W)
    mask : ndarray of bool, (H', W')
        Where its size is another one, the map is brought to it, linearly, as for pixel metrics.
    threshold : float
    """
    values = anomaly_map
    if values.shape != mask.shape:
        size = (mask.shape[1], mask.shape[0])
        values = np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BILINEAR))
    return bool(((values > np.float64(threshold)) & mask).any())


def largest_area(mask: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    """Pixels of the largest connected area of a mask (H, W) that is not empty."""
    labels, count = label_components(mask)
    assert count > 0
    return int(np.bincount(labels.ravel())[1:].max())


def _pixels(report: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = report["pixels"]
    return found


def _capture(watch: _Watch, photographs: Mapping[str, LabelledImage], progress: Progress) -> tuple[CaptureRow, ...]:
    rows: list[CaptureRow] = []
    known = [entry for entry in watch.detector.provenance.splits if entry.sha256 in photographs]
    for done, entry in enumerate(known, start=1):
        image = photographs[entry.sha256]
        try:
            quality = watch.quality(image.path)
        except ImageError:
            continue
        rows.append(
            CaptureRow(
                name=entry.name,
                split=entry.split,
                label=entry.label,
                part_type=entry.part_type,
                group=entry.group,
                width=quality.width,
                height=quality.height,
                brightness=quality.brightness,
                contrast=quality.contrast,
                sharpness=quality.sharpness,
                clipped_dark=quality.clipped_dark,
                clipped_bright=quality.clipped_bright,
            )
        )
        progress("measuring photographs", done, len(known))
    return tuple(rows)
