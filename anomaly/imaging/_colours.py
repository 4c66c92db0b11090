"""Map values to colours: one fixed scale, a perceptually uniform table, the threshold as a contour."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from anomaly.types import BoolArray, Float32Array, UInt8Array

# "inferno" by N. Smith and S. van der Walt (CC0, https://bids.github.io/colormap/), as in Matplotlib, every
# 16th entry of 256; between them linear interpolation stays within 6/255 of the original.
_INFERNO = np.array(
    [
        (0, 0, 4), (11, 7, 36), (33, 12, 74), (61, 9, 101), (87, 16, 110), (113, 25, 110), (138, 34, 106),
        (163, 44, 97), (188, 55, 84), (208, 69, 69), (227, 89, 51), (241, 113, 31), (249, 140, 10),
        (252, 170, 15), (249, 201, 50), (242, 232, 101), (252, 255, 164),
    ]
)  # fmt: skip
_POSITIONS = (0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255)
_OPACITY = 0.64  # of the colours over the grey picture

INK = (32, 33, 36)
SOFT_INK = (95, 99, 104)
RULE = (218, 220, 224)
MAT = (241, 243, 244)
PAPER = (255, 255, 255)
# Okabe and Ito (https://jfly.uni-koeln.de/color/): told apart by every kind of colour vision.
VERMILLION = (213, 94, 0)
BLUISH_GREEN = (0, 135, 98)
AMBER = (140, 98, 0)  # their orange, darkened until white letters can be read on it


def colour_table() -> UInt8Array:
    """Return the colours from the lowest to the highest value, (256, 3)."""
    channels = [np.interp(np.arange(256), _POSITIONS, _INFERNO[:, c]) for c in range(3)]
    table: UInt8Array = np.stack(channels, axis=1).round().astype(np.uint8)
    return table


def colourise(values: Float32Array, scale_max: float, grey: npt.NDArray[np.uint8]) -> UInt8Array:
    """Colour (H, W) values on the scale 0 .. ``scale_max`` over a grey picture (H, W); (H, W, 3).

    Values beyond the scale take the colour of its end.
    """
    index = (np.clip(values / scale_max, 0.0, 1.0) * 255.0).round().astype(np.intp)
    colours = colour_table().astype(np.float32)[index]
    # The grey is drawn together, so that equal values look alike on bright and on dark metal.
    muted = 44 + 0.66 * grey.astype(np.float32)[..., None]
    blended: UInt8Array = (_OPACITY * colours + (1 - _OPACITY) * muted).round().astype(np.uint8)
    return blended


def cover(mask: BoolArray, width: int, height: int) -> BoolArray:
    """Bring a mask to display size; a displayed pixel is set if any of what it covers is."""
    scaled = Image.fromarray(mask.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    covered: BoolArray = np.asarray(scaled) > 0
    return covered


def draw_contour(picture: UInt8Array, mask: BoolArray, line: tuple[int, int, int]) -> UInt8Array:
    """Draw the inner edge of a mask, two pixels wide, with a dark hairline outside; returns a new picture.

    Where the mask runs out of the picture its edge stays open.
    """
    outlined = picture.copy()
    halo = ~_shrink(~mask) & ~mask
    outlined[halo] = outlined[halo] // 3
    outlined[mask & ~_shrink(_shrink(mask))] = line
    return outlined


def ticks(scale_max: float, most: int) -> list[float]:
    """Return about ``most`` round values from 0 to below ``scale_max``: steps of 1, 2 or 5 times 10**n."""
    raw = scale_max / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= raw * (1 - 1e-9))
    return [i * step for i in range(math.ceil(scale_max / step - 1e-9))]


def _shrink(mask: BoolArray) -> BoolArray:
    """Keep the pixels whose four neighbours are set too; outside counts as its nearest pixel."""
    padded = np.pad(mask, 1, mode="edge")
    return mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
