"""Bank images that the labelled validation images speak against: training goes on without them.

A mislabelled image among the undamaged ones brings patches of damage along, and damaged validation images with such
damage come nearer to the bank; undamaged ones do not. A rare good part brings rare patches along as well, but what it
brings nearer are undamaged images. So an image is judged by whom it brings nearer, not by how strange it looks
(``docs/decisions/0019-suspects.md``).

How much nearer: the fall of the logarithm of the image score when the image joins a bank in which the nearest tenth of
the images do not count. They must not, because mislabelled images with the same damage would stand in for each other,
and none of them would make a difference; the distance to a neighbour beyond the nearest is what density estimates use
against outliers among the neighbours, too (Breunig et al. 2000, https://doi.org/10.1145/335191.335388).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from anomaly.config import Config
from anomaly.dataset import LabelledImage
from anomaly.detector.ahead import load_ahead
from anomaly.detector.features import Extractor
from anomaly.detector.progress import Progress, silent, stepwise
from anomaly.detector.sampling import evenly
from anomaly.detector.scales import tap_scales
from anomaly.detector.selection import LEAST_IMAGES, some_of_each_label
from anomaly.scoring import fuse_grids, image_score
from anomaly.types import DAMAGED, BoolArray, Float32Array, Float64Array
from memory_bank import select_coreset

MARGIN = 1.5
"""Standard errors by which an image has to bring damaged images nearer than undamaged ones."""
LEAST_HARM = 0.005
"""The same on the scale of logarithms: a difference so small is none, however certain."""
MOST_SHARE = 0.2
"""Of the bank images of a part type, left out at most."""
_UNCOUNTED_SHARE = 0.1
_ROWS = 100
"""Rows that stand for a bank image in one tap, the most different ones."""
_SCALE_IMAGES = 16
"""Undamaged validation images that the scale of each tap is estimated on."""
_LEAST_SCORE = 1e-30
"""Of two equal photographs, so that it has a logarithm."""
_BLOCK = 1 << 24
"""Distances measured at a time, in numbers: 64 MiB."""
_KEPT = 1 << 26
"""Distances of images looked at for the scales that are kept until their turn comes: 256 MiB; others are measured
again."""


def choose_to_leave_out(
    extractor: Extractor,
    config: Config,
    bank: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    *,
    progress: Progress = silent,
) -> tuple[int, ...]:
    """Return the places of the bank images that make damaged validation images look ordinary.

    Part types are looked at one by one: an image of a type of which hardly an undamaged image is at hand would seem to
    help the damaged ones alone.

    Parameters
    ----------
    extractor : Extractor
    config : Config
    bank : sequence of LabelledImage
        Those that are to form the memory bank.
    validation : sequence of LabelledImage
        Of each part type some of either label are looked at
        (:func:`~anomaly.detector.selection.some_of_each_label`); with fewer than `LEAST_IMAGES` of either, or of bank
        images, nothing is left out.
    progress : Progress
        Told about the stage ``looking for mislabelled images``.

    Raises
    ------
    ImageError
    """
    work = []
    for part_type in sorted({image.part_type for image in bank}):
        numbers = [number for number, image in enumerate(bank) if image.part_type == part_type]
        shown = [image for image in validation if image.part_type == part_type]
        undamaged, damaged = some_of_each_label(shown)
        if min(len(numbers), len(undamaged), len(damaged)) >= LEAST_IMAGES:
            work.append((numbers, [*undamaged, *damaged]))
    total = sum(len(numbers) + len(judged) for numbers, judged in work)
    step = stepwise(progress, "looking for mislabelled images", total)
    left_out: list[int] = []
    for numbers, judged in work:
        falls = _measure_falls(extractor, config, [bank[number] for number in numbers], judged, step)
        truth = np.array([image.label == DAMAGED for image in judged])
        left_out += [numbers[place] for place in harmful(falls, truth)]
    return tuple(sorted(left_out))


def harmful(falls: Float64Array, damaged: BoolArray) -> tuple[int, ...]:
    """Return which images bring damaged images nearer than undamaged ones, beyond chance; at most `MOST_SHARE`.

    Parameters
    ----------
    falls : ndarray of float64, (n, v)
        By how much each of n images lowers the logarithm of the score of each of v others.
    damaged : ndarray of bool, (v,)
        At least two of either label.
    """
    of_damaged, of_good = falls[:, damaged], falls[:, ~damaged]
    harm = of_damaged.mean(axis=1) - of_good.mean(axis=1)
    error = np.sqrt(of_damaged.var(axis=1, ddof=1) / damaged.sum() + of_good.var(axis=1, ddof=1) / (~damaged).sum())
    beyond_chance = np.flatnonzero(harm > np.maximum(LEAST_HARM, MARGIN * error))
    worst = beyond_chance[np.argsort(-harm[beyond_chance], kind="stable")]
    return tuple(sorted(worst[: int(MOST_SHARE * len(falls))].tolist()))


def _measure_falls(
    extractor: Extractor,
    config: Config,
    bank: Sequence[LabelledImage],
    judged: Sequence[LabelledImage],
    step: Callable[[], None],
) -> Float64Array:
    """By how much each bank image lowers the logarithm of the score of each judged image, (n, v)."""

    def embedded(images: Sequence[LabelledImage]) -> Iterator[tuple[Float32Array, ...]]:
        for pixels in load_ahead([image.path for image in images], limits=config.image):
            yield extractor.embed(pixels)[1]

    kept: list[list[Float32Array]] = []
    for grids in embedded(bank):
        kept.append([_most_different(grid, config.seed) for grid in grids])
        step()
    taps = [_Remembered(np.stack(rows)) for rows in zip(*kept, strict=True)]
    good = [image for image in judged if image.label != DAMAGED]
    some = [good[i] for i in evenly(len(good), _SCALE_IMAGES)]
    known: dict[Path, list[Float32Array]] = {}
    scores = []
    for image, grids in zip(some, embedded(some), strict=True):
        found = _distances(taps, grids)
        scores.append([image_score(of_tap.min(axis=0), top_share=config.scoring.top_share) for of_tap in found])
        if (len(known) + 1) * sum(of_tap.size for of_tap in found) <= _KEPT:
            known[image.path] = found
    scales = tap_scales(np.array(scores))
    uncounted = max(2, round(_UNCOUNTED_SHARE * len(bank)))
    falls = []
    others = embedded([image for image in judged if image.path not in known])
    for image in judged:
        found = known.pop(image.path) if image.path in known else _distances(taps, next(others))
        falls.append(_falls_of(found, scales, uncounted, config))
        step()
    return np.stack(falls, axis=1)


def _falls_of(
    distances: Sequence[Float32Array], scales: Sequence[float], uncounted: int, config: Config
) -> Float64Array:
    """Return the same for one judged image, (n,); ``distances`` are (n, gh, gw) for each tap."""

    def log_score(grids: Sequence[Float32Array]) -> float:
        fused = fuse_grids(grids, scales=scales, smoothing=config.scoring.smoothing)
        return math.log(max(image_score(fused, top_share=config.scoring.top_share), _LEAST_SCORE))

    bases = [np.partition(of_tap, uncounted, axis=0)[uncounted] for of_tap in distances]
    joined = [np.minimum(of_tap, base) for of_tap, base in zip(distances, bases, strict=True)]
    before = log_score(bases)
    return np.array([before - log_score(grids) for grids in zip(*joined, strict=True)])


class _Remembered:
    """Rows of n images in one tap, (n, rows, d), laid out for measuring distances to each image at once."""

    def __init__(self, rows: Float32Array) -> None:
        self._images = rows.shape[0]
        flat = rows.reshape(-1, rows.shape[2])
        self._centre = flat.mean(axis=0)
        flat = flat - self._centre
        # |q - x|² = |q|² + (-2 x, |x|²)·(q, 1)
        self._factor = np.c_[-2 * flat, np.einsum("nd,nd->n", flat, flat)]

    def nearest(self, grid: Float32Array) -> Float32Array:
        """Distance of every patch to each image, (n, gh, gw); rounded as float32 rounds, for means only."""
        gh, gw, d = grid.shape
        queries = grid.reshape(gh * gw, d) - self._centre
        places = np.c_[queries, np.ones(len(queries), np.float32)]
        found = np.empty((self._images, len(places)), np.float32)
        block = max(1, _BLOCK // len(self._factor))
        for at in range(0, len(places), block):
            product = self._factor @ places[at : at + block].T
            product.reshape(self._images, -1, product.shape[1]).min(axis=1, out=found[:, at : at + block])
        found += np.einsum("pd,pd->p", queries, queries)
        return np.sqrt(np.maximum(found, 0)).reshape(self._images, gh, gw)


def _distances(taps: Sequence[_Remembered], grids: Sequence[Float32Array]) -> list[Float32Array]:
    return [tap.nearest(grid) for tap, grid in zip(taps, grids, strict=True)]


def _most_different(grid: Float32Array, seed: int) -> Float32Array:
    """Rows that cover the patches of one image, (`_ROWS`, d); repeated where it has fewer patches."""
    rows = np.ascontiguousarray(grid.reshape(-1, grid.shape[2]))
    return np.resize(rows[select_coreset(rows, _ROWS, seed=seed).index], (_ROWS, rows.shape[1]))
