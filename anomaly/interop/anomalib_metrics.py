"""Pixel metrics by anomalib, kept clear of its traps.

- torchmetrics, under anomalib's AUROC, silently applies a sigmoid to scores outside [0, 1], where large
  scores all become 1. Here all maps of a call are brought into [0, 1] by one increasing transform beforehand,
  for the metric only; neither metric depends on it.
- A mask is never resized; the map is brought to the mask's size.
- Images may differ in size. AUROC sees pixels, not images. AUPRO wants one array, so the maps are padded
  with a value below all others and no mask. That squeezes the false-positive axis by a known factor; the
  limit on that axis is squeezed by the same factor, which leaves the normalised area as it is.
- Beyond `MAX_PIXELS` the same curves are computed here from histograms, one map at a time, since anomalib
  needs some 80 bytes for each pixel.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from anomaly.errors import DatasetError, RuntimeUnavailableError
from anomaly.types import BoolArray, Float32Array, Float64Array

FPR_LIMIT = 0.3
"""AUPRO integrates up to this false-positive rate: Bergmann et al., MVTec AD (IJCV 2021), section 5.2."""
MAX_PIXELS = 20_000_000
"""More pixels than this, padding included, go through histograms: anomalib takes some 1.5 GB for these."""
LEVELS = 4096
"""Bins of the histograms."""


@dataclass(frozen=True)
class PixelMetrics:
    """How well maps point at masks.

    Attributes
    ----------
    auroc : float
        Area under the ROC curve over all pixels of all images, in [0, 1].
    aupro : float
        Area under the per-region overlap curve up to a false-positive rate of `FPR_LIMIT`, divided by that
        limit, in [0, 1]. Regions are 8-connected.
    n_images : int
    n_defect_images : int
        Images with at least one defect pixel.
    exact : bool
        False: from histograms with `LEVELS` bins, right to about 0.001.
    """

    auroc: float
    aupro: float
    n_images: int
    n_defect_images: int
    exact: bool


def pixel_metrics(
    maps: Sequence[Float32Array], masks: Sequence[BoolArray | None], *, max_pixels: int = MAX_PIXELS
) -> PixelMetrics:
    """Return pixel AUROC and AUPRO.

    Parameters
    ----------
    maps : sequence of ndarray of float32, (H, W)
        Anomaly maps; larger is stranger. Sizes may differ between images. Read several times, one by one.
    masks : sequence of ndarray of bool, (H', W'), or None
        True where the damage is; None: an undamaged image, nothing anywhere. A map of another size than its
        mask is resampled to it, linearly.
    max_pixels : int
        Above this many pixels, padding included, histograms replace anomalib.

    Returns
    -------
    PixelMetrics

    Raises
    ------
    DatasetError
        Lengths differ, an array is not two-dimensional, a map is not finite, a mask is not of bool, or all
        pixels are of one class.
    RuntimeUnavailableError
        anomalib or scipy is not installed.
    """
    _check(maps, masks)
    shapes = [mask.shape if mask is not None else map_.shape for map_, mask in zip(maps, masks, strict=True)]
    n_pixels = sum(height * width for height, width in shapes)
    n_defect = sum(int(np.count_nonzero(mask)) for mask in masks if mask is not None)
    if not 0 < n_defect < n_pixels:
        raise DatasetError(f"pixel metrics need defect pixels and others, got {n_defect} of {n_pixels}; add masks")
    tall, wide = (max(shape[axis] for shape in shapes) for axis in (0, 1))
    exact = max(n_pixels, tall * wide * len(shapes)) <= max_pixels
    _require(("anomalib", "torch") if exact else ("scipy",))
    if exact:
        auroc, aupro = _by_anomalib(maps, masks, padded=(tall, wide), n_background=n_pixels - n_defect)
    else:
        auroc, aupro = _by_histogram(maps, masks)
    return PixelMetrics(
        auroc=auroc,
        aupro=aupro,
        n_images=len(maps),
        n_defect_images=sum(mask is not None and bool(mask.any()) for mask in masks),
        exact=exact,
    )


def _check(maps: Sequence[Float32Array], masks: Sequence[BoolArray | None]) -> None:
    if len(maps) != len(masks):
        raise DatasetError(f"expected one mask for each map, got {len(maps)} and {len(masks)}; pass None for none")
    for number, (map_, mask) in enumerate(zip(maps, masks, strict=True)):
        if map_.ndim != 2 or not map_.size or not np.isfinite(map_).all():
            raise DatasetError(
                f"map {number} must be (H, W) and finite, got shape {map_.shape}; score that image again"
            )
        if mask is not None and (mask.ndim != 2 or mask.dtype != np.bool_ or not mask.size):
            raise DatasetError(
                f"mask {number} must be (H, W) of bool, got shape {mask.shape} of {mask.dtype}; use mask != 0"
            )


def _require(modules: tuple[str, ...]) -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise RuntimeUnavailableError(
            f"pixel metrics need {' and '.join(missing)}, not installed here; pip install 'goodparts[train]'"
        )


def _aligned(map_: Float32Array, mask: BoolArray | None) -> tuple[Float32Array, BoolArray]:
    """Return the map in the size of its mask, and the mask."""
    if mask is None:
        return map_, np.zeros(map_.shape, dtype=np.bool_)
    if map_.shape != mask.shape:
        height, width = mask.shape
        image = Image.fromarray(np.ascontiguousarray(map_, dtype=np.float32))
        map_ = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
    return map_, mask


def _by_anomalib(
    maps: Sequence[Float32Array],
    masks: Sequence[BoolArray | None],
    *,
    padded: tuple[int, int],
    n_background: int,
) -> tuple[float, float]:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from anomalib.metrics import AUPRO, AUROC

        n_padded = padded[0] * padded[1] * len(maps)
        n_defect_free = n_padded - _n_pixels(maps, masks) + n_background
        fields = ["anomaly_map", "gt_mask"]
        auroc: Any = AUROC(fields=fields, validate_args=False)
        aupro: Any = AUPRO(fields=fields, fpr_limit=FPR_LIMIT * n_background / n_defect_free)
        ranks = _joint_ranks(maps, masks)
        for rank, (map_, mask) in zip(ranks, zip(maps, masks, strict=True), strict=True):
            defect = torch.from_numpy(_aligned(map_, mask)[1].astype(np.uint8))
            pixels = torch.from_numpy(rank)
            auroc.update(SimpleNamespace(anomaly_map=pixels, gt_mask=defect))
            below = (0, padded[1] - rank.shape[1], 0, padded[0] - rank.shape[0])
            framed = torch.nn.functional.pad(pixels, below, value=0.0)
            framed_mask = torch.nn.functional.pad(defect, below, value=0)
            aupro.update(SimpleNamespace(anomaly_map=framed[None], gt_mask=framed_mask[None]))
        return float(auroc.compute()), float(aupro.compute())


def _n_pixels(maps: Sequence[Float32Array], masks: Sequence[BoolArray | None]) -> int:
    return sum((map_ if mask is None else mask).size for map_, mask in zip(maps, masks, strict=True))


def _joint_ranks(maps: Sequence[Float32Array], masks: Sequence[BoolArray | None]) -> list[Float32Array]:
    """Return the maps as ranks in (0, 1], equal where they were equal; 0 is left for the padding.

    Up to 2**24 distinct values float32 tells all ranks apart. Beyond, a neighbour or two fall together.
    """
    aligned = [_aligned(map_, mask)[0] for map_, mask in zip(maps, masks, strict=True)]
    values, inverse = np.unique(np.concatenate([map_.ravel() for map_ in aligned]), return_inverse=True)
    ranks = ((inverse.ravel() + 1) / values.size).astype(np.float32)
    ends = np.cumsum([map_.size for map_ in aligned])[:-1]
    return [part.reshape(map_.shape) for part, map_ in zip(np.split(ranks, ends), aligned, strict=True)]


def _by_histogram(maps: Sequence[Float32Array], masks: Sequence[BoolArray | None]) -> tuple[float, float]:
    """Return AUROC and AUPRO over `LEVELS` levels of the score; the memory of one image suffices."""
    from scipy import ndimage

    edges = _level_edges(maps, masks)
    background = np.zeros(edges.size + 1)
    defect = np.zeros(edges.size + 1)
    overlap = np.zeros(edges.size + 1)
    n_regions = 0
    for map_, mask in zip(maps, masks, strict=True):
        pixels, truth = _aligned(map_, mask)
        level = np.searchsorted(edges, pixels.ravel(), side="right").reshape(pixels.shape)
        background += np.bincount(level[~truth], minlength=edges.size + 1)
        if truth.any():
            defect += np.bincount(level[truth], minlength=edges.size + 1)
            regions, count = ndimage.label(truth, structure=np.ones((3, 3)))
            share = 1 / np.bincount(regions.ravel())[regions[truth]]
            overlap += np.bincount(level[truth], weights=share, minlength=edges.size + 1)
            n_regions += count
    fpr, tpr, pro = (np.concatenate([[0.0], np.cumsum(counts[::-1])]) for counts in (background, defect, overlap))
    fpr, tpr, pro = fpr / fpr[-1], tpr / tpr[-1], pro / n_regions
    return _area(fpr, tpr), _area_up_to(fpr, pro, limit=FPR_LIMIT) / FPR_LIMIT


def _level_edges(maps: Sequence[Float32Array], masks: Sequence[BoolArray | None]) -> Float32Array:
    """Return ascending edges: quantiles of a regular sample, half of it background, half of it defects."""
    stride = max(1, _n_pixels(maps, masks) // 2_000_000)
    sampled: tuple[list[Float32Array], list[Float32Array]] = ([], [])
    for map_, mask in zip(maps, masks, strict=True):
        pixels, truth = _aligned(map_, mask)
        sampled[0].append(pixels[~truth][::stride])
        sampled[1].append(pixels[truth][::stride])
    shares = np.linspace(0, 1, LEVELS // 2)
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
