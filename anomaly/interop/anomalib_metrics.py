"""Pixel metrics by anomalib, kept clear of its traps.

- torchmetrics, under anomalib's AUROC, silently applies a sigmoid to scores outside [0, 1], where large
  scores all become 1. Here all maps of a call are brought into [0, 1] by one increasing transform beforehand,
  for the metric only; neither metric depends on it.
- A mask is never resized; the map is brought to the mask's size.
- Images may differ in size. AUROC sees pixels, not images. AUPRO wants one array, so the maps are padded
  with a value below all others and no mask. That squeezes the false-positive axis by a known factor; the
  limit on that axis is squeezed by the same factor, which leaves the normalised area as it is.
- Beyond `MAX_PIXELS` the same curves are computed from histograms (`pixel_histograms.py`), one map at a time, since
  anomalib needs some 80 bytes for each pixel.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from anomaly.errors import DatasetError
from anomaly.installed import refuse_without
from anomaly.interop.pixel_histograms import FPR_LIMIT, aligned, histogram_metrics
from anomaly.types import BoolArray, Float32Array

MAX_PIXELS = 20_000_000
"""More pixels than this, padding included, go through histograms: anomalib takes some 1.5 GB for these."""


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
        False: from histograms, right to about 0.001.
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
    refuse_without("pixel metrics need", ("anomalib", "torch") if exact else ("scipy",))
    if exact:
        auroc, aupro = _by_anomalib(maps, masks, padded=(tall, wide), n_background=n_pixels - n_defect)
    else:
        auroc, aupro = histogram_metrics(maps, masks)
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
            defect = torch.from_numpy(aligned(map_, mask)[1].astype(np.uint8))
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
    # Copies, since all are needed at once and every map that is read from the disk holds a file open.
    pixels = [np.array(aligned(map_, mask)[0]) for map_, mask in zip(maps, masks, strict=True)]
    values, inverse = np.unique(np.concatenate([map_.ravel() for map_ in pixels]), return_inverse=True)
    ranks = ((inverse.ravel() + 1) / values.size).astype(np.float32)
    ends = np.cumsum([map_.size for map_ in pixels])[:-1]
    return [part.reshape(map_.shape) for part, map_ in zip(np.split(ranks, ends), pixels, strict=True)]
