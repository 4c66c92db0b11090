"""A photograph beside its anomaly map, small enough that several stand on one page."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from anomaly.errors import ConfigError, ImageError
from anomaly.imaging._colours import PAPER, colourise, cover, draw_contour
from anomaly.imaging.decode import check_image
from anomaly.types import BoolArray, Float32Array, UInt8Array

_TRUTH = (86, 180, 233)  # sky blue of Okabe and Ito, seen on dark and on bright metal
_GAP = 6


def render_example(
    image: UInt8Array,
    anomaly_map: Float32Array,
    *,
    scale_max: float,
    threshold: float | None,
    mask: BoolArray | None = None,
    height: int = 300,
) -> UInt8Array:
    """Draw the photograph, the true damage outlined in blue, and beside it the anomaly map.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3)
    anomaly_map : ndarray of float32, (H, W)
    scale_max : float
        Map value of the last colour; the same for every picture of a trained model.
    threshold : float or None
        Where the map exceeds it a white contour is drawn.
    mask : ndarray of bool, (H', W'), optional
        True where the part is damaged.
    height : int
        Of the picture, in pixels.

    Returns
    -------
    ndarray of uint8, (height, width, 3)
        The width follows from the aspect ratio, at most three times the height.

    Raises
    ------
    ImageError
        The array is not an image, or the map is not of its size.
    ConfigError
        ``scale_max`` is not positive and finite.
    """
    check_image(image)
    if anomaly_map.shape != image.shape[:2]:
        raise ImageError(
            f"expected a map of the image's size {image.shape[:2]}, got {anomaly_map.shape}; predict again"
        )
    if not (math.isfinite(scale_max) and scale_max > 0):
        raise ConfigError(f"expected a positive end of the colour scale, got {scale_max}; fit it again")
    width = min(round(height * image.shape[1] / image.shape[0]), round(1.5 * height))
    size = (max(8, width), min(height, max(8, round(width * image.shape[0] / image.shape[1]))))
    shown = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    photograph = np.asarray(shown)
    if mask is not None and mask.any():
        photograph = draw_contour(photograph, cover(mask, *size), _TRUTH)
    values = np.asarray(Image.fromarray(anomaly_map).resize(size, Image.Resampling.BILINEAR))
    coloured = colourise(values, scale_max, np.asarray(shown.convert("L")))
    if threshold is not None:
        coloured = draw_contour(coloured, cover(anomaly_map > np.float64(threshold), *size), PAPER)
    gap = np.full((size[1], _GAP, 3), 255, dtype=np.uint8)
    return np.ascontiguousarray(np.concatenate([photograph, gap, coloured], axis=1))
