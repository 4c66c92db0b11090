"""Measures on scores and labels: small pure functions.

Scores are used as they are: no sigmoid, no clamping, no rescaling. Every measure that ranks is unchanged by
any increasing transform of the scores. What the data do not define is `Undefined`, never 0 and never NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anomaly.errors import DatasetError, RuntimeUnavailableError
from anomaly.types import BoolArray, Float64Array

_LEAST_SHARE = 1e-12
"""No number of images could tell a smaller share from none; as in :mod:`anomaly.calibration`."""


@dataclass(frozen=True)
class Undefined:
    """A measure that these data do not define.

    Attributes
    ----------
    reason : str
        Completes "undefined, because ...".
    """

    reason: str


@dataclass(frozen=True)
class Rate:
    """``count`` of ``n``, and the exact interval of the share behind it.

    Attributes
    ----------
    count, n : int
    value, low, high : float
        In [0, 1].
    """

    count: int
    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Confusion:
    """Counts at a threshold; ``score > threshold`` is flagged.

    Attributes
    ----------
    n_undamaged, n_damaged : int
    false_alarms : int
        Undamaged images that are flagged.
    misses : int
        Damaged images that are taken for undamaged.
    reinspected_undamaged, reinspected_damaged : int
        Images between two thresholds: neither flagged nor missed.
    """

    n_undamaged: int
    n_damaged: int
    false_alarms: int
    misses: int
    reinspected_undamaged: int = 0
    reinspected_damaged: int = 0

    @property
    def reinspected(self) -> int:
        """Images that were left to a person."""
        return self.reinspected_undamaged + self.reinspected_damaged

    @property
    def decided(self) -> int:
        """Images that were labelled damaged or undamaged."""
        return self.n_undamaged + self.n_damaged - self.reinspected

    @property
    def correct(self) -> int:
        """Images on the right side."""
        return self.decided - self.false_alarms - self.misses


def confusion(
    scores: npt.ArrayLike,
    is_damaged: npt.ArrayLike,
    *,
    threshold: npt.ArrayLike,
    reinspect_above: npt.ArrayLike | None = None,
) -> Confusion:
    """Count verdicts.

    Parameters
    ----------
    scores : array_like of float, (n,)
    is_damaged : array_like of bool, (n,)
        The truth.
    threshold : array_like of float, () or (n,)
        Finite; one for all images, or one each.
    reinspect_above : array_like of float, () or (n,), optional
        ``reinspect_above < score <= threshold`` is to be reinspected.

    Raises
    ------
    DatasetError
        The two do not fit together, or a score or threshold is no finite number.
    """
    values, damaged = checked_pairs(scores, is_damaged)
    upper = _checked_threshold(threshold, n=len(values))
    flagged = values > upper
    passed = values <= (upper if reinspect_above is None else _checked_threshold(reinspect_above, n=len(values)))
    return Confusion(
        n_undamaged=int(np.sum(~damaged)),
        n_damaged=int(np.sum(damaged)),
        false_alarms=int(np.sum(flagged & ~damaged)),
        misses=int(np.sum(passed & damaged)),
        reinspected_undamaged=int(np.sum(~flagged & ~passed & ~damaged)),
        reinspected_damaged=int(np.sum(~flagged & ~passed & damaged)),
    )


def _checked_threshold(threshold: npt.ArrayLike, *, n: int) -> Float64Array:
    """Return one threshold, or one for each of n images, all finite."""
    values = _numbers(threshold, name="a threshold")
    if values.shape not in ((), (n,)):
        raise DatasetError(f"expected one threshold or one for each of {n} images, got an array of {values.shape}")
    if not np.isfinite(values).all():
        raise DatasetError(f"a threshold must be finite, got {values}; calibrate again")
    return values


def rate_interval(count: int, n: int, *, confidence: float = 0.95) -> Rate | Undefined:
    """Return ``count / n`` with the exact interval of Clopper and Pearson (Biometrika 26, 1934).

    Parameters
    ----------
    count, n : int
        ``0 <= count <= n``.
    confidence : float
        In (0, 1).

    Returns
    -------
    Rate or Undefined
        Undefined for ``n == 0``.

    Raises
    ------
    DatasetError
        The counts are impossible, or the confidence is.
    RuntimeUnavailableError
        scipy is not installed.
    """
    if not 0 <= count <= n:
        raise DatasetError(f"expected 0 <= count <= n, got {count} of {n}; count again")
    check_confidence(confidence)
    if n == 0:
        return Undefined("there is no such image")
    try:
        from scipy.special import betaincinv
    except ImportError as error:
        raise RuntimeUnavailableError(
            "exact intervals need scipy, not installed here; pip install 'goodparts[train]'"
        ) from error
    tail = (1 - confidence) / 2
    low = float(betaincinv(count, n - count + 1, tail)) if count > 0 else 0.0
    high = float(betaincinv(count + 1, n - count, 1 - tail)) if count < n else 1.0
    return Rate(count=count, n=n, value=count / n, low=low, high=high)


def image_auroc(scores: npt.ArrayLike, is_damaged: npt.ArrayLike) -> float | Undefined:
    """Return the probability that a damaged image scores higher than an undamaged one; ties count half.

    Parameters
    ----------
    scores : array_like of float, (n,)
        Raw; any finite numbers.
    is_damaged : array_like of bool, (n,)

    Returns
    -------
    float or Undefined
        In [0, 1]; undefined without images of both classes.

    Raises
    ------
    DatasetError
        The two do not fit together, or a score is no finite number.
    """
    values, damaged = checked_pairs(scores, is_damaged)
    return one_class(damaged) or float(np.mean(_placements(values, damaged)[1]))


def auroc_interval(
    scores: npt.ArrayLike, is_damaged: npt.ArrayLike, *, confidence: float = 0.95
) -> Interval | Undefined:
    """Return the AUROC with a confidence interval.

    The variance is DeLong's (Biometrics 44, 1988), from the placements of Sun and Xu
    (https://doi.org/10.1109/LSP.2014.2337313); the interval is taken on the logit scale, inside [0, 1].
    Where that variance says nothing (perfect separation, all scores equal, one image in a class), Newcombe's
    score interval (Statistics in Medicine 25, 2006, method 5) takes its place: it is never of zero width.

    Parameters
    ----------
    scores : array_like of float, (n,)
    is_damaged : array_like of bool, (n,)
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval or Undefined

    Raises
    ------
    DatasetError
        The two do not fit together, a score is no finite number, or the confidence is impossible.
    """
    from statistics import NormalDist

    check_confidence(confidence)
    values, damaged = checked_pairs(scores, is_damaged)
    undefined = one_class(damaged)
    if undefined:
        return undefined
    undamaged_part, damaged_part = _placements(values, damaged)
    n0, n1 = undamaged_part.size, damaged_part.size
    area = float(np.mean(damaged_part))
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    variance = 0.0
    if min(n0, n1) > 1:
        variance = float(np.var(undamaged_part, ddof=1) / n0 + np.var(damaged_part, ddof=1) / n1)
    if variance <= 1e-15 or not 0 < area < 1:
        return Interval(area, *_newcombe(area, n0, n1, z=z))
    middle, reach = math.log(area / (1 - area)), z * math.sqrt(variance) / (area * (1 - area))
    return Interval(area, _logistic(middle - reach), _logistic(middle + reach))


def average_precision(scores: npt.ArrayLike, is_damaged: npt.ArrayLike) -> float | Undefined:
    """Return the sum of precision times gain in recall over all distinct scores, from the largest down.

    No interpolation; equal scores enter together, so their order does not matter.

    Parameters
    ----------
    scores : array_like of float, (n,)
    is_damaged : array_like of bool, (n,)

    Returns
    -------
    float or Undefined
        In (0, 1]; undefined without images of both classes.

    Raises
    ------
    DatasetError
        The two do not fit together, or a score is no finite number.
    """
    values, damaged = checked_pairs(scores, is_damaged)
    undefined = one_class(damaged)
    if undefined:
        return undefined
    order = np.argsort(-values, kind="stable")
    values, hits = values[order], np.cumsum(damaged[order])
    last_of_ties = np.append(np.flatnonzero(np.diff(values)), values.size - 1)
    hits = hits[last_of_ties]
    precision = hits / (last_of_ties + 1)
    gain = np.diff(hits, prepend=0) / hits[-1]
    return min(1.0, float(np.sum(precision * gain)))  # a sum of rounded shares


def checked_pairs(scores: npt.ArrayLike, is_damaged: npt.ArrayLike) -> tuple[Float64Array, BoolArray]:
    """Return scores (n,) and labels (n,) as arrays.

    Raises
    ------
    DatasetError
        The two do not fit together, or a score is no finite number.
    """
    values, damaged = _numbers(scores, name="scores"), _labels(is_damaged)
    if damaged.size == 0:
        damaged = damaged.astype(np.bool_)
    if values.ndim != 1 or values.shape != damaged.shape or damaged.dtype != np.bool_:
        raise DatasetError(
            f"expected scores (n,) and labels (n,) of bool, got {values.shape} and {damaged.shape} of "
            f"{damaged.dtype}; pass one label for each score"
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise DatasetError(f"score {bad[0]} is {values[bad[0]]}, not finite; score that image again")
    return values, damaged


def _numbers(values: npt.ArrayLike, *, name: str) -> Float64Array:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DatasetError(f"{name} must be numbers: {error}; pass a list of them") from error


def _labels(values: npt.ArrayLike) -> npt.NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise DatasetError(f"labels must be one bool for each score: {error}; pass a list of them") from error


def check_confidence(confidence: float) -> None:
    """Refuse a confidence outside (0, 1), or so near to an end that no quantile is known there.

    Raises
    ------
    DatasetError
    """
    number = isinstance(confidence, int | float | np.floating) and not isinstance(confidence, bool)
    if not number or not 0 < confidence < 1:
        raise DatasetError(f"confidence must lie strictly between 0 and 1, got {confidence!r}; 0.95 is usual")
    if not _LEAST_SHARE <= confidence <= 1 - _LEAST_SHARE:
        raise DatasetError(
            f"confidence must be at least {_LEAST_SHARE:g} from 0 and 1, got {confidence!r}; 0.95 is usual"
        )


def one_class(damaged: BoolArray) -> Undefined | None:
    """Return which label no image has; None: both are there."""
    for name, found in (("damaged", damaged.any()), ("undamaged", not damaged.all())):
        if not damaged.size or not found:
            return Undefined(f"there is no {name} image")
    return None


def _placements(scores: Float64Array, damaged: BoolArray) -> tuple[Float64Array, Float64Array]:
    """Return, for each image, the share of the other class that it stands on the right side of; ties half.

    Returns
    -------
    undamaged : ndarray of float64, (n0,)
    damaged : ndarray of float64, (n1,)
        The mean of either is the AUROC.
    """
    low, high = np.sort(scores[~damaged]), np.sort(scores[damaged])
    above = np.searchsorted(high, low, side="left") + np.searchsorted(high, low, side="right")
    below = np.searchsorted(low, high, side="left") + np.searchsorted(low, high, side="right")
    return 1 - above / (2 * high.size), below / (2 * low.size)


def _newcombe(area: float, n0: int, n1: int, *, z: float) -> tuple[float, float]:
    """Return the two t with ``|area - t| = z * se(t)``, by bisection; 0 and 1 where there is none inside."""
    extra = (n0 + n1) / 2 - 1

    def outside(t: float) -> bool:
        spread = t * (1 - t) * (1 + extra * ((1 - t) / (2 - t) + t / (1 + t))) / (n0 * n1)
        return (area - t) ** 2 > z * z * spread

    def end(towards: float) -> float:
        inner, outer = area, towards
        for _ in range(60):
            middle = (inner + outer) / 2
            inner, outer = (inner, middle) if outside(middle) else (middle, outer)
        return (inner + outer) / 2

    return (0.0 if area == 0 else end(0.0)), (1.0 if area == 1 else end(1.0))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
