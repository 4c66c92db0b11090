"""At which angles, and mirrored or not, each undamaged image goes into the memory bank, chosen on validation images.

The other settings are chosen first, with the images as photographed (:mod:`anomaly.detector.selection`); only for those
turned copies are tried, by the same measure and under the same rule: the given copies stand unless the loss of others
is lower by more than one standard error of the difference, image by image.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from anomaly.config import BankConfig, Config
from anomaly.dataset import LabelledImage
from anomaly.detector.candidates import Candidate
from anomaly.detector.progress import Progress, silent
from anomaly.detector.sampling import evenly
from anomaly.detector.selection import LEAST_IMAGES, MOST_IMAGES, Selection, label_losses
from anomaly.detector.trial import BANK_IMAGES, turn_trial
from anomaly.embedding.runtime import Device
from anomaly.types import DAMAGED, BoolArray, Float64Array

SETTINGS = frozenset({"bank.turns", "bank.mirrored"})


def choose_turns(
    selection: Selection,
    *,
    bank: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    fixed: Collection[str] = (),
    device: Device = "auto",
    progress: Progress = silent,
) -> Selection:
    """Choose ``bank.turns`` and ``bank.mirrored`` for settings that are chosen already.

    Parameters
    ----------
    selection : Selection
    bank, validation : sequence of LabelledImage
        The images of these splits.
    fixed : collection of str
        Settings that are not to be touched; with one of the two among them nothing is tried.
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
    copies = _copies(config)
    chosen = [_few([i for i in validation if (i.label == DAMAGED) == damaged]) for damaged in (False, True)]
    enough = min(map(len, chosen)) >= LEAST_IMAGES
    if not config.selection.automatic or SETTINGS & set(fixed) or len(copies) == 1 or not enough:
        return selection
    judged = [*chosen[0], *chosen[1]]
    truth = np.array([image.label == DAMAGED for image in judged])
    total, done = len(copies) * min(len(bank), BANK_IMAGES) + len(judged), 0

    def step() -> None:
        nonlocal done
        done += 1
        progress("trying turned copies", done, total)

    scores = turn_trial(
        config,
        Candidate.of(config),
        copies,
        bank=[image.path for image in bank],
        judged=[image.path for image in judged],
        undamaged=~truth,
        device=device,
        step=step,
    )
    return _choose(selection, copies, scores, truth)


def _copies(config: Config) -> list[BankConfig]:
    """Return the settings of the bank that are compared, the given ones first."""
    tried = itertools.product(config.selection.turns, (False, True) if config.selection.mirrored else (False,))
    others = [replace(config.bank, turns=turns, mirrored=mirrored) for turns, mirrored in tried]
    return [config.bank, *(other for other in others if other != config.bank)]


def describe_copies(bank: BankConfig) -> str:
    """Say in words which copies of each image go into the memory bank."""
    angles = "as photographed" if bank.turns == 1 else f"at {bank.turns} angles"
    return f"{angles}, mirrored too" if bank.mirrored else angles


def _choose(selection: Selection, copies: Sequence[BankConfig], scores: Float64Array, truth: BoolArray) -> Selection:
    """Apply the rule; ``copies[0]`` are the given ones."""
    config: Config = selection.config
    losses = label_losses(scores, truth, seed=config.seed)
    mean = losses.mean(axis=1)
    best = int(mean.argmin())
    difference = losses[0] - losses[best]
    error = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    figures = "; ".join(f"{describe_copies(own)}: loss {loss:.3f}" for own, loss in zip(copies, mean, strict=True))
    if float(difference.mean()) > error:
        reason = (
            f"chosen: each training image goes into the memory bank {describe_copies(copies[best])} ({figures}); "
            f"{describe_copies(copies[0])} it is worse by {float(difference.mean()) / error:.1f} standard errors."
        )
        config = replace(config, bank=copies[best])
    else:
        reason = f"no copies in the memory bank are clearly better than {describe_copies(copies[0])} ({figures})."
    return replace(selection, config=config, reasons=(*selection.reasons, reason))


def _few(images: Sequence[LabelledImage]) -> list[LabelledImage]:
    return [images[i] for i in evenly(len(images), MOST_IMAGES)]
