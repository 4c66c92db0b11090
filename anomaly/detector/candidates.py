"""The settings that training may try instead of the given ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from anomaly.config import Config
from anomaly.embedding.registry import backbone

Value = TypeVar("Value")
Network = tuple[str, int]
"""A backbone and ``geometry.size``: candidates that share them share the passes of the network."""

MOST_ENLARGED = 1.5
"""Sizes that would enlarge an image by more (in each direction) add nothing that the picture holds."""
_LARGE = 2.0
"""Sizes of more than so many times the given one cost enough to need a reason, and enlarge no image."""


@dataclass(frozen=True)
class Candidate:
    """One combination of the settings that training chooses.

    Attributes
    ----------
    backbone : str
        ``embedding.backbone``.
    size : int
        ``geometry.size``.
    taps : tuple of str
        ``embedding.taps``, by name.
    whitening : bool
        ``embedding.whitening``.
    smoothing, top_share : float
        ``scoring.smoothing`` and ``scoring.top_share``.
    """

    backbone: str
    size: int
    taps: tuple[str, ...]
    whitening: bool
    smoothing: float
    top_share: float

    @classmethod
    def of(cls, config: Config) -> Candidate:
        """Return what a configuration says already."""
        entry = backbone(config.embedding.backbone)
        return cls(
            entry.name,
            config.geometry.size,
            tuple(tap.name for tap in entry.select_taps(config.embedding.taps)),
            config.embedding.whitening,
            config.scoring.smoothing,
            config.scoring.top_share,
        )

    @property
    def network(self) -> Network:
        """Backbone and size."""
        return self.backbone, self.size

    def apply(self, config: Config) -> Config:
        """Return the configuration with these settings."""
        return replace(
            config,
            geometry=replace(config.geometry, size=self.size),
            embedding=replace(config.embedding, backbone=self.backbone, taps=self.taps, whitening=self.whitening),
            scoring=replace(config.scoring, smoothing=self.smoothing, top_share=self.top_share),
        )

    def describe(self) -> str:
        """Say it in words."""
        return (
            f"{self.backbone}, {self.size}² network pixels, taps {' '.join(self.taps)}, "
            f"{'whitened' if self.whitening else 'not whitened'}, smoothing {self.smoothing:g}, "
            f"top share {self.top_share:g}"
        )


def is_large(size: int, given: int) -> bool:
    """Whether a size is so far beyond the given one that smaller ones are compared first."""
    return size > _LARGE * given


def list_candidates(config: Config, *, fixed: Collection[str], image_area: float) -> tuple[Candidate, ...]:
    """List all combinations, that of ``config`` first.

    Parameters
    ----------
    config : Config
    fixed : collection of str
        Settings, as ``section.name``, that somebody has chosen on purpose: they stay.
    image_area : float
        Original pixels of a typical image.
    """
    own = Candidate.of(config)
    choice = config.selection
    side = math.sqrt(image_area)
    sizes = [size for size in choice.sizes if size <= side * (1 if is_large(size, own.size) else MOST_ENLARGED)]
    # Taps and a file of weights belong to one backbone: who gives them has chosen it.
    chosen = {"embedding.backbone", "embedding.taps"} & set(fixed) or config.embedding.weights

    def axis(name: str, tried: Sequence[Value], mine: Value) -> tuple[Value, ...]:
        return (mine,) if name in fixed else (mine, *(value for value in tried if value != mine))

    def combine(name: str) -> Iterator[Candidate]:
        entry = backbone(name)
        taps = own.taps if name == own.backbone else tuple(tap.name for tap in entry.select_taps())
        axes = itertools.product(
            axis("geometry.size", sizes, own.size),
            axis("embedding.taps", entry.tap_sets, taps),
            axis("embedding.whitening", (False, True), own.whitening),
            axis("scoring.smoothing", choice.smoothing, own.smoothing),
            axis("scoring.top_share", choice.top_share, own.top_share),
        )
        return (Candidate(name, *values) for values in axes)

    names = (own.backbone,) if chosen else axis("embedding.backbone", choice.backbones, own.backbone)
    return tuple(candidate for name in names for candidate in combine(name))
