"""Giving units of images to splits so that the wished-for shares are met as well as whole units allow.

A unit is a set of images that must stay together: a group, a set of duplicates, or one image; of one that goes to the
bank the damaged images are left out. With units of one
image the shares are met to the nearest image; with few large units there may be no good answer, only a best one.

The cost of an allocation sums, over split and label, and once more over split, label and part type, the squared
distance between the number of images and the number wished for, divided by the latter; missing minimums
(:data:`MINIMUMS`) cost far more than any share. Units are given away one after another, each to the split where
it costs least: first those that have the least choice (both labels, then damaged, then undamaged), larger before
smaller, equals in an order drawn from the seed. Then single units are moved and pairs exchanged as long as that
lowers the cost. Nothing else is random, and equal costs prefer the split named first.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeAlias

import numpy as np

from anomaly.types import DAMAGED, UNDAMAGED, Label, Split

Stratum: TypeAlias = tuple[Label, str]
"""Label and part type."""
Cell: TypeAlias = tuple[Split, Label, str | None]
"""One number that is to be met; part type None: all part types together."""

MINIMUMS: Mapping[tuple[Split, Label], tuple[int, float]] = {
    # how many images, and how dear one missing image is: bank first, then validation, then test
    ("bank", UNDAMAGED): (2, 1e9),
    ("validation", UNDAMAGED): (1, 1e8),
    ("validation", DAMAGED): (1, 1e8),
    ("test", UNDAMAGED): (1, 1e6),
    ("test", DAMAGED): (1, 1e6),
}
_MOST_EXCHANGED = 60
_MOST_PASSES = 20
_LEAST_GAIN = 1e-9


@dataclass(frozen=True)
class Unit:
    """Images that stay together.

    Attributes
    ----------
    names : tuple of str
    counts : mapping of (label, part type) to int
    allowed : tuple of Split
        Where it may go; at least one.
    """

    names: tuple[str, ...]
    counts: Mapping[Stratum, int]
    allowed: tuple[Split, ...]

    @property
    def labels(self) -> frozenset[Label]:
        """Labels that occur in the unit."""
        return frozenset(label for label, _ in self.counts)


def allocate(units: Sequence[Unit], wished: Mapping[Label, Mapping[Split, float]], *, seed: int) -> list[Split]:
    """Choose a split for each unit.

    Parameters
    ----------
    units : sequence of Unit
        In an order that does not depend on chance (sorted by name).
    wished : mapping of label to mapping of split to float
        Shares, summing to 1 for each label.
    seed : int
        Orders units that are alike.

    Returns
    -------
    list of Split
        One for each unit, from its ``allowed``.
    """
    plan = _Plan(units, wished)
    drawn = np.random.default_rng(seed).permutation(len(units))
    for index in sorted(drawn.tolist(), key=lambda index: _order(units[index])):
        plan.place(index, plan.cheapest(index))
    for _ in range(_MOST_PASSES):
        if not (plan.move_singles(drawn.tolist()) or plan.exchange_pairs()):
            break
    return [plan.split[index] for index in range(len(units))]


def _order(unit: Unit) -> tuple[int, int]:
    choice = 0 if len(unit.labels) > 1 else 1 if DAMAGED in unit.labels else 2
    return choice, -len(unit.names)


@dataclass
class _Plan:
    """An allocation under way, with the numbers its cost is made of."""

    units: Sequence[Unit]
    wished: Mapping[Label, Mapping[Split, float]]
    split: dict[int, Split] = field(default_factory=dict)
    have: Counter[Cell] = field(default_factory=Counter)
    totals: Counter[tuple[Label, str | None]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for unit in self.units:
            for (label, part_type), n in unit.counts.items():
                self.totals[label, part_type] += n
                self.totals[label, None] += n

    def place(self, index: int, split: Split) -> None:
        """Put a unit into a split, out of the one it was in."""
        for cell, n in self._change(index, split).items():
            self.have[cell] += n
        self.split[index] = split

    def cheapest(self, index: int) -> Split:
        """Return the split where a unit costs least."""
        return min(self.units[index].allowed, key=lambda split: self._cost_of(self._change(index, split)))

    def move_singles(self, order: Sequence[int]) -> bool:
        """Move each unit to where it costs less; tell whether any moved."""
        moved = False
        for index in order:
            best = self.cheapest(index)
            if best != self.split[index] and self._cost_of(self._change(index, best)) < -_LEAST_GAIN:
                self.place(index, best)
                moved = True
        return moved

    def exchange_pairs(self) -> bool:
        """Exchange the splits of two large units where that costs less; tell whether any were exchanged."""
        large = [index for index, unit in enumerate(self.units) if len(unit.names) > 1]
        large.sort(key=lambda index: -len(self.units[index].names))
        exchanged = False
        for a, b in combinations(large[:_MOST_EXCHANGED], 2):
            to_a, to_b = self.split[b], self.split[a]
            if to_a == to_b or to_a not in self.units[a].allowed or to_b not in self.units[b].allowed:
                continue
            change = self._change(a, to_a)
            change.update(self._change(b, to_b))
            if self._cost_of(change) < -_LEAST_GAIN:
                self.place(a, to_a)
                self.place(b, to_b)
                exchanged = True
        return exchanged

    def _change(self, index: int, split: Split) -> Counter[Cell]:
        """Return how the numbers change when a unit goes to ``split``."""
        change: Counter[Cell] = Counter()
        for place, sign in ((self.split.get(index), -1), (split, 1)):
            if place is None:
                continue
            for (label, part_type), n in self.units[index].counts.items():
                if place == "bank" and label == DAMAGED:
                    continue  # left out
                change[place, label, part_type] += sign * n
                change[place, label, None] += sign * n
        return change

    def _cost_of(self, change: Counter[Cell]) -> float:
        """Return by how much the cost rises; summed exactly, so that the order of the terms is no matter."""
        return math.fsum(
            self._cell_cost(cell, self.have[cell] + n) - self._cell_cost(cell, self.have[cell])
            for cell, n in change.items()
            if n
        )

    def _cell_cost(self, cell: Cell, n: int) -> float:
        split, label, part_type = cell
        wish = self.totals[label, part_type] * self.wished[label].get(split, 0.0)
        cost = (n - wish) ** 2 / max(wish, 1.0)
        if part_type is None:
            # A share of zero was asked for; then there is nothing to insist on.
            least, dear = MINIMUMS.get((split, label), (0, 0.0)) if wish else (0, 0.0)
            cost += dear * max(0, least - n)
        return cost
