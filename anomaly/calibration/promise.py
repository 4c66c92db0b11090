"""Thresholds that keep a promised rate with a stated confidence, or refuse.

The rule is the umbrella algorithm of Neyman-Pearson classification (Tong, Feng, Li, Science Advances 2018,
https://doi.org/10.1126/sciadv.aao1659, proposition 1), the order-statistic form of the Clopper-Pearson bound:
with k of n images on the wrong side of an order statistic, the true rate exceeds the target with probability
at most ``P(Bin(n, target) <= k)``. It holds for any law of the scores, ties included.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from anomaly.calibration._scores import checked_fraction, checked_scores
from anomaly.calibration.threshold import place_above, place_below
from anomaly.errors import PromiseNotPossibleError


def max_false_alarm_threshold(
    undamaged_scores: npt.ArrayLike, damaged_scores: npt.ArrayLike = (), *, target: float, confidence: float
) -> float:
    """Return the lowest threshold whose false-alarm rate is promised.

    Parameters
    ----------
    undamaged_scores : array_like, (n0,)
        The promise rests on these.
    damaged_scores : array_like, (n1,)
        The threshold is kept off them.
    target : float
        Largest share of all undamaged images that may be flagged, in (0, 1).
    confidence : float
        Probability, over the draw of the validation images, that the promise holds; in (0, 1).

    Returns
    -------
    float
        Finite; in a gap between scores.

    Raises
    ------
    PromiseNotPossibleError
        There are too few undamaged images.
    CalibrationError
        Scores, target or confidence are not usable.
    """
    undamaged = checked_scores(undamaged_scores, name="undamaged")
    damaged = checked_scores(damaged_scores, name="damaged", least=0)
    k = _allowed_errors(undamaged.size, target, confidence=confidence, kind="undamaged", rate="false-alarm")
    pooled = np.unique(np.concatenate([undamaged, damaged]))
    return place_above(float(undamaged[undamaged.size - 1 - k]), pooled, close=True)


def max_miss_threshold(
    undamaged_scores: npt.ArrayLike, damaged_scores: npt.ArrayLike, *, target: float, confidence: float
) -> float:
    """Return the highest threshold whose miss rate is promised; the mirror of `max_false_alarm_threshold`.

    Parameters
    ----------
    undamaged_scores : array_like, (n0,)
        The threshold is kept off them.
    damaged_scores : array_like, (n1,)
        The promise rests on these.
    target : float
        Largest share of all damaged images that may be missed, in (0, 1).
    confidence : float
        In (0, 1).

    Returns
    -------
    float

    Raises
    ------
    PromiseNotPossibleError
        There are too few damaged images.
    CalibrationError
        Scores, target or confidence are not usable.
    """
    undamaged = checked_scores(undamaged_scores, name="undamaged", least=0)
    damaged = checked_scores(damaged_scores, name="damaged", least=0)
    k = _allowed_errors(damaged.size, target, confidence=confidence, kind="damaged", rate="miss")
    pooled = np.unique(np.concatenate([undamaged, damaged]))
    return place_below(float(damaged[k]), pooled, close=True)


def images_needed(target: float, *, confidence: float) -> int:
    """Return the fewest images of the class that can carry the promise, none of them on the wrong side.

    The smallest n with ``(1 - target)**n <= 1 - confidence``: 59 for 5 % at 95 %, 299 for 1 %.

    Raises
    ------
    CalibrationError
        Target or confidence lies outside (0, 1).
    """
    target = checked_fraction(target, name="target")
    confidence = checked_fraction(confidence, name="confidence")
    n = max(1, math.floor(_log_doubt(confidence) / math.log1p(-target)) - 1)
    while not _small_enough(n * math.log1p(-target), confidence):
        n += 1
    return n


def best_possible_rate(n: int, *, confidence: float) -> float:
    """Return the smallest rate that n images can promise: ``1 - (1 - confidence)**(1 / n)``; 1.0 for none."""
    confidence = checked_fraction(confidence, name="confidence")
    return -math.expm1(_log_doubt(confidence) / n) if n > 0 else 1.0


def _allowed_errors(n: int, target: float, *, confidence: float, kind: str, rate: str) -> int:
    """Return the largest k with ``P(Bin(n, target) <= k) <= 1 - confidence``, or refuse."""
    target = checked_fraction(target, name="target")
    confidence = checked_fraction(confidence, name="confidence")
    needed = images_needed(target, confidence=confidence)
    if n < needed:
        best = best_possible_rate(n, confidence=confidence)
        instead = f", or ask for {_rounded_up(best)} or above" if n else ""
        raise PromiseNotPossibleError(
            f"a {rate} rate of at most {target:.4g} at confidence {confidence:.4g} needs {needed} {kind} "
            f"validation {'image' if needed == 1 else 'images'}, got {n}; label {needed - n} more{instead}",
            needed=needed,
            best_possible=best,
        )
    log_terms: list[float] = []
    for k in range(n):
        log_terms.append(_log_binomial(n, k) + k * math.log(target) + (n - k) * math.log1p(-target))
        if not _small_enough(_log_sum(log_terms), confidence):
            return k - 1
    return n - 1


def _rounded_up(rate: float) -> float:
    return math.ceil(rate * 1e4) / 1e4


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_sum(logs: list[float]) -> float:
    largest = max(logs)
    return largest + math.log(math.fsum(math.exp(value - largest) for value in logs))


def _log_doubt(confidence: float) -> float:
    return math.log1p(-confidence)


def _small_enough(log_probability: float, confidence: float) -> bool:
    # Rounding may not refuse the promise that is exactly possible, hence the last bits.
    return log_probability <= _log_doubt(confidence) + 1e-11
