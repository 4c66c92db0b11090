"""At how many angles each undamaged image goes into the memory bank, chosen on the validation images.

The other settings are chosen first, with the images as photographed (:mod:`anomaly.detector.selection`); only for those
turned copies are tried, one number after the other as long as the loss falls and is worth lowering, by the same measure
and under the same rule: the given number stands unless another one's loss is lower by more than one standard error of the difference,
image by image. What is compared are whole memories, of which one is kept: with the few rows of a trial, copies look
useless where in the memory itself they are worth most (``docs/decisions/0025-turned-copies.md``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np

from anomaly.calibration import ScoredImage
from anomaly.config import Config
from anomaly.dataset import LabelledImage
from anomaly.detector.detector import Detector
from anomaly.detector.progress import Progress, silent
from anomaly.detector.sampling import evenly
from anomaly.detector.selection import LEAST_IMAGES, Selection, best_of, label_losses, some_of_each_label
from anomaly.types import DAMAGED, Float64Array

SETTING = "bank.turns"
MOST_IMAGES = 160
"""Bank images that numbers are compared with, evenly spaced; a memory of no more is one of those compared."""
MOST_COPIES = 640
"""Copies of all of them that are tried at most; embedding them takes a minute or two."""
LOW_LOSS = 0.05
"""Nats of loss, at which a label is given 95 % on (geometric) average: whatever would lower it further goes untried."""

Remember: TypeAlias = Callable[[Config, Sequence[LabelledImage], Progress], Detector]
"""Fills memory banks with undamaged images, by these settings: see :meth:`anomaly.PatchCore.remember`."""


class Turned(NamedTuple):
    """The settings with ``bank.turns`` chosen, and what came of it.

    Attributes
    ----------
    selection : Selection
    detector : Detector
        Remembers all bank images by these settings.
    scored : tuple of ScoredImage
        The validation images that this very detector was tried on.
    """

    selection: Selection
    detector: Detector
    scored: tuple[ScoredImage, ...] = ()


class _Tried(NamedTuple):
    turns: int
    detector: Detector
    scored: tuple[ScoredImage, ...]
    losses: Float64Array


def choose_turns(
    selection: Selection,
    *,
    bank: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    remember: Remember,
    fixed: Collection[str] = (),
    progress: Progress = silent,
) -> Turned:
    """Choose ``bank.turns`` for settings that are chosen already, and remember the bank images.

    Parameters
    ----------
    selection : Selection
    bank, validation : sequence of LabelledImage
        The images of these splits.
    remember : Remember
    fixed : collection of str
        Settings that are not to be touched; with ``bank.turns`` among them nothing is tried.
    progress : Progress
        Told about the stage ``trying turned copies`` for each number, and what ``remember`` tells; for every number but
        the given one the stages say so (``embedding, 4 angles``).

    Returns
    -------
    Turned
        The selection with one more reason where turned copies were tried.

    Raises
    ------
    ImageError, BackboneError, RuntimeUnavailableError, ConfigError
    """
    config = selection.config
    some = [bank[i] for i in evenly(len(bank), MOST_IMAGES)]
    given = config.bank.turns
    others = [n for n in config.selection.turns if n != given and n * len(some) <= MOST_COPIES]
    undamaged, damaged = some_of_each_label(validation)
    enough = min(len(undamaged), len(damaged)) >= LEAST_IMAGES
    if not config.selection.automatic or SETTING in fixed or not others or not enough:
        return Turned(selection, remember(config, bank, progress))
    judged = [*undamaged, *damaged]

    def attempt(turns: int) -> _Tried:
        def tell(stage: str, done: int, total: int) -> None:
            progress(stage if turns == given else f"{stage}, {turns} angles", done, total)

        detector = remember(_with_turns(config, turns), some, tell)
        scored = detector.score_labelled(
            judged, progress=lambda _, done, total: tell("trying turned copies", done, total)
        )
        return _Tried(turns, detector, scored, _losses(scored, seed=config.seed))

    tried = [attempt(given)]
    for turns in others:
        if tried[-1].losses.mean() <= LOW_LOSS:
            break
        tried.append(attempt(turns))
        if tried[-1].losses.mean() >= tried[-2].losses.mean():
            break
    best, reason = _best(tried)
    chosen = replace(selection, config=_with_turns(config, best.turns), reasons=(*selection.reasons, reason))
    if len(some) < len(bank):
        return Turned(chosen, remember(chosen.config, bank, progress))
    return Turned(chosen, best.detector, best.scored)


def _with_turns(config: Config, turns: int) -> Config:
    return replace(config, bank=replace(config.bank, turns=turns))


def _losses(scored: Sequence[ScoredImage], *, seed: int) -> Float64Array:
    """Loss of each image under one memory, (n,)."""
    truth = np.array([image.label == DAMAGED for image in scored])
    losses: Float64Array = label_losses(np.array([[image.score for image in scored]]), truth, seed=seed)[0]
    return losses


def _best(tried: Sequence[_Tried]) -> tuple[_Tried, str]:
    """Apply the rule, and say why; the first is the given number."""
    given = tried[0]
    if len(tried) == 1:
        return given, (
            f"turned copies in the memory bank not tried: with {given.turns} the labels are told apart as it is "
            f"(loss {given.losses.mean():.3f})."
        )
    best, gain, error = best_of(np.stack([one.losses for one in tried]))
    winner = tried[best]
    figures = ", ".join(f"{one.turns}: loss {one.losses.mean():.3f}" for one in tried)
    if gain > error:
        return winner, (
            f"chosen: each training image goes into the memory bank at {winner.turns} angles ({figures}); as given "
            f"({given.turns}) it is worse by {gain / error:.1f} standard errors."
        )
    return given, f"turned copies in the memory bank are not clearly better than {given.turns} ({figures})."
