"""Undamaged training images that look damaged, each judged by a memory bank without itself.

They are named and never left out by themselves: ``docs/decisions/0019-suspects.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from anomaly.detector.detector import Detector
from anomaly.detector.progress import Progress, silent
from anomaly.imaging.decode import load_image
from memory_bank.errors import TooFewRowsError

LEAST_IMAGES = 5
"""Fewer scores say nothing about which of them stand out."""
REACH = 2.0
"""Standard deviations above the middle, both robust, from which on an image is suspected."""


@dataclass(frozen=True)
class Suspect:
    """A bank image that looks damaged among the others.

    Attributes
    ----------
    number : int
        Its place among the bank images, which is the ``group`` of its rows.
    name : str
        As in ``splits.csv``.
    score : float
        Image score against the bank without itself.
    limit : float
        What the scores of ordinary bank images do not exceed.
    """

    number: int
    name: str
    score: float
    limit: float


def find_suspects(detector: Detector, paths: Sequence[Path], *, progress: Progress = silent) -> tuple[Suspect, ...]:
    """Score every bank image without its own rows and return those above `suspicion_limit`, strangest first.

    Parameters
    ----------
    detector : Detector
    paths : sequence of Path
        Its bank images, in the order of their groups.
    progress : Progress
        Told about the stage ``looking for suspects``.

    Raises
    ------
    ImageError
    """
    scores = _known_scores(detector)
    if scores is None:
        scores = np.full(len(paths), np.nan)
        for number, path in enumerate(paths):
            with suppress(TooFewRowsError):  # hardly a row of the bank comes from another image
                pixels = load_image(path, limits=detector.config.image)
                scores[number] = detector.sample(pixels, exclude_group=number).score
            progress("looking for suspects", number + 1, len(paths))
    limit = suspicion_limit(scores[np.isfinite(scores)])
    found = [
        Suspect(number, detector.bank_images[number].name, float(score), limit)
        for number, score in enumerate(scores)
        if score > limit
    ]
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


def _known_scores(detector: Detector) -> npt.NDArray[np.float64] | None:
    """Return the scores that the capture limits were learnt from, if those are of all bank images."""
    samples = () if detector.capture is None else detector.capture.samples
    if len(samples) != len(detector.bank_images):
        return None
    return np.array([sample.score for sample in samples], dtype=np.float64)
