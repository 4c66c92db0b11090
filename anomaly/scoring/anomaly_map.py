"""Patch distances to one anomaly map, and the map to one image score.

Nothing here is clamped, squashed or scaled by what else is in the call: a map of twice the distances has
twice the values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from anomaly.errors import AnomalyError, ConfigError
from anomaly.types import Float32Array, Float64Array, Int64Array


def fuse_grids(grids: Sequence[Float32Array], *, scales: Sequence[float], smoothing: float) -> Float32Array:
    """Fuse the patch distances of all taps into one map on the finest grid.

    Each tap is divided by its scale, brought to the finest grid, averaged, and the mean is smoothed. The
    Gaussian over the map is that of PatchCore (Roth et al. 2022, section 3.3,
    https://arxiv.org/abs/2106.08265); one bank for each tap with averaged maps departs from the paper, which
    concatenates the taps.

    Parameters
    ----------
    grids : sequence of ndarray of float32, (gh_i, gw_i)
        Distance of every patch to its nearest neighbours, one grid for each tap, all over the same area.
    scales : sequence of float
        Divisor of each tap; positive. The detector takes those of :mod:`anomaly.detector.scales`.
    smoothing : float
        Standard deviation of the Gaussian in patches of the finest grid; 0: none.

    Returns
    -------
    ndarray of float32, (gh, gw)
        The shape of the largest grid; 1 is an ordinary undamaged patch.

    Raises
    ------
    AnomalyError
        No grid, not as many scales, or a grid that is not two-dimensional, is empty, or holds a value that is
        not finite.
    ConfigError
        A scale that is not positive, or negative smoothing.
    """
    if not grids or len(grids) != len(scales):
        raise AnomalyError(f"expected a scale for each grid, got {len(grids)} grids, {len(scales)} scales")
    if any(not (math.isfinite(scale) and scale > 0) for scale in scales):
        raise ConfigError(f"expected positive finite scales, got {list(scales)}; fit the detector again")
    if not (math.isfinite(smoothing) and smoothing >= 0):
        raise ConfigError(f"expected scoring.smoothing >= 0, got {smoothing}")
    for grid in grids:
        _check_map(grid, "a grid of patch distances")
    height, width = max((grid.shape for grid in grids), key=lambda shape: shape[0] * shape[1])
    total = np.zeros((height, width), dtype=np.float64)
    for grid, scale in zip(grids, scales, strict=True):
        total += resize_grid(grid, height, width).astype(np.float64) / scale
    return smooth_grid(total / len(grids), smoothing).astype(np.float32)


def image_score(grid_map: Float32Array, *, top_share: float) -> float:
    """Return the mean of the largest values of a map.

    Parameters
    ----------
    grid_map : ndarray of float32, (gh, gw)
    top_share : float
        Share of the values that count, in (0, 1]; rounded up, so at least one does.

    Returns
    -------
    float
        The raw image score, in the unit of the map. Does not depend on where the values stand.

    Raises
    ------
    AnomalyError
        The map is empty or holds a value that is not finite.
    ConfigError
        ``top_share`` out of range.
    """
    if not 0 < top_share <= 1:
        raise ConfigError(f"expected scoring.top_share in (0, 1], got {top_share}")
    _check_map(grid_map, "an anomaly map")
    count = top_count(grid_map.size, top_share)
    largest = np.partition(grid_map, grid_map.size - count, axis=None)[-count:]
    return math.fsum(largest.tolist()) / count


def top_count(size: int, top_share: float) -> int:
    """How many of ``size`` values a share of them is."""
    # 0.07 * 100 is 7.000000000000001: round before rounding up.
    return max(1, math.ceil(round(top_share * size, 6)))


def to_pixels(grid_map: Float32Array, height: int, width: int) -> Float32Array:
    """Bring a map from the patch grid to pixels, bilinearly between patch centres.

    Parameters
    ----------
    grid_map : ndarray of float32, (gh, gw)
    height, width : int
        Size of the image in original pixels, at least 1.

    Returns
    -------
    ndarray of float32, (height, width)
        Never outside the range of ``grid_map``.

    Raises
    ------
    AnomalyError
        The map is empty or holds a value that is not finite, or the size is below 1.
    """
    _check_map(grid_map, "an anomaly map")
    if height < 1 or width < 1:
        raise AnomalyError(f"expected a size of at least 1x1 px, got {width}x{height}")
    # A weighted mean may miss its range by the last bit.
    return np.clip(resize_grid(grid_map, height, width), grid_map.min(), grid_map.max())


def _check_map(values: Float32Array, what: str) -> None:
    if values.ndim != 2 or values.size == 0:
        raise AnomalyError(f"expected {what} of shape (rows, columns), got {values.shape}")
    if not np.isfinite(values).all():
        raise AnomalyError(f"expected finite values in {what}, got NaN or infinity; check the memory bank")


def resize_grid(values: Float32Array, height: int, width: int) -> Float32Array:
    """Bilinear with half-pixel centres and repeated edges; averages over the cell where it shrinks."""
    if values.shape == (height, width):
        return np.asarray(values, dtype=np.float32)
    picture = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def smooth_grid(values: Float64Array, sigma: float) -> Float64Array:
    """Gaussian cut off at 4 sigma, axis by axis, the border mirrored: d c b a | a b c d | d c b a."""
    radius = int(4 * sigma + 0.5)
    if radius == 0:
        return values
    offset = np.arange(-radius, radius + 1)
    weight = np.exp(-0.5 * (offset / sigma) ** 2)
    weight /= weight.sum()
    for axis in (0, 1):
        n = values.shape[axis]
        padded = np.moveaxis(values.take(_mirrored(n, radius), axis=axis), axis, 0)
        smooth = weight[0] * padded[:n]
        for step in range(1, weight.size):
            smooth += weight[step] * padded[step : step + n]
        values = np.moveaxis(smooth, 0, axis)
    return values


def _mirrored(n: int, radius: int) -> Int64Array:
    """Places of n values and of so many beyond either end, the values mirrored as often as it takes."""
    place = np.arange(-radius, n + radius) % (2 * n)
    return np.minimum(place, 2 * n - 1 - place)
