"""Labelled images with their scores, and how new ones join the old."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite

import numpy as np

from anomaly.calibration.venn_abers import VennAbers
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
    n_new : int
        How many of `scores` are new: an image that was there before and came again is new once, and not old.
    """

    scores: tuple[ScoredImage, ...]
    notes: tuple[str, ...]
    n_new: int


@dataclass(frozen=True, eq=False)
class ValidationScores:
    """The scores that a calibration rests on.

    Attributes
    ----------
    undamaged : ndarray of float64, (n0,)
    damaged : ndarray of float64, (n1,)
    """

    undamaged: Float64Array
    damaged: Float64Array

    @cached_property
    def venn_abers(self) -> VennAbers | None:
        """What says how probable damage is; None without images of both labels."""
        if not self.undamaged.size or not self.damaged.size:
            return None
        return VennAbers.fit(self.undamaged, self.damaged)

    def p_value(self, score: float) -> float:
        """Return the conformal p-value of "this image is undamaged": ``(1 + #{undamaged >= score}) / (n0 + 1)``.

        A further undamaged image gets a value of at most t with probability at most t, for every t (Vovk, Gammerman,
        Shafer, Algorithmic Learning in a Random World, 2005, section 2.2; here without their randomised ties, which
        can only make it larger).

        Raises
        ------
        CalibrationError
            The score is NaN or infinite.
        """
        if not isfinite(score):
            raise CalibrationError(f"a score must be finite to be judged, got {score}; score the image again")
        return (1 + int(np.sum(self.undamaged >= score))) / (self.undamaged.size + 1)


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
    merged.update({sha256: _completed(image, merged.get(sha256)) for sha256, image in fresh.items()})
    return MergedScores(scores=tuple(merged.values()), notes=tuple(notes), n_new=len(fresh))


def _completed(image: ScoredImage, before: ScoredImage | None) -> ScoredImage:
    """Return an image with what was known of the same picture before and is not said anew."""
    if before is None:
        return image
    return replace(
        image,
        part_type=image.part_type or before.part_type,
        group=image.group or before.group,
        defect=image.defect or (before.defect if image.label == before.label else ""),
    )
