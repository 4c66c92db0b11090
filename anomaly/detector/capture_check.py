"""What an ordinary picture is, learnt from the bank images, each without itself in the bank."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from anomaly.capture.fit import LEAST_SAMPLES, fit_reference
from anomaly.detector.ahead import load_ahead
from anomaly.detector.detector import Detector
from anomaly.detector.progress import Progress, silent
from memory_bank.errors import TooFewRowsError

MOST_IMAGES = 100
"""Bank images, evenly spaced, that the limits are learnt from."""


def learn_capture(detector: Detector, paths: Sequence[Path], *, progress: Progress = silent) -> Detector:
    """Return the detector with limits of the ordinary.

    As it is, without any, where its configuration wants no check or fewer than 3 images can be compared with others.

    Parameters
    ----------
    detector : Detector
    paths : sequence of Path
        Its bank images, in the order of their groups; at least 2.
    progress : Progress
        Told about the stage ``ordinary pictures``.

    Raises
    ------
    ImageError
    """
    if not detector.config.capture.check:
        return detector
    numbers = sampled_numbers(len(paths))
    samples = []
    images = load_ahead([paths[number] for number in numbers], limits=detector.config.image)
    for done, (number, pixels) in enumerate(zip(numbers, images, strict=True), start=1):
        with suppress(TooFewRowsError):  # hardly a row of the bank comes from another image
            samples.append(detector.sample(pixels, exclude_group=number))
        progress("ordinary pictures", done, len(numbers))
    if len(samples) < LEAST_SAMPLES:
        return detector
    rate = detector.config.capture.false_alarm_rate
    return replace(detector, capture=fit_reference(samples, false_alarm_rate=rate))


def sampled_numbers(n: int) -> list[int]:
    """Return which of n bank images the limits are learnt from."""
    most = min(n, MOST_IMAGES)
    return sorted({place * n // most for place in range(most)})
