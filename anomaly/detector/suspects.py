"""Undamaged training images that look damaged, each judged by a memory bank without itself.

They are named; only what the labelled validation images speak against is left out before
(:mod:`anomaly.detector.leave_out`, ``docs/decisions/0019-suspects.md``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from anomaly.dataset import LabelledImage
from anomaly.detector.ahead import load_ahead
from anomaly.detector.capture_check import sampled_numbers
from anomaly.detector.detector import Detector
from anomaly.detector.progress import Progress, silent
from anomaly.types import Float64Array
from memory_bank.errors import TooFewRowsError

LEAST_IMAGES = 5
"""Fewer scores say nothing about which of them stand out."""
REACH = 1.5
"""Standard deviations above the middle, both robust, from which on an image is suspected."""


@dataclass(frozen=True)
class Suspect:
    """A bank image that looks damaged among the others.

    Attributes
    ----------
    name : str
        As in ``splits.csv``.
    score : float
        Image score against the bank without itself and those left out.
    limit : float
        What the scores of ordinary bank images do not exceed.
    left_out : bool
        The validation images spoke against it, and the memory bank has no row of it.
    """

    name: str
    score: float
    limit: float
    left_out: bool = False


def find_suspects(
    detector: Detector,
    bank: Sequence[LabelledImage],
    *,
    left_out: Sequence[LabelledImage] = (),
    progress: Progress = silent,
) -> tuple[Suspect, ...]:
    """Return the bank images above `suspicion_limit` and those left out, strangest first.

    Parameters
    ----------
    detector : Detector
    bank : sequence of LabelledImage
        Its bank images, in the order of their groups.
    left_out : sequence of LabelledImage
        Images that were to be in the bank; see :func:`anomaly.detector.leave_out.choose_to_leave_out`.
    progress : Progress
        Told about the stage ``looking for suspects``.

    Raises
    ------
    ImageError
    """
    scores = _own_scores(detector, [image.path for image in bank], progress)
    limit = suspicion_limit(scores[np.isfinite(scores)])
    found = [
        Suspect(image.name, float(score), limit) for image, score in zip(bank, scores, strict=True) if score > limit
    ]
    found += [Suspect(image.name, detector.score(image.path), limit, left_out=True) for image in left_out]
    return tuple(sorted(found, key=lambda suspect: -suspect.score))


def suspicion_limit(scores: npt.ArrayLike) -> float:
    """Return the score above which an image stands out from most of the others.

    Parameters
    ----------
    scores : array_like, (n,)
        Positive image scores, each against a bank without the image itself.

    Returns
    -------
    float
        Infinite for fewer than `LEAST_IMAGES` scores, or where more than half of them are equal.

    Notes
    -----
    On a logarithmic scale: median plus `REACH` times 1.4826 times the median absolute deviation from it, which is the
    standard deviation of a normal law and is not moved by up to half of the images being mislabelled (Hampel 1974,
    https://doi.org/10.1080/01621459.1974.10482962).
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.size < LEAST_IMAGES:
        return math.inf
    logs = np.log(np.maximum(values, np.finfo(np.float64).tiny))
    middle = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - middle)))
    return math.exp(middle + REACH * spread) if spread > 0 else math.inf


def _own_scores(detector: Detector, paths: Sequence[Path], progress: Progress) -> Float64Array:
    """Score every bank image without its own rows, (n,); NaN where hardly a row comes from another image."""
    scores = np.full(len(paths), np.nan)
    known = _known_scores(detector)
    scores[list(known)] = list(known.values())
    left = [number for number in range(len(paths)) if number not in known]
    images = load_ahead([paths[number] for number in left], limits=detector.config.image)
    for number, pixels in zip(left, images, strict=True):
        with suppress(TooFewRowsError):
            scores[number] = detector.sample(pixels, exclude_group=number).score
        progress("looking for suspects", number + 1, len(paths))
    return scores


def _known_scores(detector: Detector) -> dict[int, float]:
    """Return by number the scores that the capture limits were learnt from; none where one of them was missing."""
    samples = () if detector.capture is None else detector.capture.samples
    numbers = sampled_numbers(len(detector.bank_images))
    if len(samples) != len(numbers):
        return {}
    return {number: sample.score for number, sample in zip(numbers, samples, strict=True)}
