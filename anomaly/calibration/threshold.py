"""Where the threshold goes: always between scores, never on one.

``score > threshold`` is damaged. Why the rules are what they are, with the simulation behind them:
``docs/decisions/0003-threshold-rule.md`` and ``benchmarks/threshold_rules.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anomaly.calibration._scores import checked_cost, checked_fraction, checked_scores
from anomaly.types import Float64Array, Int64Array

_INNER = np.linspace(0.25, 0.75, 17)
"""Places inside a gap that may hold the threshold, as shares of its width."""


@dataclass(frozen=True)
class FalseAlarmThreshold:
    """A threshold that rests on undamaged scores alone.

    Attributes
    ----------
    threshold : float
    target : float
        The share of undamaged images that may be flagged, on average over validation sets.
    n : int
        Undamaged images it rests on.
    needed : int
        Fewest undamaged images that can support the target.
    supported : bool
        False: ``n < needed``; the threshold lies above every undamaged score seen, by extrapolation.
    """

    threshold: float
    target: float
    n: int
    needed: int
    supported: bool


def accuracy_threshold(
    undamaged_scores: npt.ArrayLike, damaged_scores: npt.ArrayLike, *, left_out_scores: npt.ArrayLike = ()
) -> float:
    """Return the threshold with the fewest validation errors.

    Among gaps with equally few errors the one is taken, and in it the place, where the *smoothed* number of
    errors is smallest; the place keeps at least a quarter of the gap away from the scores on both sides. Among these
    both labels weigh the same: how many of each were labelled says little of how often parts are damaged. All else is
    as in `cost_threshold` with ``miss_cost=1``.

    Parameters
    ----------
    undamaged_scores : array_like, (n0,)
        Held-out scores, none of an image in the memory bank.
    damaged_scores : array_like, (n1,)
    left_out_scores : array_like, (m,)
        See `cost_threshold`.

    Returns
    -------
    float
        Finite; unequal to every score given.

    Raises
    ------
    CalibrationError
        A class is empty, or a score is not finite.
    """
    undamaged = checked_scores(undamaged_scores, name="undamaged")
    damaged = checked_scores(damaged_scores, name="damaged")
    scattered = _scattered(undamaged, left_out_scores)
    even = undamaged.size / damaged.size
    return _cheapest(undamaged, damaged, scattered, miss_cost=1.0, smoothed_miss_cost=even)


def cost_threshold(
    undamaged_scores: npt.ArrayLike,
    damaged_scores: npt.ArrayLike,
    *,
    miss_cost: float,
    left_out_scores: npt.ArrayLike = (),
) -> float:
    """Return the threshold that minimises ``false alarms + miss_cost * misses`` on validation.

    Parameters
    ----------
    undamaged_scores : array_like, (n0,)
    damaged_scores : array_like, (n1,)
    miss_cost : float
        Price of a missed damaged image, in false alarms; positive, at most 1e100.
    left_out_scores : array_like, (m,)
        Scores of images in the memory bank, each against the bank without itself. They are no validation, and no error
        of theirs counts; but they show how undamaged scores scatter. Moved until their median is that of the undamaged
        scores, they stand beside these in the smoothed errors.

    Returns
    -------
    float
        Finite; unequal to every validation score. Flagging all or nothing, where that is best, is a threshold
        about half a mean gap beyond the lowest or the highest score.

    Raises
    ------
    CalibrationError
        A class is empty, a score is not finite, or the cost is out of range.

    Notes
    -----
    Two scores between which no float64 lies are one score here: no gap separates them.

    Ties: each score is smeared by Student's t kernel with two degrees of freedom, whose distribution function
    ``1/2 + x / (2 sqrt(2 + x^2))`` needs no special function and whose heavy tails keep one outlier from
    deciding. The bandwidth is ``min(sd, IQR / 1.349) * n**(-1/5)`` for each class: Silverman, Density
    Estimation (1986), section 3.4.2, without his factor 0.9. Still equal: the lower threshold.
    """
    undamaged = checked_scores(undamaged_scores, name="undamaged")
    damaged = checked_scores(damaged_scores, name="damaged")
    miss_cost = checked_cost(miss_cost)
    scattered = _scattered(undamaged, left_out_scores)
    return _cheapest(undamaged, damaged, scattered, miss_cost=miss_cost, smoothed_miss_cost=miss_cost)


def false_alarm_threshold(
    undamaged_scores: npt.ArrayLike, *, target: float, damaged_scores: npt.ArrayLike = ()
) -> FalseAlarmThreshold:
    """Return a threshold for data without any damaged image.

    The j-th smallest of n scores, ``j = ceil((n + 1) (1 - target))``, is exceeded by a further undamaged
    image with probability at most ``target``, whatever the law of the scores, if the images are exchangeable
    (split conformal prediction: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005; the
    order-statistic form in https://arxiv.org/abs/2107.07511, section 1). The threshold lies in the gap above
    it, which can only lower that probability.

    Parameters
    ----------
    undamaged_scores : array_like, (n0,)
        Held-out scores, none of an image in the memory bank.
    target : float
        Share of undamaged images that may be flagged, in (0, 1).
    damaged_scores : array_like, (n1,)
        Do not move the target; the threshold is only kept off them.

    Returns
    -------
    FalseAlarmThreshold
        With fewer than ``needed = ceil(1 / target) - 1`` images, ``supported`` is False and the threshold
        lies above the largest score x: the upper half of the scores is continued by an exponential tail,
        ``x + log(1 / (target (n + 1))) * (mean excess over the median)``. That is a guess, not a promise.

    Raises
    ------
    CalibrationError
        No undamaged score, a score that is not finite, or a target outside (0, 1).
    """
    undamaged = checked_scores(undamaged_scores, name="undamaged")
    target = checked_fraction(target, name="target")
    pooled = np.unique(np.concatenate([undamaged, checked_scores(damaged_scores, name="damaged", least=0)]))
    n = undamaged.size
    rank = _ceil((n + 1) * (1 - target))
    needed = _ceil(1 / target) - 1
    if rank <= n:
        threshold = place_above(float(undamaged[rank - 1]), pooled)
        return FalseAlarmThreshold(threshold=threshold, target=target, n=n, needed=needed, supported=True)
    median = float(np.median(undamaged))
    excess = float(np.mean(undamaged[undamaged >= median] - median))
    reach = math.log(1 / (target * (n + 1))) * excess if target * (n + 1) < 1 else 0.0
    threshold = float(undamaged[-1]) + max(reach, _margin(undamaged))
    if np.any(pooled == threshold):
        threshold = place_above(threshold, pooled)
    return FalseAlarmThreshold(threshold=threshold, target=target, n=n, needed=needed, supported=False)


def place_above(score: float, pooled: Float64Array, *, close: bool = False) -> float:
    """Return a threshold in the first gap above ``score``, so that ``score`` is not flagged.

    Parameters
    ----------
    score : float
    pooled : ndarray of float64, (n,)
        All validation scores, ascending.
    close : bool
        A quarter into the gap instead of its middle (``docs/decisions/0014-place-of-a-promise.md``).

    Returns
    -------
    float
        In the gap; above the last score, half a mean gap beyond it.
    """
    for upper in pooled[pooled > score]:
        if np.nextafter(score, np.inf) < upper:
            return float(_places(score, float(upper))[0 if close else _INNER.size // 2])
        score = float(upper)
    return score + _margin(pooled)


def place_below(score: float, pooled: Float64Array, *, close: bool = False) -> float:
    """Return a threshold in the first gap below ``score``, which it then flags; mirrors `place_above`."""
    return -place_above(-score, -pooled[::-1], close=close)


def _false_alarms(undamaged: Float64Array, threshold: Float64Array) -> Int64Array:
    above = undamaged.size - np.searchsorted(undamaged, threshold, side="right")
    return above.astype(np.int64)


def _misses(damaged: Float64Array, threshold: Float64Array) -> Int64Array:
    return np.searchsorted(damaged, threshold, side="right").astype(np.int64)


def _margin(pooled: Float64Array) -> float:
    """Return how far beyond the extreme score an outer threshold lies: half a mean gap, and never nothing."""
    largest = float(np.max(np.abs(pooled)))
    spread = float(np.max(pooled) - np.min(pooled))
    floor = largest * 2.0**-20 if largest > 0 else 1.0
    return max(spread / (2 * pooled.size), floor)


def _places(low: float, high: float) -> Float64Array:
    """Return numbers strictly between the two, in the inner half of the gap where it is wide enough."""
    places = low + (high - low) * _INNER
    inside = (places > low) & (places < high)
    return np.where(inside, places, np.nextafter(low, np.inf))


def _scattered(undamaged: Float64Array, left_out_scores: npt.ArrayLike) -> Float64Array:
    """Return undamaged scores and, moved to where these lie, left-out ones, ascending."""
    left_out = checked_scores(left_out_scores, name="left-out", least=0)
    if not left_out.size:
        return undamaged
    return np.sort(np.concatenate([undamaged, left_out - np.median(left_out) + np.median(undamaged)]))


def _cheapest(
    undamaged: Float64Array,
    damaged: Float64Array,
    scattered: Float64Array,
    *,
    miss_cost: float,
    smoothed_miss_cost: float,
) -> float:
    """Return the threshold of the lowest cost, and among those the one of the lowest smoothed cost.

    ``scattered`` stands for the undamaged scores in the smoothed cost, and weighs no more than they do.
    """
    pooled = np.unique(np.concatenate([undamaged, damaged]))
    margin = _margin(pooled)
    low = np.concatenate([[pooled[0] - 2 * margin], pooled])
    high = np.concatenate([pooled, [pooled[-1] + 2 * margin]])
    usable = np.nextafter(low, np.inf) < high
    low, high = low[usable], high[usable]
    cost = _false_alarms(undamaged, low) + miss_cost * _misses(damaged, low)
    # The products of an uneven miss_cost may differ in the last bit where the costs are the same.
    tied = np.flatnonzero(cost <= cost.min() * (1 + 1e-12))
    widths = _bandwidths(scattered, damaged, margin)
    smoothed_miss_cost *= scattered.size / undamaged.size
    best_cost, best = math.inf, math.nan
    for gap in tied:
        places = _places(low[gap], high[gap])
        smoothed = _smoothed_cost(places, scattered, damaged, bandwidths=widths, miss_cost=smoothed_miss_cost)
        at = int(np.argmin(smoothed))
        if smoothed[at] < best_cost:
            best_cost, best = float(smoothed[at]), float(places[at])
    return best


def _bandwidths(undamaged: Float64Array, damaged: Float64Array, margin: float) -> tuple[float, float]:
    """Return the kernel widths of both classes; a class without any spread borrows the other's."""
    first, second = (_spread(scores) * scores.size**-0.2 for scores in (undamaged, damaged))
    return first or second or margin, second or first or margin


def _spread(scores: Float64Array) -> float:
    deviation = float(np.std(scores))
    lower, upper = np.percentile(scores, [25, 75])
    quartiles = float(upper - lower) / 1.349
    return min(deviation, quartiles) if quartiles > 0 else deviation


def _smoothed_cost(
    places: Float64Array,
    undamaged: Float64Array,
    damaged: Float64Array,
    *,
    bandwidths: tuple[float, float],
    miss_cost: float,
) -> Float64Array:
    alarms = _kernel((undamaged[:, None] - places) / bandwidths[0]).sum(axis=0)
    misses = _kernel((places - damaged[:, None]) / bandwidths[1]).sum(axis=0)
    return np.asarray(alarms + miss_cost * misses, dtype=np.float64)


def _kernel(x: Float64Array) -> Float64Array:
    x = np.clip(x, -1e9, 1e9)
    return np.asarray(0.5 + x / (2 * np.sqrt(2 + x * x)), dtype=np.float64)


def _ceil(value: float) -> int:
    """Round up, but take 19.000000000000004 for the 19 that was meant."""
    nearest = round(value)
    return nearest if abs(value - nearest) < 1e-9 * max(1.0, abs(value)) else math.ceil(value)
