"""Undamaged images to rows of the memory bank: as photographed and, where wanted, turned.

A convolutional network does not forgive rotation: the patch of a part that lies at another angle is far from that of
the same part as photographed. So the bank gets each image at several angles (``docs/decisions/0025-turned-copies.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomaly.config import Config
from anomaly.detector.features import Extractor, patch_tags
from anomaly.imaging.turning import Turn, even_turns
from anomaly.types import Float32Array, Int64Array, UInt8Array

_REACH = 1.0
"""Patches, besides those it is averaged over, that one must be away from what the photograph does not hold."""


@dataclass(frozen=True, eq=False)
class BankRows:
    """What one image, at one angle, gives to the bank of one tap.

    Attributes
    ----------
    vectors : ndarray of float32, (n, d)
    tags : ndarray of int64, (n, 2)
        Centre (x, y) of each patch in pixels of the photograph as it is.
    """

    vectors: Float32Array
    tags: Int64Array


def bank_turns(config: Config) -> tuple[Turn, ...]:
    """Return at which angles each undamaged image goes into the bank; as photographed first."""
    return even_turns(config.bank.turns)


def bank_rows(extractor: Extractor, image: UInt8Array, turn: Turn, *, neighbourhood: int) -> tuple[BankRows, ...]:
    """Embed one image at one angle.

    Parameters
    ----------
    extractor : Extractor
    image : ndarray of uint8, (H, W, 3)
        As photographed.
    turn : Turn
    neighbourhood : int
        Patches over whose square an embedding is averaged.

    Returns
    -------
    tuple of BankRows
        One per tap, row by row of the grid. Without the patches that see the corners filled up by turning: those whose
        centre is less than half the neighbourhood and one more patch away from what the photograph holds.
    """
    height, width = image.shape[:2]
    view, grids = extractor.embed(turn.apply(image) if turn != Turn() else image)
    found = []
    for grid in grids:
        gh, gw, d = grid.shape
        vectors = grid.reshape(gh * gw, d)
        if turn == Turn():
            found.append(BankRows(vectors, patch_tags(view, (gh, gw))))
            continue
        centres = view.patch_centres((gh, gw))
        pitch = max(view.box[2] / gw, view.box[3] / gh)
        clearance = (neighbourhood / 2 + _REACH) * pitch
        held = turn.holds(centres, height=height, width=width, clearance=clearance)
        tags = np.round(turn.to_photograph(centres[held], height=height, width=width)).astype(np.int64)
        found.append(BankRows(np.ascontiguousarray(vectors[held]), tags))
    return tuple(found)


def some_turns(turns: Sequence[Turn], number: int, most: int) -> tuple[Turn, ...]:
    """Return ``most`` of the turns for an image, others for its neighbours by number: together they cover all.

    Parameters
    ----------
    turns : sequence of Turn
    number : int
        Of the image.
    most : int
        At least 1; all turns where there are no more.
    """
    if most >= len(turns):
        return tuple(turns)
    return tuple(turns[(number + place * len(turns) // most) % len(turns)] for place in range(most))
