"""Intervals by resampling images, for measures whose law no formula gives.

Percentile bootstrap (Efron, Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3), each label resampled for
itself, so that every draw has as many damaged and undamaged images as the data. The generator is seeded with a
constant: the same images give the same interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from anomaly.evaluation.metrics import (
    Interval,
    Undefined,
    average_precision,
    check_confidence,
    checked_pairs,
    one_class,
)
from anomaly.types import BoolArray, Float32Array, Float64Array

DRAWS = 2000
PIXEL_DRAWS = 500
_SEED = 20121105
_CELLS = 4_000_000


def average_precision_interval(
    scores: npt.ArrayLike, is_damaged: npt.ArrayLike, *, confidence: float = 0.95, draws: int = DRAWS
) -> Interval | Undefined:
    """Return the average precision with its interval.

    Parameters
    ----------
    scores : array_like of float, (n,)
    is_damaged : array_like of bool, (n,)
    confidence : float
        In (0, 1).
    draws : int

    Returns
    -------
    Interval or Undefined
        Undefined without images of both labels, and where resampling shows no spread: the two labels do not overlap in
        these images, which says nothing about others.

    Raises
    ------
    DatasetError
        The two do not fit together, a score is not finite, or the confidence is impossible.
    """
    values, damaged = checked_pairs(scores, is_damaged)
    check_confidence(confidence)
    undefined = one_class(damaged)
    if undefined:
        return undefined
    order = np.argsort(-values, kind="stable")
    values, damaged = values[order], damaged[order]
    last_of_ties = np.append(np.flatnonzero(np.diff(values)), values.size - 1)
    found = []
    for weights in resampled(damaged, draws=draws):
        hits = np.cumsum(weights * damaged, axis=1)[:, last_of_ties]
        seen = np.cumsum(weights, axis=1)[:, last_of_ties]
        gain = np.diff(hits, axis=1, prepend=0) / hits[:, -1:]
        found.append(np.sum(gain * hits / np.maximum(seen, 1), axis=1))
    value = average_precision(values, damaged)
    assert not isinstance(value, Undefined)
    # Sums of rounded shares can exceed 1 in the last digit.
    return percentile_interval(value, np.minimum(np.concatenate(found), 1.0), confidence=confidence)


def pixel_intervals(
    maps: Sequence[Float32Array],
    masks: Sequence[BoolArray | None],
    *,
    auroc: float,
    aupro: float,
    confidence: float = 0.95,
    draws: int = PIXEL_DRAWS,
) -> tuple[Interval | Undefined, Interval | Undefined]:
    """Return the intervals of pixel AUROC and AUPRO over the images, not over their pixels, which are no sample.

    Parameters
    ----------
    maps : sequence of ndarray of float32, (H, W)
    masks : sequence of ndarray of bool, (H', W'), or None
    auroc, aupro : float
        What :func:`anomaly.interop.pixel_metrics` found. Resampled curves are read off histograms; the small
        difference that this makes is taken off again.
    confidence : float
    draws : int

    Returns
    -------
    tuple of two Interval or Undefined
        Undefined unless two images have a defect pixel and two have another. A draw in which every pixel is a defect
        has no curves and does not count.
    """
    from anomaly.interop import pixel_histograms

    with_defect = np.array([mask is not None and bool(mask.any()) for mask in masks], dtype=np.bool_)
    with_others = np.array([mask is None or not bool(mask.all()) for mask in masks], dtype=np.bool_)
    for pixel, there in (("a defect pixel", with_defect), ("a pixel that is no defect", with_others)):
        if there.sum() < 2:
            reason = Undefined(f"resampling needs at least two images with {pixel}")
            return reason, reason
    histograms = pixel_histograms(maps, masks)
    centre = histograms.metrics(np.ones(with_defect.size))
    rows = [row for weights in resampled(with_defect, draws=draws) for row in weights if row[with_others].any()]
    found = np.array([histograms.metrics(row) for row in rows]) - centre + (auroc, aupro)
    found = np.clip(found, 0.0, 1.0)
    return (
        percentile_interval(auroc, found[:, 0], confidence=confidence),
        percentile_interval(aupro, found[:, 1], confidence=confidence),
    )


def resampled(strata: BoolArray, *, draws: int) -> Iterator[Float64Array]:
    """Yield how often each image is drawn, (some draws, n), until there were ``draws`` of them.

    Parameters
    ----------
    strata : ndarray of bool, (n,)
        Images of one kind and of the other; each kind is drawn as often as it is there.
    draws : int
    """
    random = np.random.default_rng(_SEED)
    chunk = max(1, _CELLS // max(1, strata.size))
    for start in range(0, draws, chunk):
        some = min(chunk, draws - start)
        weights = np.zeros((some, strata.size))
        for kind in (strata, ~strata):
            if kind.any():
                weights[:, kind] = random.multinomial(kind.sum(), np.full(kind.sum(), 1 / kind.sum()), size=some)
        yield weights


def percentile_interval(value: float, found: Float64Array, *, confidence: float) -> Interval | Undefined:
    """Return the estimate with the percentiles of its resampled values, or why they say nothing.

    Parameters
    ----------
    value : float
    found : ndarray of float64, (draws,)
    confidence : float
    """
    if np.ptp(found) <= 1e-12:
        return Undefined("resampling these images shows no spread, so they cannot say how sure the figure is")
    tail = (1 - confidence) / 2
    low, high = (float(end) for end in np.quantile(found, [tail, 1 - tail]))
    return Interval(value, min(low, value), max(high, value))
