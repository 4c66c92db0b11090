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
_CELL = "strangeness of cell "
STREAMS = (
    *((cause, f"{name} {'up' if sign > 0 else 'down'}") for cause, name, signs in _WATCHED for sign in signs),
    *(("tray", f"{_CELL}{row + 1},{column + 1}") for row in range(CELLS) for column in range(CELLS)),
    ("damage", "share of flagged pictures"),
)
"""Cause and name of every stream; the last is no value of a picture but whether it was flagged."""
MEASURE_WORDS = {
    "brightness": "brightness",
    "contrast": "contrast",
    "log_sharpness": "sharpness",
    "log_typical": "strangeness of nearly the whole picture",
    "log_novelty": "distance of the whole picture from those of training",
}
"""What is watched in the words of people who do not know this program."""


def stream_measure(name: str) -> tuple[str, int] | None:
    """Return the measure of a stream, and -1 where its falling is watched, 1 where its rising is.

    Returns
    -------
    tuple of (str, int), or None
        None: a cell, or the share of flagged pictures, which have no other name.
    """
    measure, _, direction = name.rpartition(" ")
    return (measure, -1 if direction == "down" else 1) if measure in MEASURE_WORDS else None


def stream_words(name: str) -> str:
    """Name a stream to people."""
    measure = stream_measure(name)
    if measure is not None:
        return f"{MEASURE_WORDS[measure[0]]}, {'lower' if measure[1] < 0 else 'higher'} than in training"
    if name.startswith(_CELL):
        row, column = name.removeprefix(_CELL).split(",")
        return (
            f"strangeness of one place, row {row} from the top and column {column} from the left of a grid of "
            f"{CELLS} x {CELLS}, higher than in training"
        )
    return f"{name}, higher than usual"


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
