"""The photographs of an experiment: a few of memory and validation, and who must stay together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomaly.dataset import DuplicateCluster, LabelledImage
from anomaly.dataset.duplicates import Unions
from anomaly.detector.sampling import evenly
from anomaly.errors import TooFewImagesError
from anomaly.types import DAMAGED, BoolArray, Int64Array

LEAST = 5
"""Fewer photographs of either label carry no comparison."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Photographs that are judged, each by memories that it is not in.

    Attributes
    ----------
    images : tuple of LabelledImage
    damaged : ndarray of bool, (n,)
    unit : ndarray of int64, (n,)
        Images of one unit (a group, or near-duplicates) are never in the memory and judged at once.
    """

    images: tuple[LabelledImage, ...]
    damaged: BoolArray
    unit: Int64Array

    @property
    def units(self) -> int:
        """How many units there are."""
        return int(self.unit.max()) + 1


def make_pool(
    bank: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    *,
    near: Sequence[DuplicateCluster],
    undamaged: int,
    damaged: int,
) -> Pool:
    """Choose the photographs of an experiment.

    Parameters
    ----------
    bank, validation : sequence of LabelledImage
        The images of these splits; no image of the test split ever comes here.
    near : sequence of DuplicateCluster
        Near-duplicates among them.
    undamaged, damaged : int
        At most so many of either label, evenly spaced.

    Raises
    ------
    TooFewImagesError
        Fewer than 5 of either label.
    """
    every = sorted((*bank, *validation), key=lambda image: image.name)
    good = [image for image in every if image.label != DAMAGED]
    bad = [image for image in every if image.label == DAMAGED]
    if min(len(good), len(bad)) < LEAST:
        raise TooFewImagesError(
            f"an experiment needs at least {LEAST} undamaged and {LEAST} damaged photographs of memory and validation, "
            f"and there are {len(good)} and {len(bad)}: label more, or train with the settings as given",
            n=min(len(good), len(bad)),
            needed=LEAST,
        )
    images = (*(good[i] for i in evenly(len(good), undamaged)), *(bad[i] for i in evenly(len(bad), damaged)))
    unions = Unions()
    for image in images:
        unions.join([image.name, *([("group", image.group)] if image.group else [])])
    for cluster in near:
        unions.join(cluster.names)
    roots = [unions.find(image.name) for image in images]
    numbers = {root: number for number, root in enumerate(dict.fromkeys(roots))}
    return Pool(
        images,
        np.array([image.label == DAMAGED for image in images], dtype=np.bool_),
        np.array([numbers[root] for root in roots], dtype=np.int64),
    )


def make_folds(pool: Pool, *, folds: int, seed: int) -> Int64Array:
    """Deal whole units to folds, so that each has about as many damaged and undamaged photographs.

    The units are shuffled, those with the most damaged photographs go first, each to the fold that has the fewest so
    far. Where some fold would have fewer than two undamaged photographs, or leave fewer than two for the memory, every
    photograph is dealt for itself: :func:`keeps_units` tells.

    Parameters
    ----------
    pool : Pool
    folds : int
        At least 2; fewer are made where there are few undamaged photographs.
    seed : int
        Of the shuffle.

    Returns
    -------
    ndarray of int64, (n,)
        Fold in which each image is judged.
    """
    n = max(2, min(folds, int(np.sum(~pool.damaged)) // 2))
    dealt = _deal(pool.unit, pool.damaged, n, seed)
    if _usable(dealt, pool.damaged):
        return dealt
    return _deal(np.arange(len(pool.images), dtype=np.int64), pool.damaged, n, seed)


def keeps_units(fold: Int64Array, pool: Pool) -> bool:
    """Whether no unit is judged in two folds."""
    return all(len(set(fold[pool.unit == unit])) == 1 for unit in range(pool.units))


def _deal(unit: Int64Array, damaged: BoolArray, folds: int, seed: int) -> Int64Array:
    count = int(unit.max()) + 1
    bad = np.bincount(unit, weights=damaged, minlength=count)
    good = np.bincount(unit, weights=~damaged, minlength=count)
    shuffled = np.random.default_rng(seed).permutation(count)
    load = np.zeros((folds, 2))
    fold = np.zeros(count, dtype=np.int64)
    for number in sorted(shuffled, key=lambda number: (-bad[number], -good[number])):
        first = 0 if bad[number] else 1
        lightest = min(range(folds), key=lambda place: (load[place, first], load[place, 1 - first]))
        fold[number] = lightest
        load[lightest] += bad[number], good[number]
    dealt: Int64Array = fold[unit]
    return dealt


def _usable(fold: Int64Array, damaged: BoolArray) -> bool:
    good = np.array([int(np.sum(~damaged[fold == number])) for number in np.unique(fold)])
    return len(good) > 1 and bool(good.min() >= 2) and bool(good.sum() - good.max() >= 2)
