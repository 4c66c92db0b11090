"""Pixel AUROC and AUPRO from histograms, one image at a time: for many pixels, and for resampling whole images.

The curves are those of anomalib (:mod:`anomaly.interop.anomalib_metrics`), read off at `LEVELS` levels of the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from anomaly.types import BoolArray, Float32Array, Float64Array

FPR_LIMIT = 0.3
"""AUPRO integrates up to this false-positive rate: Bergmann et al., MVTec AD (IJCV 2021), section 5.2."""
LEVELS = 4096
"""Bins of the histograms."""
RESAMPLING_LEVELS = 512
"""The same where every image keeps histograms of its own."""


def aligned(map_: Float32Array, mask: BoolArray | None) -> tuple[Float32Array, BoolArray]:
    """Return the map in the size of its mask, and the mask; the mask is never resized.

    Parameters
    ----------
    map_ : ndarray of float32, (H, W)
    mask : ndarray of bool, (H', W'), or None
        None: nothing is damaged.
    """
    if mask is None:
        return map_, np.zeros(map_.shape, dtype=np.bool_)
    if map_.shape != mask.shape:
        height, width = mask.shape
        image = Image.fromarray(np.ascontiguousarray(map_, dtype=np.float32))
        map_ = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
    return map_, mask


@dataclass(frozen=True, eq=False)
class PixelHistograms:
    """What each image adds to the curves, at each level of the map.

    Attributes
    ----------
    background, defect : ndarray of float64, (n, levels)
        Pixels without and with damage.
    overlap : ndarray of float64, (n, levels)
        Shares of the damaged regions, each region adding up to 1.
    """

    background: Float64Array
    defect: Float64Array
    overlap: Float64Array

    def metrics(self, weights: Float64Array) -> tuple[float, float]:
        """Return pixel AUROC and AUPRO with every image counted ``weights`` times, (n,).

        Some image that counts must have a defect pixel, and some another: there is no curve without both.
        """
        rates = []
        for counts in (self.background, self.defect, self.overlap):
            total = np.concatenate([[0.0], np.cumsum((weights @ counts)[::-1])])
            rates.append(total / total[-1])
        fpr, tpr, pro = rates
        return _area(fpr, tpr), _area_up_to(fpr, pro, limit=FPR_LIMIT) / FPR_LIMIT


def pixel_histograms(
    maps: Sequence[Float32Array], masks: Sequence[BoolArray | None], *, levels: int = RESAMPLING_LEVELS
) -> PixelHistograms:
    """Count the pixels of every image; needs defect pixels and others somewhere, and SciPy.

    Parameters
    ----------
    maps : sequence of ndarray of float32, (H, W)
    masks : sequence of ndarray of bool, (H', W'), or None
        None: an undamaged image.
    levels : int
    """
    edges = _level_edges(maps, masks, levels=levels)
    rows = [_image_counts(map_, mask, edges) for map_, mask in zip(maps, masks, strict=True)]
    background, defect, overlap = (np.stack(part) for part in zip(*rows, strict=True))
    return PixelHistograms(background, defect, overlap)


def histogram_metrics(maps: Sequence[Float32Array], masks: Sequence[BoolArray | None]) -> tuple[float, float]:
    """Return AUROC and AUPRO over `LEVELS` levels of the map; the memory of one image suffices."""
    edges = _level_edges(maps, masks, levels=LEVELS)
    total = np.zeros((3, edges.size + 1))
    for map_, mask in zip(maps, masks, strict=True):
        total += np.stack(_image_counts(map_, mask, edges))
    return PixelHistograms(*(part[None] for part in total)).metrics(np.ones(1))


def _image_counts(
    map_: Float32Array, mask: BoolArray | None, edges: Float32Array
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return background, defect and overlap of one image, each (levels,)."""
    from scipy import ndimage

    pixels, truth = aligned(map_, mask)
    size = edges.size + 1
    level = np.searchsorted(edges, pixels.ravel(), side="right").reshape(pixels.shape)
    background = np.bincount(level[~truth], minlength=size).astype(np.float64)
    defect = np.bincount(level[truth], minlength=size).astype(np.float64)
    overlap = np.zeros(size)
    if truth.any():
        regions, _ = ndimage.label(truth, structure=np.ones((3, 3)))
        share = 1 / np.bincount(regions.ravel())[regions[truth]]
        overlap += np.bincount(level[truth], weights=share, minlength=size)
    return background, defect, overlap


def _level_edges(maps: Sequence[Float32Array], masks: Sequence[BoolArray | None], *, levels: int) -> Float32Array:
    """Return ascending edges: quantiles of a regular sample, half of it background, half of it defects."""
    n_pixels = sum((map_ if mask is None else mask).size for map_, mask in zip(maps, masks, strict=True))
    stride = max(1, n_pixels // 2_000_000)
    sampled: tuple[list[Float32Array], list[Float32Array]] = ([], [])
    for map_, mask in zip(maps, masks, strict=True):
        pixels, truth = aligned(map_, mask)
        sampled[0].append(pixels[~truth][::stride].copy())  # a view would keep all the others
        sampled[1].append(pixels[truth][::stride].copy())
    shares = np.linspace(0, 1, levels // 2)
    edges = [np.quantile(part, shares, method="lower") for part in map(np.concatenate, sampled) if part.size]
    return np.unique(np.concatenate(edges)).astype(np.float32)


def _area_up_to(x: Float64Array, y: Float64Array, *, limit: float) -> float:
    """Return the area under the polygon (x, y) for x in [0, limit]."""
    last = int(np.searchsorted(x, limit, side="right"))
    if last < x.size:
        rest = (limit - x[last - 1]) / (x[last] - x[last - 1])
        at_limit = y[last - 1] + rest * (y[last] - y[last - 1])
        x, y = np.append(x[:last], limit), np.append(y[:last], at_limit)
    return _area(x, y)


def _area(x: Float64Array, y: Float64Array) -> float:
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))
