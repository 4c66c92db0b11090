"""Limits of the ordinary, learnt from undamaged training images.

A measure of a new picture lies, under a normal law, within a prediction interval of the training images with a chosen
probability (Student's t; Hahn & Meeker 1991, *Statistical Intervals*). Real measures may have heavier tails. With n
images nothing rarer than one in n + 1 can be counted (Vovk, Gammerman & Shafer 2005, *Algorithmic Learning in a Random
World*, chapter 2), so the tail of the distances of the images themselves, each left out in turn, is extrapolated as an
exponential one (the ET method: Breiman, Stone & Kooperberg 1990, "Robust confidence bounds for extreme upper
quantiles", Journal of Statistical Computation and Simulation 37), its mean excess shrunk towards that of a normal law
where images are few. The wider of the two limits stands. All measures, and the strengths of all faults that were
planted in training images (:mod:`anomaly.capture.faults`), share the false-alarm rate evenly (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from anomaly.capture.fault_fit import fit_filters
from anomaly.capture.faults import PlantedFault
from anomaly.capture.novelty import left_out_log_distances
from anomaly.capture.reference import COLUMNS, FLOORS, CaptureReference, embeddings, one_sided, sample_rows
from anomaly.errors import TooFewImagesError
from anomaly.types import BoolArray, CaptureSample, Float64Array

LEAST_SAMPLES = 3
"""Fewer images say nothing about how much images differ."""
_PRIOR_EXCESS = 0.5
"""Mean excess that the prior belief holds: that of a normal law beyond its 80 % quantile on either side."""
_PRIOR_IMAGES = 4
_TOP_SHARE = 0.2
_OUTLIER = 6.0
_MOST_OUTLIERS = 0.05


def fit_reference(
    samples: Sequence[CaptureSample], *, false_alarm_rate: float, planted: Sequence[PlantedFault] = ()
) -> CaptureReference:
    """Learn what an ordinary picture is.

    Parameters
    ----------
    samples : sequence of CaptureSample
        Of undamaged training images, none of them compared with itself; at least 3. At most a twentieth of them are
        left out as outliers.
    false_alarm_rate : float
        Share of ordinary pictures that may be warned of, in (0, 1).
    planted : sequence of PlantedFault
        Some of the same images with faults; ``sample`` counts into `samples`.

    Raises
    ------
    TooFewImagesError
    """
    if len(samples) < LEAST_SAMPLES:
        raise TooFewImagesError(
            f"the capture check needs at least {LEAST_SAMPLES} training images and got {len(samples)}: add more",
            n=len(samples),
            needed=LEAST_SAMPLES,
        )
    ordinary = _ordinary(left_out_rows(samples))
    place = np.cumsum(ordinary) - 1
    planted = [replace(one, sample=int(place[one.sample])) for one in planted if ordinary[one.sample]]
    samples = [sample for sample, kept in zip(samples, ordinary, strict=True) if kept]
    rows = left_out_rows(samples)
    share = false_alarm_rate / (len(COLUMNS) + len({one.fault for one in planted}))
    centre, scale = _centre_and_scale(rows)

    def strength_limit(strengths: Float64Array) -> float:
        """Return what a share of ordinary pictures exceeds, from (n,) left-out strengths."""
        middle, spread = float(np.median(strengths)), float(strengths.std(ddof=1))
        if spread == 0:
            return middle
        return middle + spread * _limit(np.maximum(strengths - middle, 0) / spread, share, sides=1)

    return CaptureReference(
        samples=tuple(samples),
        centre=centre,
        scale=scale,
        limit=np.array([_limit(column, share, sides=2) for column in _left_out_distances(rows).T]),
        filters=fit_filters(embeddings(samples), planted, limit=strength_limit),
    )


def left_out_rows(samples: Sequence[CaptureSample]) -> Float64Array:
    """Values of all columns, (n, m), the embeddings each compared with the others."""
    return np.column_stack([sample_rows(samples), left_out_log_distances(embeddings(samples))])


def _ordinary(rows: Float64Array) -> BoolArray:
    """Whether each image is to count: all but the few that are far from most."""
    centre = np.median(rows, axis=0)
    distance = np.abs(rows - centre)
    scale = np.maximum(1.4826 * np.median(distance, axis=0), [FLOORS[name] for name in COLUMNS])
    worst = (distance / scale).max(axis=1)
    most = math.floor(_MOST_OUTLIERS * len(rows))
    kept = worst <= _OUTLIER
    kept[np.argsort(worst)[: len(rows) - most]] = True
    return np.asarray(kept, dtype=np.bool_)


def _centre_and_scale(rows: Float64Array) -> tuple[Float64Array, Float64Array]:
    floors = np.array([FLOORS[name] for name in COLUMNS])
    return np.median(rows, axis=0), np.maximum(rows.std(axis=0, ddof=1), floors)


def _left_out_distances(rows: Float64Array) -> Float64Array:
    """Distance of each image from the others in each column, in their scales, (n, m)."""
    distances = np.empty_like(rows)
    for i, row in enumerate(rows):
        others = np.delete(rows, i, axis=0)
        centre, scale = _centre_and_scale(others) if len(others) > 1 else (others[0], np.ones(len(COLUMNS)))
        distances[i] = np.abs(one_sided((row - centre) / scale))
    return distances


def _limit(distances: Float64Array, share: float, *, sides: int) -> float:
    """Return the wider of both limits, in scales, from (n,) left-out distances to one side or to either."""
    from scipy import stats

    n = len(distances)
    normal = float(stats.t.isf(share / sides, n - 1)) * math.sqrt(1 + 1 / n)
    return max(normal, _tail_limit(distances, share))


def _tail_limit(distances: Float64Array, share: float) -> float:
    """Distance that a share of ordinary pictures exceeds, from (n,) left-out distances."""
    n = len(distances)
    ordered = np.sort(distances)
    k = max(1, math.ceil(_TOP_SHARE * n))
    start = float(ordered[max(0, n - k - 1)])
    excess = (float((ordered[n - k :] - start).sum()) + _PRIOR_IMAGES * _PRIOR_EXCESS) / (k + _PRIOR_IMAGES)
    return start + excess * math.log(max(1.0, k / (n * share)))
