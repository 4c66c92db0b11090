"""One picture as a handful of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from anomaly.types import CaptureQuality, CaptureSample, Float32Array

MEASURES = (
    "brightness",
    "contrast",
    "log_sharpness",
    "clipped_dark",
    "clipped_bright",
    "log_area",
    "log_aspect",
    "log_typical",
    "log_wide",
)
"""Names of the capture measures. The last two are logarithms of quantiles of the anomaly map: the lower quartile, which
damage moves little since it is local, and the 90 % quantile, which large damage moves too."""

CELLS = 4
_TINY = 1e-7


def capture_sample(
    quality: CaptureQuality, grid_map: Float32Array, means: Sequence[Float32Array], score: float
) -> CaptureSample:
    """Bring together what is known of one picture.

    Parameters
    ----------
    quality : CaptureQuality
    grid_map : ndarray of float32, (gh, gw)
        The anomaly map before it is brought to pixels.
    means : sequence of ndarray of float32, (d_i,)
        Mean patch embedding of each tap.
    score : float
        Image score.

    Returns
    -------
    CaptureSample
    """
    measures = {
        "brightness": quality.brightness,
        "contrast": quality.contrast,
        "log_sharpness": math.log(quality.sharpness + _TINY),
        "clipped_dark": quality.clipped_dark,
        "clipped_bright": quality.clipped_bright,
        "log_area": math.log(quality.width * quality.height),
        "log_aspect": math.log(quality.width / quality.height),
        "log_typical": math.log(float(np.quantile(grid_map, 0.25)) + _TINY),
        "log_wide": math.log(float(np.quantile(grid_map, 0.9)) + _TINY),
    }
    return CaptureSample(measures, _coarse(grid_map), np.concatenate(list(means)).astype(np.float32), score)


def _coarse(grid_map: Float32Array) -> Float32Array:
    """Mean in each of 4 x 4 cells; a grid smaller than that repeats its values."""
    rows, columns = (_bounds(n) for n in grid_map.shape)
    cells = [[grid_map[top:bottom, left:right].mean() for left, right in columns] for top, bottom in rows]
    return np.array(cells, dtype=np.float32)


def _bounds(n: int) -> list[tuple[int, int]]:
    edges = [cell * n // CELLS for cell in range(CELLS + 1)]
    return [(min(start, n - 1), max(end, start + 1)) for start, end in pairwise(edges)]
