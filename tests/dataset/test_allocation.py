from __future__ import annotations

from collections import Counter

from anomaly.dataset.allocation import Unit, allocate
from anomaly.types import DAMAGED, UNDAMAGED, Label, Split

WISHED: dict[Label, dict[Split, float]] = {
    UNDAMAGED: {"bank": 0.6, "validation": 0.2, "test": 0.2},
    DAMAGED: {"bank": 0.0, "validation": 0.5, "test": 0.5},
}


def unit(name: str, undamaged: int, damaged: int = 0) -> Unit:
    counts = {(label, ""): n for label, n in ((UNDAMAGED, undamaged), (DAMAGED, damaged)) if n}
    names = tuple(f"{name}{i}" for i in range(undamaged + damaged))
    judged: tuple[Split, ...] = ("validation", "test")
    return Unit(names, counts, judged if damaged else ("bank", *judged))


def numbers(units: list[Unit], splits: list[Split]) -> Counter[tuple[Split, Label]]:
    total: Counter[tuple[Split, Label]] = Counter()
    for one, split in zip(units, splits, strict=True):
        for (label, _), n in one.counts.items():
            total[split, label] += n
    return total


def test_a_worked_example_with_one_best_answer() -> None:
    # 10 undamaged: 6 / 2 / 2 needs the pair {4, 2} in the bank and one 2 each elsewhere.
    units = [unit("a", 4), unit("b", 2), unit("c", 2), unit("d", 2)]
    splits = allocate(units, WISHED, seed=0)
    assert splits[0] == "bank"
    assert Counter(splits) == {"bank": 2, "validation": 1, "test": 1}


def test_large_groups_of_both_labels_are_balanced() -> None:
    units = [unit("a", 10, 2), unit("b", 6, 1), unit("c", 1, 6), unit("d", 0, 6), *(unit(f"e{i}", 5) for i in range(6))]
    for seed in range(10):
        n = numbers(units, allocate(units, WISHED, seed=seed))
        assert {n["validation", DAMAGED], n["test", DAMAGED]} == {7, 8}
        assert min(n["validation", UNDAMAGED], n["test", UNDAMAGED]) >= 6
        assert n["bank", UNDAMAGED] >= 25


def test_minimums_come_before_shares() -> None:
    units = [unit("big", 50), unit("small", 1), unit("tiny", 1)]
    splits = allocate(units, WISHED, seed=0)
    assert splits[0] == "bank"
    assert sorted(splits[1:]) == ["test", "validation"]


def test_a_thousand_single_images_meet_the_shares_exactly() -> None:
    units = [unit(f"{i}-", 1) for i in range(1000)]
    assert Counter(allocate(units, WISHED, seed=1)) == {"bank": 600, "validation": 200, "test": 200}
