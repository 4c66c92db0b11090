"""Labelled images with their scores, and how new ones join the old."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from anomaly.errors import CalibrationError
from anomaly.types import DAMAGED, UNDAMAGED, Float64Array, Label

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ScoredImage:
    """A labelled image and its raw score; what calibrating again needs of it.

    Attributes
    ----------
    name : str
        As the data call it; not a path of this machine.
    sha256 : str
        Of the file's bytes: 64 lowercase hexadecimal digits.
    label : {"undamaged", "damaged"}
        The truth.
    score : float
    part_type, group, defect : str
        Empty where the data do not say. ``defect`` is the kind of damage.

    Raises
    ------
    CalibrationError
        A field is not what is said above.
    """

    name: str
    sha256: str
    label: Label
    score: float
    part_type: str = ""
    group: str = ""
    defect: str = ""

    def __post_init__(self) -> None:
        if self.label not in (UNDAMAGED, DAMAGED):
            raise CalibrationError(
                f"{self.name}: label must be undamaged or damaged, got {self.label!r}; correct the label"
            )
        if not _SHA256.fullmatch(self.sha256):
            raise CalibrationError(
                f"{self.name}: sha256 must be 64 lowercase hexadecimal digits, got {self.sha256[:70]!r}; "
                "hash the file again"
            )
        if not isfinite(self.score):
            raise CalibrationError(
                f"{self.name}: a score must be finite, got {self.score}; score it again or leave it out"
            )


@dataclass(frozen=True)
class MergedScores:
    """Scores after newly labelled images came in.

    Attributes
    ----------
    scores : tuple of ScoredImage
        One for each image content.
    notes : tuple of str
        One sentence for each image whose label changed.
    """

    scores: tuple[ScoredImage, ...]
    notes: tuple[str, ...]


def scores_by_label(scores: Iterable[ScoredImage]) -> tuple[Float64Array, Float64Array]:
    """Return the undamaged scores, (n0,), and the damaged scores, (n1,), each in the order given."""
    scores = tuple(scores)
    undamaged, damaged = (
        np.array([image.score for image in scores if image.label == label], dtype=np.float64)
        for label in (UNDAMAGED, DAMAGED)
    )
    return undamaged, damaged


def merge_scores(old: Sequence[ScoredImage], new: Sequence[ScoredImage]) -> MergedScores:
    """Add newly labelled images to stored ones; an image is known by its content.

    Parameters
    ----------
    old, new : sequence of ScoredImage
        The same content in both: the new entry takes the old one's place, and where the label changed the
        newer label wins and a note says so.

    Returns
    -------
    MergedScores
        Old images in their order, then the others in theirs.

    Raises
    ------
    CalibrationError
        ``new`` gives the same content two labels.
    """
    fresh: dict[str, ScoredImage] = {}
    for image in new:
        other = fresh.setdefault(image.sha256, image)
        if other.label != image.label:
            raise CalibrationError(
                f"{other.name} and {image.name} are the same picture, labelled {other.label} and "
                f"{image.label}; correct one of the labels"
            )
        fresh[image.sha256] = image
    merged = {image.sha256: image for image in old}
    notes = [
        f"{image.name} was labelled {merged[sha256].label} and is now labelled {image.label}."
        for sha256, image in fresh.items()
        if sha256 in merged and merged[sha256].label != image.label
    ]
    merged.update(fresh)
    return MergedScores(scores=tuple(merged.values()), notes=tuple(notes))
