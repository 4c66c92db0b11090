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
        See :func:`~anomaly.detector.memory.fill`; told the number with the stage (``embedding, 4 angles``).

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
    others = _others(config, len(some))
    if SETTING in fixed or not others or not memory.scored:
        return selection, memory
    if memory.tells_apart:
        return _with_reason(selection, _no_need(memory)), memory

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
        return _with_reason(selection, reason), memory
    turns = _turns_of(best)
    chosen = replace(_with_reason(selection, reason), config=_with_turns(config, turns))
    return chosen, best if whole else filled(turns, bank)


def _others(config: Config, n: int) -> list[int]:
    """Numbers of angles to try besides the given one, of n images."""
    numbers = config.selection.turns if config.selection.automatic else ()
    return [turns for turns in numbers if turns != config.bank.turns and turns * n <= MOST_COPIES]


def _turns_of(memory: Memory) -> int:
    return memory.detector.config.bank.turns


def _with_reason(selection: Selection, reason: str) -> Selection:
    return replace(selection, reasons=(*selection.reasons, reason))


def _no_need(memory: Memory) -> str:
    return (
        f"turned copies in the memory bank not tried: with {_turns_of(memory)} the labels are told apart "
        f"(loss {memory.losses.mean():.3f})."
    )


def _with_turns(config: Config, turns: int) -> Config:
    return replace(config, bank=replace(config.bank, turns=turns))


def _best(tried: Sequence[Memory]) -> tuple[Memory, str]:
    """Apply the rule, and say why; the first is by the given number."""
    best, gain, error = best_of(np.stack([one.losses for one in tried]))
    given, winner = _turns_of(tried[0]), _turns_of(tried[best])
    figures = ", ".join(f"{_turns_of(one)}: loss {one.losses.mean():.3f}" for one in tried)
    if gain > error:
        return tried[best], (
            f"chosen: each training image goes into the memory bank at {winner} angles ({figures}); as given "
            f"({given}) it is worse by {gain / error:.1f} standard errors."
        )
    return tried[0], f"turned copies in the memory bank are not clearly better than {given} ({figures})."
