"""At how many angles each undamaged image goes into the memory bank, chosen on the validation images.

The other settings are chosen first, with the images as photographed (:mod:`anomaly.detector.selection`); only for those
turned copies are tried, one number after the other as long as the loss falls and is worth lowering, by the same measure
and under the same rule: the given number stands unless another one's loss is lower by more than one standard error of
the difference, image by image. What is compared are whole memories, of which one is kept: with the few rows of a trial,
copies look useless where in the memory itself they are worth most (``docs/decisions/0025-turned-copies.md``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from anomaly.config import Config
from anomaly.dataset import LabelledImage
from anomaly.detector.memory import Memory, Remember, fill
from anomaly.detector.progress import Progress, silent
from anomaly.detector.sampling import evenly
from anomaly.detector.selection import Selection, best_of

SETTING = "bank.turns"
MOST_IMAGES = 160
"""Bank images that numbers are compared with, evenly spaced; a memory of no more is one of those compared."""
MOST_COPIES = 640
"""Copies of all of them that are tried at most; embedding them takes a minute or two."""


def choose_turns(
    selection: Selection,
    memory: Memory,
    *,
    bank: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    remember: Remember,
    fixed: Collection[str] = (),
    progress: Progress = silent,
) -> tuple[Selection, Memory]:
    """Choose ``bank.turns`` for settings that are chosen already.

    Parameters
    ----------
    selection : Selection
    memory : Memory
        Of all bank images, by these settings.
    bank, validation : sequence of LabelledImage
        The images of these splits.
    remember : Remember
    fixed : collection of str
        Settings that are not to be touched; with ``bank.turns`` among them nothing is tried.
    progress : Progress
        Told what :func:`~anomaly.detector.memory.fill` tells, for every number but the given one with the number
        (``embedding, 4 angles``).

    Returns
    -------
    Selection
        With one more reason, unless nothing could be tried.
    Memory
        Of all bank images, by the chosen number.

    Raises
    ------
    ImageError, BackboneError, RuntimeUnavailableError, ConfigError
    """
    config = selection.config
    given = config.bank.turns
    some = [bank[i] for i in evenly(len(bank), MOST_IMAGES)]
    others = [n for n in config.selection.turns if n != given and n * len(some) <= MOST_COPIES]
    if not config.selection.automatic or SETTING in fixed or not others or not memory.scored:
        return selection, memory
    if memory.tells_apart:
        reason = (
            f"turned copies in the memory bank not tried: with {given} the labels are told apart "
            f"(loss {memory.losses.mean():.3f})."
        )
        return replace(selection, reasons=(*selection.reasons, reason)), memory

    def filled(turns: int, images: Sequence[LabelledImage]) -> Memory:
        how = "" if turns == given else f"{turns} angles"
        return fill(remember, _with_turns(config, turns), images, validation, how=how, progress=progress)

    whole = len(some) == len(bank)
    tried = [memory if whole else filled(given, some)]
    for turns in others:
        tried.append(filled(turns, some))
        if tried[-1].tells_apart or tried[-1].losses.mean() >= tried[-2].losses.mean():
            break
    best, reason = _best(tried)
    if best is tried[0]:
        return replace(selection, reasons=(*selection.reasons, reason)), memory
    chosen = _with_turns(config, best.detector.config.bank.turns)
    if not whole:
        best = filled(chosen.bank.turns, bank)
    return replace(selection, config=chosen, reasons=(*selection.reasons, reason)), best


def _with_turns(config: Config, turns: int) -> Config:
    return replace(config, bank=replace(config.bank, turns=turns))


def _best(tried: Sequence[Memory]) -> tuple[Memory, str]:
    """Apply the rule, and say why; the first is by the given number."""
    best, gain, error = best_of(np.stack([one.losses for one in tried]))
    given, winner = (one.detector.config.bank.turns for one in (tried[0], tried[best]))
    figures = ", ".join(f"{one.detector.config.bank.turns}: loss {one.losses.mean():.3f}" for one in tried)
    if gain > error:
        return tried[best], (
            f"chosen: each training image goes into the memory bank at {winner} angles ({figures}); as given "
            f"({given}) it is worse by {gain / error:.1f} standard errors."
        )
    return tried[0], f"turned copies in the memory bank are not clearly better than {given} ({figures})."
