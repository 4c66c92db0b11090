"""Images into the memory bank and out of it, without training again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from anomaly.calibration import ScoredImage
from anomaly.capture import CaptureReference
from anomaly.detector.detector import Detector
from anomaly.detector.embedded import Wanted, embed_one
from anomaly.detector.features import BankImage, part_type_of
from anomaly.detector.thumbnails import Thumbnails
from anomaly.detector.turned import bank_turns
from anomaly.errors import TooFewImagesError
from anomaly.imaging.decode import load_image
from anomaly.types import BoolArray, Float32Array, Int64Array
from memory_bank import MemoryBank, extend_coreset

LEAST_IMAGES = 2
"""Fewer undamaged images leave nothing to compare one with."""


def with_image(detector: Detector, path: Path) -> Detector:
    """Return the detector with one more undamaged image in its memory bank.

    It adds the share of its patches that the coresets keep, always the one that is farthest from all rows so far: the
    greedy choice of training goes on from the rows that are there (:func:`memory_bank.extend_coreset`). It is turned
    as the images of training were. Its part type is that of the images which most of its patches are nearest to. What
    it is like as a whole is ordinary from now on, so that the capture check refuses neither it nor pictures like it.

    Parameters
    ----------
    detector : Detector
    path : Path

    Returns
    -------
    Detector
        Under the same calibrations, whose scores were made by the other bank: calibrate it anew.

    Raises
    ------
    ImageError
    """
    found = embed_one(detector.extractor, Wanted(path, bank_turns(detector.config)), detector.config)
    number = len(detector.bank_images)
    banks = []
    for bank, of_tap in zip(detector.banks, zip(*found.copies, strict=True), strict=True):
        rows = np.concatenate([copy.vectors for copy in of_tap])
        tags = np.concatenate([copy.tags for copy in of_tap])
        chosen = _farthest(rows, bank, _share(detector, len(of_tap[0].tags), len(rows)))
        banks.append(bank.add(rows[chosen], number, tags[chosen]))
    name = _free_name(path.name, {image.name for image in detector.bank_images})
    nearest = [bank.search(rows.vectors).index for bank, rows in zip(detector.banks, found.copies[0], strict=True)]
    part_type = part_type_of(nearest, detector.banks, detector.bank_images)
    entry = BankImage(name, found.sha256, found.width, found.height, part_type)
    pictures = {image.name: detector.thumbnails.entry(image.name) for image in detector.bank_images}
    return replace(
        detector,
        banks=tuple(banks),
        bank_images=(*detector.bank_images, entry),
        thumbnails=Thumbnails({**pictures, name: found.thumbnail}),
        capture=_with_ordinary(detector, path, found.sha256),
    )


def without_images(detector: Detector, numbers: Collection[int]) -> Detector:
    """Return the detector without the rows of some bank images; what they had stood for stays uncovered.

    An image that came after training is no longer an ordinary picture for the capture check, either.

    Parameters
    ----------
    detector : Detector
    numbers : collection of int
        Places among the bank images.

    Returns
    -------
    Detector
        Under the same calibrations, whose scores were made by the other bank: calibrate it anew.

    Raises
    ------
    TooFewImagesError
        Fewer than 2 images, or no row of a tap, would be left.
    """
    kept = [number for number in range(len(detector.bank_images)) if number not in set(numbers)]
    rows = [np.isin(bank.groups, kept) for bank in detector.banks]
    if len(kept) < LEAST_IMAGES or not all(of_tap.any() for of_tap in rows):
        raise TooFewImagesError(
            f"expected at least {LEAST_IMAGES} undamaged images to stay in the memory bank, {len(kept)} would: name "
            "fewer, or train again",
            n=len(kept),
            needed=LEAST_IMAGES,
        )
    images = tuple(detector.bank_images[number] for number in kept)
    return replace(
        detector,
        banks=tuple(_kept(bank, of_tap, kept) for bank, of_tap in zip(detector.banks, rows, strict=True)),
        bank_images=images,
        thumbnails=Thumbnails({image.name: detector.thumbnails.entry(image.name) for image in images}),
        capture=_with_ordinary_of(detector, {image.sha256 for image in images}),
    )


def recalibrated(before: Detector, changed: Detector, calibrated: Detector) -> Detector:
    """Put a calibration of a changed memory bank behind those of the bank before.

    Parameters
    ----------
    before : Detector
        Calibrated.
    changed : Detector
        With the new bank.
    calibrated : Detector
        The same, calibrated from nothing on newly scored images.

    Returns
    -------
    Detector
        `changed` under the history of `before` and one more calibration, which stands.
    """
    assert before.history is not None
    assert calibrated.record is not None
    record = replace(calibrated.record, version=before.history.next_version)
    return changed.with_history(before.history.append(record))


def stored_scores(detector: Detector, sha256: Collection[str]) -> tuple[ScoredImage, ...]:
    """Return the stored validation scores of the images with these contents."""
    scores: Sequence[ScoredImage] = detector.record.scores if detector.record else ()
    return tuple(image for image in scores if image.sha256 in sha256)


def _with_ordinary(detector: Detector, path: Path, sha256: str) -> CaptureReference | None:
    """Return what an ordinary picture is, with an image among them that the memory bank does not hold yet."""
    if detector.capture is None:
        return None
    sample = detector.sample(load_image(path, limits=detector.config.image))
    return replace(detector.capture, learnt={**detector.capture.learnt, sha256: sample})


def _with_ordinary_of(detector: Detector, sha256: Collection[str]) -> CaptureReference | None:
    """Return what an ordinary picture is, without the learnt images that are not among these."""
    if detector.capture is None:
        return None
    learnt = {name: sample for name, sample in detector.capture.learnt.items() if name in sha256}
    return replace(detector.capture, learnt=learnt)


def _farthest(rows: Float32Array, bank: MemoryBank, size: int) -> Int64Array:
    """Choose at most so many rows; fewer where the rest is in the bank already, at least one."""
    found = extend_coreset(bank, rows, size)
    return found.index[: 1 + np.count_nonzero(found.radius[:-1])]


def _kept(bank: MemoryBank, rows: BoolArray, kept: list[int]) -> MemoryBank:
    """Return a bank of some rows, its groups counted anew."""
    groups = np.searchsorted(np.array(kept), bank.groups[rows]).astype(np.int64)
    return MemoryBank(bank.vectors[rows], groups, bank.tags[rows], index=bank.wanted_index)


def _share(detector: Detector, photographed: int, turned: int) -> int:
    """Return how many of an image's rows to add: turned copies bring more, within what the limit gives each image."""
    wanted = detector.config.bank
    as_it_is = round(wanted.coreset_ratio * photographed)
    most = max(as_it_is, wanted.max_rows // len(detector.bank_images))
    return max(1, min(round(wanted.coreset_ratio * turned), most))


def _free_name(name: str, taken: Collection[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free
