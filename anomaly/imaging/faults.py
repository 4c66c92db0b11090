"""Typical faults of a photograph, planted in one: what a picture of other focus, light or distance looks like.

Each is as large as a careless hand makes it: enough to move scores, not enough to strike the eye at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from anomaly.types import UInt8Array

_BLUR, _REFERENCE_SIDE = 0.7, 448
_DARKER, _BRIGHTER = 0.7, 1.4
_SCALE = 0.85


def blur(image: UInt8Array, sigma: float) -> UInt8Array:
    """Gaussian, its standard deviation in pixels of a picture of 448 x 448."""
    radius = sigma * float(np.sqrt(image.shape[0] * image.shape[1])) / _REFERENCE_SIDE
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def exposure(image: UInt8Array, gain: float) -> UInt8Array:
    """Every value times a gain, cut off at white."""
    return np.asarray(np.clip(image.astype(np.float32) * gain + 0.5, 0, 255).astype(np.uint8))


def out_of_focus(image: UInt8Array) -> UInt8Array:
    """Blur by 0.7 pixels of a picture of 448 x 448."""
    return blur(image, _BLUR)


def darker(image: UInt8Array) -> UInt8Array:
    """Take away three tenths of every value."""
    return exposure(image, _DARKER)


def brighter(image: UInt8Array) -> UInt8Array:
    """Add four tenths to every value, up to white."""
    return exposure(image, _BRIGHTER)


def nearer(image: UInt8Array) -> UInt8Array:
    """Keep 85 % of each side, the middle, and enlarge it to the size of the whole."""
    height, width = image.shape[:2]
    left, top = (1 - _SCALE) / 2 * width, (1 - _SCALE) / 2 * height
    box = (left, top, width - left, height - top)
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC, box=box))


def farther_mirrored(image: UInt8Array) -> UInt8Array:
    """Shrink the whole to 85 % of each side, and mirror it beyond its borders up to the old size."""
    return _farther(image, "symmetric")


def farther_repeated(image: UInt8Array) -> UInt8Array:
    """Shrink the whole to 85 % of each side, and repeat its border up to the old size."""
    return _farther(image, "edge")


def _farther(image: UInt8Array, mode: Literal["symmetric", "edge"]) -> UInt8Array:
    height, width = image.shape[:2]
    size = max(1, round(_SCALE * width)), max(1, round(_SCALE * height))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    rows, columns = height - small.shape[0], width - small.shape[1]
    around = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
    return np.asarray(np.pad(small, around, mode=mode))


PLANT: Mapping[str, Callable[[UInt8Array], UInt8Array]] = {
    "out_of_focus": out_of_focus,
    "darker": darker,
    "brighter": brighter,
    "nearer": nearer,
    # Nobody knows what lies beyond the border: more parts, or nothing but the support.
    "farther_mirrored": farther_mirrored,
    "farther_repeated": farther_repeated,
}
"""How to plant each fault in an image (H, W, 3), by the names of :data:`anomaly.capture.FAULTS`."""
