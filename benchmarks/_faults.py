"""Faults of photographs, planted: other focus, exposure, crop, scale, size, and wear of the tray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from anomaly.imaging.faults import blur, exposure
from anomaly.types import UInt8Array


@dataclass(frozen=True)
class Fault:
    """One kind of fault at one level."""

    kind: str
    level: float
    plant: Callable[[UInt8Array, float], UInt8Array]

    def __call__(self, image: UInt8Array) -> UInt8Array:
        """Plant it in an image (H, W, 3)."""
        return self.plant(image, self.level)


def crop(image: UInt8Array, share: float) -> UInt8Array:
    """Cut out the middle, this share of each side, and enlarge it to the size of the whole."""
    return _resized(_middle(image, share), image.shape[1], image.shape[0])


def crop_file(image: UInt8Array, share: float) -> UInt8Array:
    """Keep the middle alone: a smaller picture."""
    return np.ascontiguousarray(_middle(image, share))


def farther(image: UInt8Array, share: float) -> UInt8Array:
    """Shrink the whole to this share of each side, and repeat its border up to the old size."""
    height, width = image.shape[:2]
    small = _resized(image, max(8, round(width * share)), max(8, round(height * share)))
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    rest = ((top, height - small.shape[0] - top), (left, width - small.shape[1] - left), (0, 0))
    return np.pad(small, rest, mode="edge")


def size(image: UInt8Array, share: float) -> UInt8Array:
    """Keep the whole at fewer pixels."""
    return _resized(image, max(8, round(image.shape[1] * share)), max(8, round(image.shape[0] * share)))


def stain(image: UInt8Array, strength: float) -> UInt8Array:
    """Smear the lower left corner of the tray, always at the same place."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = columns / width - 0.14, rows / height - 0.86
    smear = np.exp(-((x + y) ** 2) / (2 * 0.02**2) - (x - y) ** 2 / (2 * 0.09**2))
    shade = 1.0 - strength * smear[:, :, None]
    return np.clip(image.astype(np.float32) * shade + 0.5, 0, 255).astype(np.uint8)


FAULTS = tuple(
    Fault(kind, level, plant)
    for kind, plant, levels in (
        ("blur", blur, (0.5, 1.0, 2.0, 3.0)),
        ("exposure", exposure, (0.5, 0.75, 0.87, 1.15, 1.35, 1.8)),
        ("crop", crop, (0.9, 0.75, 0.5)),
        ("crop, smaller file", crop_file, (0.75, 0.5)),
        ("farther away", farther, (0.9, 0.75, 0.5)),
        ("size", size, (0.4, 0.2)),
    )
    for level in levels
)
"""What ``capture.py`` plants."""


def _middle(image: UInt8Array, share: float) -> UInt8Array:
    height, width = image.shape[:2]
    rows, columns = max(8, round(height * share)), max(8, round(width * share))
    top, left = (height - rows) // 2, (width - columns) // 2
    return image[top : top + rows, left : left + columns]


def _resized(image: UInt8Array, width: int, height: int) -> UInt8Array:
    return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((width, height), Image.Resampling.LANCZOS))
