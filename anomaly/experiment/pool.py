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
MATCHED = 20
"""Undamaged validation photographs from which only validation photographs are judged."""
REMEMBERED = -1
"""Fold of a photograph that is always in the memory and never judged."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Photographs that are judged, each by memories that it is not in, and those that only fill memories.

    Attributes
    ----------
    images : tuple of LabelledImage
    damaged : ndarray of bool, (n,)
    unit : ndarray of int64, (n,)
        Images of one unit (a group, or near-duplicates) are never in the memory and judged at once.
    judged : ndarray of bool, (n,)
        False: in every memory, as in training.
    """

    images: tuple[LabelledImage, ...]
    damaged: BoolArray
    unit: Int64Array
    judged: BoolArray

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

    With at least 20 undamaged validation photographs only validation photographs are judged, and those of the memory
    stay there: damaged and undamaged ones then come from the same sessions, and the light of a session is not mistaken
    for damage. With fewer, all undamaged ones are judged.

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
    placed = {image.name for image in validation}
    matched = [image for image in good if image.name in placed]
    kept: list[LabelledImage] = []
    if len(matched) >= MATCHED:
        kept = [image for image in good if image.name not in placed]
        kept, good = [kept[i] for i in evenly(len(kept), undamaged)] if kept else [], matched
    good, bad = [good[i] for i in evenly(len(good), undamaged)], [bad[i] for i in evenly(len(bad), damaged)]
    images = (*good, *bad, *kept)
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
        np.arange(len(images)) < len(good) + len(bad),
    )


def make_folds(pool: Pool, *, folds: int, seed: int) -> Int64Array:
    """Deal whole units to folds, so that each has about as many damaged and undamaged photographs of each part type.

    The units are shuffled, those with the most damaged photographs go first, each to the fold that has the fewest of
    its part type so far. Where some fold would have fewer than two undamaged photographs, or leave fewer than two for
    the memory, every photograph is dealt for itself: :func:`keeps_units` tells.

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
        Fold in which each image is judged; -1: in none, it is always remembered.
    """
    n = max(2, min(folds, int(np.sum(~pool.damaged & pool.judged)) // 2))
    dealt = _deal(pool, pool.unit, n, seed)
    if _usable(dealt, pool.damaged):
        return dealt
    return _deal(pool, np.arange(len(pool.images), dtype=np.int64), n, seed)


def fold_numbers(fold: Int64Array) -> list[int]:
    """Return the folds in which photographs are judged."""
    return [int(number) for number in np.unique(fold) if number != REMEMBERED]


def keeps_units(fold: Int64Array, pool: Pool) -> bool:
    """Whether no unit is judged in two folds."""
    return all(len(set(fold[pool.unit == unit])) == 1 for unit in range(pool.units) if np.any(pool.unit == unit))


def _deal(pool: Pool, unit: Int64Array, folds: int, seed: int) -> Int64Array:
    count = int(unit.max()) + 1
    bad = np.bincount(unit, weights=pool.damaged & pool.judged, minlength=count)
    good = np.bincount(unit, weights=~pool.damaged & pool.judged, minlength=count)
    part_type = dict(zip(unit.tolist(), (image.part_type for image in pool.images), strict=True))
    load = {name: np.zeros((folds, 2)) for name in {*part_type.values(), None}}
    fold = np.zeros(count, dtype=np.int64)
    shuffled = np.random.default_rng(seed).permutation(count)
    for number in sorted(shuffled.tolist(), key=lambda number: (-bad[number], -good[number])):
        first = 0 if bad[number] else 1
        own, every = load[part_type[number]], load[None]
        fold[number] = min(
            range(folds),
            key=lambda place: (own[place, first], every[place, first], own[place, 1 - first], every[place, 1 - first]),
        )
        for table in (own, every):
            table[fold[number]] += bad[number], good[number]
    dealt: Int64Array = np.where(pool.judged, fold[unit], REMEMBERED)
    return dealt


def _usable(fold: Int64Array, damaged: BoolArray) -> bool:
    good = np.array([int(np.sum(~damaged[fold == number])) for number in fold_numbers(fold)])
    always = int(np.sum(fold == REMEMBERED))
    return len(good) > 1 and bool(good.min() >= 2) and bool(always + good.sum() - good.max() >= 2)
