"""Scores of labelled images, set by set: made by a detector, kept as CSV, read back."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anomaly.config import Config
from anomaly.embedding.runtime import Device
from anomaly.errors import DatasetError
from anomaly.types import DAMAGED, UNDAMAGED, Float64Array
from benchmarks._sets import ImageSet, read_set

COLUMNS = ("set", "truth", "score")
LEFT_OUT = "undamaged, left out of the bank"
_TRUTHS = (UNDAMAGED, DAMAGED, LEFT_OUT)


@dataclass(frozen=True, eq=False)
class SetScores:
    """Raw image scores of one set, none of an image that is in the memory bank meanwhile.

    Attributes
    ----------
    name : str
    undamaged, damaged : ndarray of float64, (n0,) and (n1,)
    left_out : ndarray of float64, (m,)
        Of bank images, each against the bank without itself; may be empty.
    """

    name: str
    undamaged: Float64Array
    damaged: Float64Array
    left_out: Float64Array = field(default_factory=lambda: np.empty(0))


def score_set(image_set: ImageSet, config: Config, *, name: str, device: Device) -> SetScores:
    """Fit on the training images of a set and score its test images.

    Raises
    ------
    AnomalyError
        The set cannot be read or fitted.
    """
    from anomaly.detector.patchcore import PatchCore

    images = read_set(image_set)
    detector = PatchCore(config, device=device).fit(
        [image.path for image in images.train], names=[image.name for image in images.train]
    )
    scores: dict[str, list[float]] = {UNDAMAGED: [], DAMAGED: []}
    for image in images.test:
        scores[image.label].append(detector.score(image.path))
    left_out = np.array(detector.left_out_scores, dtype=np.float64)
    return SetScores(name, np.array(scores[UNDAMAGED]), np.array(scores[DAMAGED]), left_out)


def write_scores(path: Path, sets: tuple[SetScores, ...]) -> None:
    """Write scores exactly: ``set,truth,score``."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for found in sets:
            by_truth = ((UNDAMAGED, found.undamaged), (DAMAGED, found.damaged), (LEFT_OUT, found.left_out))
            for truth, scores in by_truth:
                writer.writerows((found.name, truth, repr(float(score))) for score in scores)


def read_scores(path: Path) -> tuple[SetScores, ...]:
    """Read what `write_scores` wrote, or what ``--evaluate --csv`` writes (one set, called after the file).

    Raises
    ------
    DatasetError
        A column is missing, or a row is neither damaged nor undamaged with a finite score.
    """
    found: dict[str, dict[str, list[float]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise DatasetError(f"cannot read {path} ({error.strerror}): name a file with {', '.join(COLUMNS)}") from error
    for number, row in enumerate(rows, start=2):
        if row.get("error"):
            print(f"{path.name}, line {number}: left out, {row['error']}", file=sys.stderr)
            continue
        score = _score(path, number, row)
        by_truth = found.setdefault(row.get("set") or path.stem, {truth: [] for truth in _TRUTHS})
        by_truth[row["truth"]].append(score)
    return tuple(
        SetScores(name, *(np.array(by[truth], dtype=np.float64) for truth in _TRUTHS)) for name, by in found.items()
    )


def _score(path: Path, number: int, row: Mapping[str, str]) -> float:
    try:
        score = float(row.get("score", ""))
    except ValueError:
        score = math.nan
    if not math.isfinite(score) or row.get("truth") not in _TRUTHS:
        raise DatasetError(
            f"{path}, line {number}: expected truth ({' or '.join(map(repr, _TRUTHS))}) and a finite score, got "
            f"{row.get('truth')!r} and {row.get('score')!r}; correct the file"
        )
    return score
