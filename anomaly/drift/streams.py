"""What is watched, and of which cause each value would tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomaly.capture import CaptureReference
from anomaly.capture.fit import left_out_rows
from anomaly.capture.measures import CELLS
from anomaly.capture.reference import COLUMNS
from anomaly.types import CaptureSample, Float64Array

_WATCHED = (
    ("light", "brightness", (1, -1)),
    ("light", "contrast", (1, -1)),
    ("focus", "log_sharpness", (1, -1)),
    ("part", "log_typical", (1,)),
    ("part", "log_novelty", (1,)),
)
STREAMS = (
    *((cause, f"{name} {'up' if sign > 0 else 'down'}") for cause, name, signs in _WATCHED for sign in signs),
    *(("tray", f"strangeness of cell {row + 1},{column + 1}") for row in range(CELLS) for column in range(CELLS)),
    ("damage", "share of flagged pictures"),
)
"""Cause and name of every stream; the last is no value of a picture but whether it was flagged."""


def weights() -> Float64Array:
    """Weight of every stream: all causes count alike, and so do the streams of one."""
    causes = [cause for cause, _ in STREAMS]
    return np.array([1 / (len(set(causes)) * causes.count(cause)) for cause in causes])


def reference_values(reference: CaptureReference) -> Float64Array:
    """Values of every stream but the last for the ordinary pictures, each compared with the others, (n, s - 1)."""
    return _values(left_out_rows(reference.samples), reference.samples)


def new_values(reference: CaptureReference, samples: Sequence[CaptureSample]) -> Float64Array:
    """Values of every stream but the last for other pictures, (n, s - 1)."""
    return _values(np.array([reference.row(sample) for sample in samples]).reshape(-1, len(COLUMNS)), samples)


def _values(rows: Float64Array, samples: Sequence[CaptureSample]) -> Float64Array:
    columns = [sign * rows[:, COLUMNS.index(name)] for _, name, signs in _WATCHED for sign in signs]
    cells = np.array([relative_cells(sample) for sample in samples]).reshape(len(samples), CELLS * CELLS)
    return np.column_stack([*columns, cells])


def relative_cells(sample: CaptureSample) -> Float64Array:
    """Logarithm of the strangeness of each cell against that of the picture's median cell, (16,)."""
    cells = np.log(np.maximum(sample.strangeness.astype(np.float64).ravel(), 1e-6))
    relative: Float64Array = cells - np.median(cells)
    return relative
