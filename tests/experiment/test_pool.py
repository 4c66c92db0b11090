from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from anomaly.dataset import DuplicateCluster, LabelledImage
from anomaly.errors import TooFewImagesError
from anomaly.experiment.pool import Pool, fold_numbers, keeps_units, make_folds, make_pool
from anomaly.types import DAMAGED, UNDAMAGED, Label


def image(name: str, label: Label, group: str = "") -> LabelledImage:
    return LabelledImage(Path(name), name, label, group=group)


def sessions(n: int, *, good: int, bad: int) -> list[LabelledImage]:
    return [
        image(f"{label}-{s}-{i}", label, f"session-{s}")
        for s in range(n)
        for label, count in ((UNDAMAGED, good), (DAMAGED, bad))
        for i in range(count)
    ]


def pool_of(images: list[LabelledImage], near: tuple[DuplicateCluster, ...] = ()) -> Pool:
    return make_pool(images, [], near=near, undamaged=80, damaged=40)


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_whole_and_folds_are_balanced(seed: int) -> None:
    pool = pool_of(sessions(9, good=4, bad=2))
    fold = make_folds(pool, folds=3, seed=seed)
    assert keeps_units(fold, pool)
    assert [int(np.sum(fold == number)) for number in range(3)] == [18, 18, 18]
    assert [int(np.sum(pool.damaged[fold == number])) for number in range(3)] == [6, 6, 6]


def test_with_enough_validation_photographs_those_of_the_memory_stay_there() -> None:
    bank = [image(f"m{i}", UNDAMAGED, "other") for i in range(10)]
    pool = make_pool(bank, sessions(6, good=4, bad=2), near=(), undamaged=80, damaged=40)
    assert [i.name for i in pool.images if not i.name.startswith("m")] == [
        i.name for i, judged in zip(pool.images, pool.judged, strict=True) if judged
    ]
    fold = make_folds(pool, folds=3, seed=0)
    assert set(fold[~pool.judged]) == {-1}
    assert fold_numbers(fold) == [0, 1, 2]
    few = make_pool(bank, sessions(2, good=4, bad=4), near=(), undamaged=80, damaged=40)
    assert few.judged.all()


def test_part_types_are_dealt_each_for_itself() -> None:
    images = [
        dataclasses.replace(i, part_type="gears" if int(i.group[-1]) < 3 else "springs")
        for i in sessions(6, good=4, bad=2)
    ]
    pool = pool_of(images)
    for seed in range(5):
        fold = make_folds(pool, folds=3, seed=seed)
        for number in range(3):
            types = [i.part_type for i, at in zip(pool.images, fold, strict=True) if at == number]
            assert types.count("gears") == types.count("springs") == 6


def test_near_duplicates_are_one_unit() -> None:
    images = [image(f"g{i}", UNDAMAGED) for i in range(6)] + [image(f"b{i}", DAMAGED) for i in range(6)]
    cluster = DuplicateCluster(("b0", "g0"), "near", frozenset({UNDAMAGED, DAMAGED}))
    pool = pool_of(images, (cluster,))
    assert pool.units == 11
    names = [i.name for i in pool.images]
    assert pool.unit[names.index("b0")] == pool.unit[names.index("g0")]


def test_where_units_cannot_be_kept_it_is_known() -> None:
    one = pool_of(sessions(1, good=8, bad=6))
    fold = make_folds(one, folds=3, seed=0)
    assert len(set(fold)) == 3
    assert not keeps_units(fold, one)


def test_few_undamaged_make_fewer_folds() -> None:
    images = [image(f"g{i}", UNDAMAGED) for i in range(5)] + [image(f"b{i}", DAMAGED) for i in range(5)]
    fold = make_folds(pool_of(images), folds=5, seed=0)
    assert len(set(fold)) == 2


def test_too_few_and_too_many() -> None:
    with pytest.raises(TooFewImagesError, match="5 undamaged and 5 damaged") as caught:
        pool_of([image(f"g{i}", UNDAMAGED) for i in range(20)])
    assert (caught.value.n, caught.value.needed) == (0, 5)
    pool = make_pool(sessions(9, good=20, bad=10), [], near=(), undamaged=30, damaged=12)
    assert (int(np.sum(~pool.damaged)), int(np.sum(pool.damaged))) == (30, 12)
