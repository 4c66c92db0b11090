"""The settings that training may try instead of the given ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from anomaly.config import Config
from anomaly.embedding.registry import backbone

Value = TypeVar("Value")

MOST_ENLARGED = 1.5
"""Sizes that would enlarge an image by more (in each direction) add nothing that the picture holds."""


@dataclass(frozen=True)
class Candidate:
    """One combination of the settings that training chooses.

    Attributes
    ----------
    size : int
        ``geometry.size``.
    taps : tuple of str
        ``embedding.taps``, by name.
    whitening : bool
        ``embedding.whitening``.
    smoothing, top_share : float
        ``scoring.smoothing`` and ``scoring.top_share``.
    """

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
            config.geometry.size,
            tuple(tap.name for tap in entry.select_taps(config.embedding.taps)),
            config.embedding.whitening,
            config.scoring.smoothing,
            config.scoring.top_share,
        )

    def apply(self, config: Config) -> Config:
        """Return the configuration with these settings."""
        return replace(
            config,
            geometry=replace(config.geometry, size=self.size),
            embedding=replace(config.embedding, taps=self.taps, whitening=self.whitening),
            scoring=replace(config.scoring, smoothing=self.smoothing, top_share=self.top_share),
        )

    def describe(self) -> str:
        """Say it in words."""
        return (
            f"{self.size}² network pixels, taps {' '.join(self.taps)}, "
            f"{'whitened' if self.whitening else 'not whitened'}, smoothing {self.smoothing:g}, "
            f"top share {self.top_share:g}"
        )


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
    sizes = [size for size in choice.sizes if size <= MOST_ENLARGED * math.sqrt(image_area)]

    def axis(name: str, tried: Sequence[Value], mine: Value) -> tuple[Value, ...]:
        return (mine,) if name in fixed else (mine, *(value for value in tried if value != mine))

    axes = itertools.product(
        axis("geometry.size", sizes, own.size),
        axis("embedding.taps", backbone(config.embedding.backbone).tap_sets, own.taps),
        axis("embedding.whitening", (False, True), own.whitening),
        axis("scoring.smoothing", choice.smoothing, own.smoothing),
        axis("scoring.top_share", choice.top_share, own.top_share),
    )
    return tuple(Candidate(*values) for values in axes)
