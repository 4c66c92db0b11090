"""Memory banks filled by given settings, and how well the labels of validation images are told apart by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from anomaly.calibration import ScoredImage
from anomaly.config import Config
from anomaly.dataset import LabelledImage
from anomaly.detector.detector import Detector
from anomaly.detector.embedded import EmbedAll, embed_here
from anomaly.detector.patchcore import PatchCore
from anomaly.detector.progress import Progress, silent
from anomaly.detector.selection import LEAST_IMAGES, LOW_LOSS, label_losses, some_of_each_label
from anomaly.embedding.runtime import Device
from anomaly.types import DAMAGED, Float64Array

Remember: TypeAlias = Callable[[Config, Sequence[LabelledImage], Progress], Detector]
"""Fills memory banks with undamaged images, by these settings: see :meth:`anomaly.PatchCore.remember`."""


@dataclass(frozen=True, eq=False)
class Memory:
    """A detector, and what it makes of some validation images.

    Attributes
    ----------
    detector : Detector
        Scores; whatever else is learnt from the bank images comes later.
    scored : tuple of ScoredImage
        Validation images of either label; empty where there are fewer than `LEAST_IMAGES` of one.
    losses : ndarray of float64, (n,)
        Of each of them: see :func:`~anomaly.detector.selection.label_losses`.
    """

    detector: Detector
    scored: tuple[ScoredImage, ...]
    losses: Float64Array

    @property
    def tells_apart(self) -> bool:
        """Whether the labels are told apart so well that nothing better is worth looking for."""
        return bool(self.scored) and float(self.losses.mean()) <= LOW_LOSS


def remember_by(device: Device, embed_all: EmbedAll = embed_here) -> Remember:
    """Return what fills memory banks on this device; see :class:`anomaly.PatchCore` for both."""

    def remember(config: Config, images: Sequence[LabelledImage], progress: Progress) -> Detector:
        return PatchCore(config, device=device, embed_all=embed_all).remember(
            [image.path for image in images],
            names=[image.name for image in images],
            part_types=[image.part_type for image in images],
            progress=progress,
        )

    return remember


def fill(
    remember: Remember,
    config: Config,
    bank: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    *,
    how: str = "",
    progress: Progress = silent,
) -> Memory:
    """Fill memory banks and try them.

    Parameters
    ----------
    remember : Remember
    config : Config
    bank : sequence of LabelledImage
        All of them are remembered.
    validation : sequence of LabelledImage
        Some of either label are scored (:func:`~anomaly.detector.selection.some_of_each_label`).
    how : str
        What tells this memory from others, for the names of the stages.
    progress : Progress
        Told what ``remember`` tells, and about the stage ``trying the memory``.

    Raises
    ------
    ImageError, BackboneError, RuntimeUnavailableError, ConfigError
    """

    def tell(stage: str, done: int, total: int) -> None:
        progress(f"{stage}, {how}" if how else stage, done, total)

    detector = remember(config, bank, tell)
    undamaged, damaged = some_of_each_label(validation)
    if min(len(undamaged), len(damaged)) < LEAST_IMAGES:
        return Memory(detector, (), np.empty(0))
    scored = detector.score_labelled(
        [*undamaged, *damaged], progress=lambda _, done, total: tell("trying the memory", done, total)
    )
    truth = np.array([image.label == DAMAGED for image in scored])
    scores = np.array([[image.score for image in scored]])
    return Memory(detector, scored, label_losses(scores, truth, seed=config.seed)[0])
