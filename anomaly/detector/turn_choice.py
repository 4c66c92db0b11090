"""At how many angles each undamaged image goes into the memory bank, chosen on the validation images.

The other settings are chosen first, with the images as photographed (:mod:`anomaly.detector.selection`); only for those
turned copies are tried, one number after the other as long as the loss falls, by the same measure and under the same
rule: the given number stands unless another one's loss is lower by more than one standard error of the difference,
image by image.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np

from anomaly.config import Config
from anomaly.dataset import LabelledImage
from anomaly.detector.candidates import Candidate
from anomaly.detector.progress import Progress, silent, stepwise
from anomaly.detector.selection import LEAST_IMAGES, Selection, best_of, label_losses, some_of_each_label
from anomaly.detector.trial import BANK_IMAGES, turn_trials
from anomaly.embedding.runtime import Device
from anomaly.types import DAMAGED, BoolArray, Float64Array

SETTING = "bank.turns"


def choose_turns(
    selection: Selection,
    *,
    bank: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    fixed: Collection[str] = (),
    device: Device = "auto",
    progress: Progress = silent,
) -> Selection:
    """Choose ``bank.turns`` for settings that are chosen already.

    Parameters
    ----------
    selection : Selection
    bank, validation : sequence of LabelledImage
        The images of these splits.
    fixed : collection of str
        Settings that are not to be touched; with ``bank.turns`` among them nothing is tried.
    device : {"auto", "cpu", "cuda"}
    progress : Progress
        Told about the stage ``trying turned copies``.

    Returns
    -------
    Selection
        With one more reason where turned copies were tried.

    Raises
    ------
    ImageError, BackboneError, RuntimeUnavailableError, ConfigError
    """
    config = selection.config
    numbers = [config.bank.turns, *(n for n in config.selection.turns if n != config.bank.turns)]
    undamaged, damaged = some_of_each_label(validation)
    enough = min(len(undamaged), len(damaged)) >= LEAST_IMAGES
    if not config.selection.automatic or SETTING in fixed or len(numbers) == 1 or not enough:
        return selection
    judged = [*undamaged, *damaged]
    truth = np.array([image.label == DAMAGED for image in judged])
    trials = turn_trials(
        config,
        Candidate.of(config),
        numbers,
        bank=[image.path for image in bank],
        judged=[image.path for image in judged],
        undamaged=~truth,
        device=device,
        step=stepwise(progress, "trying turned copies", len(judged) + len(numbers) * min(len(bank), BANK_IMAGES)),
    )
    return _choose(selection, numbers, _losses_while_they_fall(trials, truth, seed=config.seed))


def _losses_while_they_fall(trials: Iterable[Float64Array], truth: BoolArray, *, seed: int) -> Float64Array:
    """Losses of each trial, (trials, n), up to the first one that is no better than the one before."""
    losses: list[Float64Array] = []
    for scores in trials:
        losses.append(label_losses(scores[None], truth, seed=seed)[0])
        if len(losses) > 1 and losses[-1].mean() >= losses[-2].mean():
            break
    return np.stack(losses)


def _choose(selection: Selection, numbers: Sequence[int], losses: Float64Array) -> Selection:
    """Apply the rule; ``numbers[0]`` is the given one, and the last ones may not have been tried."""
    config: Config = selection.config
    best, gain, error = best_of(losses)
    figures = ", ".join(f"{n}: loss {loss:.3f}" for n, loss in zip(numbers, losses.mean(axis=1), strict=False))
    if gain > error:
        reason = (
            f"chosen: each training image goes into the memory bank at {numbers[best]} angles ({figures}); as given "
            f"({numbers[0]}) it is worse by {gain / error:.1f} standard errors."
        )
        config = replace(config, bank=replace(config.bank, turns=numbers[best]))
    else:
        reason = f"turned copies in the memory bank are not clearly better than {numbers[0]} ({figures})."
    return replace(selection, config=config, reasons=(*selection.reasons, reason))
