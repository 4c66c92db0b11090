"""Score labelled images with a detector and report on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np

from anomaly.calibration import Calibration, ScoredImage
from anomaly.dataset import Dataset, LabelledImage, labelled_images, refuse_bank_images
from anomaly.detector import BankImage, Progress, silent
from anomaly.errors import ImageError
from anomaly.evaluation.kept import KeptArrays
from anomaly.evaluation.metrics import Undefined
from anomaly.evaluation.report import EvaluationReport, FailedImage, add_pixel_metrics, evaluate_scores
from anomaly.imaging.decode import content_hash, load_upright
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

    @property
    def bank_images(self) -> Sequence[BankImage]:
        """The images of its memory bank; none of them is judged."""
        ...

    def predict(self, path: Path, /, *, part_type: str = "") -> Prediction:
        """Return the verdict on one image file that shows parts of a type; empty: not known.

        With the ``sha256`` of the file that was judged.
        """
        ...


def evaluate(
    detector: EvaluatedDetector,
    images: Path | str | Dataset | Iterable[LabelledImage],
    *,
    confidence: float = 0.95,
    progress: Progress = silent,
) -> EvaluationReport:
    """Predict every image and compare with the truth.

    Parameters
    ----------
    detector : EvaluatedDetector
    images : folder, Dataset or iterable of LabelledImage
        None of them in the memory bank. A folder is read as ``--data DIR`` is.
    confidence : float
        Of every interval, in (0, 1).
    progress : Progress
        Told about the stage ``judging images``.

    Returns
    -------
    EvaluationReport
        An image that cannot be read, or whose mask cannot, is listed under ``failed`` and counts nowhere.
        Maps are only kept when some image has a mask; a damaged image without one is left out of the
        pixel metrics.

    Raises
    ------
    LeakError
        Some images are in the memory bank, by the content of their files; no image was judged.
    DatasetError
        The confidence is impossible, or the images are not what is said above.
    RuntimeUnavailableError
        scipy, or anomalib where there are masks, is not installed; no image was judged.
    """
    images = labelled_images(images)
    with_masks = any(image.mask is not None for image in images)
    check_installed(detector, masks=with_masks)
    refuse_bank_images(_hashes(images), [(image.name, image.sha256) for image in detector.bank_images])
    scored: list[ScoredImage] = []
    failed: list[FailedImage] = []
    with KeptArrays[Float32Array]() as maps, KeptArrays[BoolArray | None]() as masks:
        for done, image in enumerate(images, start=1):
            try:
                prediction = detector.predict(image.path, part_type=image.part_type)
                mask = None if image.mask is None else read_mask(image.mask)
            except ImageError as error:
                failed.append(FailedImage(name=image.name, error=str(error)))
            else:
                scored.append(_scored(image, prediction))
                if with_masks and (mask is not None or image.label == UNDAMAGED):
                    maps.append(prediction.anomaly_map)
                    masks.append(mask)
            progress("judging images", done, len(images))
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


def _hashes(images: Sequence[LabelledImage]) -> Iterator[tuple[str, str]]:
    """Yield name and sha256 of each image; without those that cannot be read, which are told when they are judged."""
    for image in images:
        with suppress(ImageError):
            yield image.name, content_hash(image.path)


def _scored(image: LabelledImage, prediction: Prediction) -> ScoredImage:
    return ScoredImage(
        name=image.name,
        sha256=prediction.sha256,
        label=image.label,
        score=prediction.score,
        part_type=image.part_type,
        group=image.group,
        defect=image.defect,
    )
