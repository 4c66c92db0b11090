"""How the picture was taken: brightness, contrast, sharpness, clipping."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from anomaly.imaging.decode import check_image
from anomaly.types import CaptureQuality, UInt8Array

_ROWS = 128  # rows of a strip: fits into the cache, and bounds the memory on very large pictures


def measure_quality(image: UInt8Array) -> CaptureQuality:
    """Measure how a picture was taken; exact, on all pixels.

    Luma is ITU-R BT.601. The sharpness is the variance of the 4-neighbour Laplacian (Pech-Pacheco et al.
    2000, "Diatom autofocusing in brightfield microscopy", https://doi.org/10.1109/ICPR.2000.903548), with
    edge pixels repeated beyond the border, so that it is defined for every size.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3)

    Returns
    -------
    CaptureQuality

    Raises
    ------
    ImageError
        The array is not an image.
    """
    check_image(image)
    grey = Image.fromarray(image).convert("L")
    counts = np.asarray(grey.histogram(), dtype=np.float64)
    share = counts / counts.sum()
    level = np.arange(256) / 255.0
    mean = float(share @ level)
    return CaptureQuality(
        width=image.shape[1],
        height=image.shape[0],
        brightness=mean,
        contrast=math.sqrt(float(share @ (level - mean) ** 2)),
        sharpness=_laplacian_variance(np.asarray(grey)),
        clipped_dark=float(share[0]),
        clipped_bright=float(share[255]),
    )


def _laplacian_variance(luma: UInt8Array) -> float:
    """Variance of the Laplacian of (H, W) luma, in units where 255 is 1; integer sums, so exact.

    Its mean is 0: what a pixel adds for its neighbour, the neighbour takes away, and a repeated one adds nothing.
    """
    height = luma.shape[0]
    squares = 0
    for top in range(0, height, _ROWS):
        bottom = min(top + _ROWS, height)
        rows = np.arange(top - 1, bottom + 1).clip(0, height - 1)
        strip = np.pad(luma[rows].astype(np.int16), ((0, 0), (1, 1)), mode="edge")
        laplacian = strip[:-2, 1:-1] + strip[2:, 1:-1]
        laplacian += strip[1:-1, :-2]
        laplacian += strip[1:-1, 2:]
        laplacian -= strip[1:-1, 1:-1] * np.int16(4)
        square = laplacian.astype(np.int32)
        square *= square
        # At most 128 squares of 1,020 in a column: an int32 holds them.
        squares += int(square.sum(axis=0, dtype=np.int32).sum(dtype=np.int64))
    return squares / luma.size / 65025.0  # 255**2
