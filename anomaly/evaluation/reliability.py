"""Whether probabilities are right: of the images said to be damaged with 0.8, 8 of 10 should be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anomaly.evaluation.bootstrap import DRAWS, percentile_interval, resampled
from anomaly.evaluation.metrics import Interval, Rate, Undefined, check_confidence, checked_pairs, rate_interval
from anomaly.types import BoolArray, Float64Array, Int64Array

BINS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """Images with about the same probability.

    Attributes
    ----------
    probability : float
        Mean of what was said.
    damaged : Rate
        How many were.
    """

    probability: float
    damaged: Rate


@dataclass(frozen=True)
class Reliability:
    """How far probabilities are from what happened.

    Attributes
    ----------
    n : int
    error : float
        Expected calibration error: mean over the images of the distance, within bins of equal width, between the mean
        probability and the share of damaged images. Never negative, so it is above 0 for perfect probabilities too.
    error_interval : Interval or Undefined
        By resampling images.
    error_if_perfect : float
        Its mean if every image were damaged with exactly the probability said: what of it is mere chance.
    brier : float
        Mean squared distance to 0 or 1.
    bins : tuple of ReliabilityBin
        Those with images, ascending.
    part_types_without : tuple of str
        Part types whose images have no probability and do not count here: no damaged one was labelled when the detector
        was calibrated.
    """

    n: int
    error: float
    error_interval: Interval | Undefined
    error_if_perfect: float
    brier: float
    bins: tuple[ReliabilityBin, ...]
    part_types_without: tuple[str, ...] = ()


def reliability(
    probabilities: npt.ArrayLike,
    is_damaged: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    bins: int = BINS,
    draws: int = DRAWS,
) -> Reliability | Undefined:
    """Compare probabilities of damage with the truth.

    Parameters
    ----------
    probabilities : array_like of float, (n,)
        In [0, 1].
    is_damaged : array_like of bool, (n,)
    confidence : float
    bins : int
        Of equal width, over [0, 1] (Naeini, Cooper, Hauskrecht, AAAI 2015).
    draws : int

    Returns
    -------
    Reliability or Undefined
        Undefined without images.

    Raises
    ------
    DatasetError
        The two do not fit together, or the confidence is impossible.
    """
    said, damaged = checked_pairs(probabilities, is_damaged)
    check_confidence(confidence)
    if not said.size:
        return Undefined("there is no labelled image")
    place = np.minimum((said * bins).astype(np.int64), bins - 1)
    error = float(_errors(np.ones((1, said.size)), said, damaged.astype(np.float64), place, bins)[0])
    # Each label drawn for itself would fix what the errors are about, the share of damage: all images are one stratum.
    weights = list(resampled(np.ones(said.size, dtype=np.bool_), draws=draws))
    found = np.concatenate([_errors(some, said, damaged.astype(np.float64), place, bins) for some in weights])
    return Reliability(
        n=said.size,
        error=error,
        error_interval=percentile_interval(error, found, confidence=confidence),
        error_if_perfect=_error_if_perfect(said, place, bins, draws=draws),
        brier=float(np.mean((said - damaged) ** 2)),
        bins=_bins(said, damaged, place, bins, confidence=confidence),
    )


def _errors(
    weights: Float64Array, said: Float64Array, happened: Float64Array, place: Int64Array, bins: int
) -> Float64Array:
    """Return the expected calibration error under each row of weights, (draws,)."""
    member = (place[:, None] == np.arange(bins)).astype(np.float64)
    gaps = (weights * (said - happened)) @ member
    return np.asarray(np.abs(gaps).sum(axis=1) / weights.sum(axis=1), dtype=np.float64)


def _error_if_perfect(said: Float64Array, place: Int64Array, bins: int, *, draws: int) -> float:
    random = np.random.default_rng(0)
    member = (place[:, None] == np.arange(bins)).astype(np.float64)
    happened = random.random((draws, said.size)) < said
    return float(np.mean(np.abs((said - happened) @ member).sum(axis=1)) / said.size)


def _bins(
    said: Float64Array, damaged: BoolArray, place: Int64Array, bins: int, *, confidence: float
) -> tuple[ReliabilityBin, ...]:
    found = []
    for number in range(bins):
        inside = place == number
        rate = rate_interval(int(np.sum(damaged[inside])), int(np.sum(inside)), confidence=confidence)
        if isinstance(rate, Rate):
            found.append(ReliabilityBin(float(np.mean(said[inside])), rate))
    return tuple(found)
