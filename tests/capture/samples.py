"""Pictures as numbers, without any picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from anomaly.capture import MEASURES
from anomaly.capture.faults import PlantedFault
from anomaly.types import CaptureQuality, CaptureSample

TYPICAL = {
    "brightness": 0.5,
    "contrast": 0.2,
    "log_sharpness": -6.0,
    "clipped_dark": 0.0,
    "clipped_bright": 0.01,
    "log_area": math.log(640 * 480),
    "log_aspect": math.log(640 / 480),
    "log_typical": -0.5,
    "log_wide": 0.0,
}
SPREAD = {
    "brightness": 0.03,
    "contrast": 0.02,
    "log_sharpness": 0.2,
    "clipped_bright": 0.006,
    "log_typical": 0.06,
    "log_wide": 0.08,
}
QUALITY = CaptureQuality(640, 480, 0.5, 0.2, math.exp(-6.0), 0.0, 0.01)


def draw_sample(random: np.random.Generator, *, size: int = 24, **shifts: float) -> CaptureSample:
    """One ordinary picture, normal in every measure, moved by ``shifts``."""
    assert set(TYPICAL) == set(MEASURES)
    measures = {
        name: value + SPREAD.get(name, 0.0) * float(random.normal()) + shifts.get(name, 0.0)
        for name, value in TYPICAL.items()
    }
    embedding = random.normal(size=size) * np.linspace(0.5, 2.0, size) + shifts.get("embedding", 0.0)
    score = float(np.exp(random.normal(0.0, 0.1))) + shifts.get("score", 0.0)
    strangeness = np.exp(random.normal(-0.3, 0.1, size=(4, 4)))
    return CaptureSample(measures, strangeness.astype(np.float32), embedding.astype(np.float32), score)


CHANGE = np.linspace(1.5, -1.5, 24)
"""What the fault "nearer" does to an embedding here."""


def planted_in(samples: Sequence[CaptureSample], fault: str = "nearer", times: float = 1.0) -> list[PlantedFault]:
    """Return some of these pictures with a fault."""
    return [
        PlantedFault(fault, i, (sample.embedding + times * CHANGE).astype(np.float32))
        for i, sample in enumerate(samples[:6])
    ]


def draw_samples(seed: int, n: int) -> list[CaptureSample]:
    """Several ordinary pictures."""
    random = np.random.default_rng(seed)
    return [draw_sample(random) for _ in range(n)]
