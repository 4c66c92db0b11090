"""What an ordinary picture is, learnt from the bank images, each without itself in the bank."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from anomaly.capture.faults import PlantedFault
from anomaly.capture.fit import LEAST_SAMPLES, fit_reference
from anomaly.detector.ahead import load_ahead
from anomaly.detector.detector import Detector
from anomaly.detector.features import mean_embeddings
from anomaly.detector.progress import Progress, silent
from anomaly.detector.sampling import firsts
from anomaly.imaging.faults import PLANT
from anomaly.types import CaptureSample, UInt8Array
from memory_bank.errors import TooFewRowsError

MOST_IMAGES = 100
"""Bank images, the first of so many stretches, that the limits are learnt from."""
_PLANTED_IN = 8
"""Of those, evenly spaced, that get every fault: what one does hardly differs from picture to picture."""


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
    samples: list[CaptureSample] = []
    planted: list[PlantedFault] = []
    step = -(-len(numbers) // _PLANTED_IN)
    images = load_ahead([paths[number] for number in numbers], limits=detector.config.image)
    for done, (number, pixels) in enumerate(zip(numbers, images, strict=True), start=1):
        with suppress(TooFewRowsError):  # hardly a row of the bank comes from another image
            samples.append(detector.sample(pixels, exclude_group=number))
            if done % step == 0:
                planted += _plant(detector, pixels, len(samples) - 1)
        progress("ordinary pictures", done, len(numbers))
    if len(samples) < LEAST_SAMPLES:
        return detector
    rate = detector.config.capture.false_alarm_rate
    return replace(detector, capture=fit_reference(samples, false_alarm_rate=rate, planted=planted))


def _plant(detector: Detector, pixels: UInt8Array, sample: int) -> list[PlantedFault]:
    """Plant every fault in an image; ``sample`` is its place among the samples."""
    found = []
    for fault, plant in PLANT.items():
        _, grids = detector.extractor.embed(plant(pixels))
        found.append(PlantedFault(fault, sample, np.concatenate(mean_embeddings(grids))))
    return found


def sampled_numbers(n: int) -> list[int]:
    """Return which of n bank images the limits are learnt from."""
    return firsts(n, MOST_IMAGES)
