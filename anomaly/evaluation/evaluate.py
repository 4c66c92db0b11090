"""Score labelled images with a detector and report on it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from anomaly.calibration import Calibration, ScoredImage
from anomaly.dataset import LabelledImage
from anomaly.errors import ImageError, ImageUnreadableError
from anomaly.evaluation.kept import KeptArrays
from anomaly.evaluation.metrics import Undefined
from anomaly.evaluation.report import EvaluationReport, FailedImage, add_pixel_metrics, evaluate_scores
from anomaly.imaging.decode import load_upright
from anomaly.installed import refuse_without
from anomaly.types import UNDAMAGED, BoolArray, Float32Array, Prediction

_LOSSY, _HALF = ("JPEG", "MPO"), 127
"""Files that leave pixels beside an edge not quite black, and the value that a marked pixel exceeds there."""


class EvaluatedDetector(Protocol):
    """What an evaluation needs of a detector."""

    @property
    def calibration(self) -> Calibration | None:
        """The calibration that stands; None: not calibrated."""
        ...

    def predict(self, path: Path, /, *, part_type: str = "") -> Prediction:
        """Return the verdict on one image file that shows parts of a type; empty: not known."""
        ...


def evaluate(
    detector: EvaluatedDetector,
    images: Iterable[LabelledImage],
    *,
    confidence: float = 0.95,
    progress: Callable[[int], None] | None = None,
) -> EvaluationReport:
    """Predict every image and compare with the truth.

    Parameters
    ----------
    detector : EvaluatedDetector
    images : iterable of LabelledImage
        None of them in the memory bank; whoever calls has checked.
    confidence : float
        Of every interval, in (0, 1).
    progress : callable, optional
        Called with the number of images done, after each.

    Returns
    -------
    EvaluationReport
        An image that cannot be read, or whose mask cannot, is listed under ``failed`` and counts nowhere.
        Maps are only kept when some image has a mask; a damaged image without one is left out of the
        pixel metrics.

    Raises
    ------
    DatasetError
        The confidence is impossible.
    RuntimeUnavailableError
        scipy, or anomalib where there are masks, is not installed; no image was judged.
    """
    images = tuple(images)
    with_masks = any(image.mask is not None for image in images)
    check_installed(detector, masks=with_masks)
    scored: list[ScoredImage] = []
    failed: list[FailedImage] = []
    with KeptArrays[Float32Array]() as maps, KeptArrays[BoolArray | None]() as masks:
        for done, image in enumerate(images, start=1):
            try:
                prediction = detector.predict(image.path, part_type=image.part_type)
                mask = None if image.mask is None else read_mask(image.mask)
                scored_image = _scored(image, prediction.score)
            except ImageError as error:
                failed.append(FailedImage(name=image.name, error=str(error)))
            else:
                scored.append(scored_image)
                if with_masks and (mask is not None or image.label == UNDAMAGED):
                    maps.append(prediction.anomaly_map)
                    masks.append(mask)
            if progress is not None:
                progress(done)
        report = evaluate_scores(scored, detector.calibration, confidence=confidence)
        report = dataclasses.replace(report, failed=tuple(failed))
        if not with_masks:
            return dataclasses.replace(report, pixels=Undefined("the data have no masks"))
        return add_pixel_metrics(report, maps=maps, masks=masks)


def check_installed(detector: EvaluatedDetector, *, masks: bool) -> None:
    """Refuse, before long work, an evaluation that could not be finished.

    Parameters
    ----------
    detector : EvaluatedDetector
    masks : bool
        Whether some image has a mask.

    Raises
    ------
    RuntimeUnavailableError
        A library is missing: SciPy for intervals of rates and for pixel metrics, anomalib for pixel metrics.
    """
    needed = {"scipy": masks or detector.calibration is not None, "anomalib": masks}
    refuse_without("an evaluation needs", [name for name, wanted in needed.items() if wanted])


def read_mask(path: Path) -> BoolArray:
    """Return the mask in a picture: True where it is not black, in a JPEG where it is brighter than half.

    Parameters
    ----------
    path : Path
        A picture of any mode, brought upright like the photograph; its alpha channel does not count.

    Returns
    -------
    ndarray of bool, (H, W)

    Raises
    ------
    ImageUnreadableError, ImageTooLargeError
        As :func:`anomaly.imaging.decode.load_upright`.
    """
    picture = load_upright(path)
    lossy = picture.format in _LOSSY
    if picture.mode in ("P", "PA", "CMYK", "YCbCr"):  # where black is not all zeros
        picture = picture.convert("RGBA")
    values = np.asarray(picture)
    pixels = values > _HALF if lossy else values != 0
    if pixels.ndim == 3:
        bands = picture.getbands()
        pixels = pixels[:, :, : len(bands) - ("A" in bands)].any(axis=2)
    return np.ascontiguousarray(pixels, dtype=np.bool_)


def _scored(image: LabelledImage, score: float) -> ScoredImage:
    try:
        with image.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImageUnreadableError(
            f"{image.path}: expected a readable file, got {error.strerror}; check it", path=image.path
        ) from error
    return ScoredImage(
        name=image.name,
        sha256=sha256,
        label=image.label,
        score=score,
        part_type=image.part_type,
        group=image.group,
        defect=image.defect,
    )
