"""How good a trial is, and how sure that is, from the scores of held-out photographs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomaly.detector.selection import label_losses
from anomaly.evaluation import Interval, image_auroc
from anomaly.types import BoolArray, Float64Array, Int64Array

FLAGGED = 0.05
"""Share of the undamaged photographs that may be flagged where the damaged ones that are found are counted."""
_RESAMPLES = 200
_CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class Measures:
    """What the scores of one trial say.

    Attributes
    ----------
    losses : ndarray of float64, (n,)
        Logarithmic loss of each photograph, mean over repeats; their mean gives both labels one half.
    auroc : Interval
        Mean over repeats; the interval from resampling whole units.
    found : float
        Damaged photographs above the threshold that flags 5 % of the undamaged ones, mean over repeats.
    """

    losses: Float64Array
    auroc: Interval
    found: float

    @property
    def loss(self) -> float:
        """Mean loss."""
        return float(self.losses.mean())


def measure(scores: Float64Array, damaged: BoolArray, unit: Int64Array, *, seed: int) -> Measures:
    """Measure one trial.

    Parameters
    ----------
    scores : ndarray of float64, (repeats, n)
        Of held-out photographs; positive.
    damaged : ndarray of bool, (n,)
    unit : ndarray of int64, (n,)
        What is resampled as a whole.
    seed : int
        The same for trials that are compared.
    """
    losses = photograph_losses(scores, damaged, seed=seed)
    return Measures(losses, auroc_of_units(scores, damaged, unit, seed=seed), found_at(scores, damaged))


def mean_loss(scores: Float64Array, damaged: BoolArray, *, seed: int) -> float:
    """Return the loss alone, as :func:`measure` does."""
    return float(photograph_losses(scores, damaged, seed=seed).mean())


def photograph_losses(scores: Float64Array, damaged: BoolArray, *, seed: int) -> Float64Array:
    """Loss of each photograph, mean over repeats, (n,).

    Parameters
    ----------
    scores : ndarray of float64, (repeats, n)
    damaged : ndarray of bool, (n,)
    seed : int
    """
    averaged: Float64Array = label_losses(scores, damaged, seed=seed).mean(axis=0)
    return averaged


def mean_auroc(scores: Float64Array, damaged: BoolArray) -> float | None:
    """Mean AUROC over repeats (repeats, n); None where a label is missing."""
    if not damaged.any() or damaged.all():
        return None
    values = [image_auroc(row, damaged) for row in scores]
    return float(np.mean([value for value in values if isinstance(value, float)]))


def auroc_of_units(scores: Float64Array, damaged: BoolArray, unit: Int64Array, *, seed: int) -> Interval:
    """Return the AUROC with the percentile interval of resampled units (cluster bootstrap).

    Field, Welsh 2007, https://doi.org/10.1111/j.1467-9868.2007.00593.x: photographs of one session are alike, so whole
    sessions are drawn with replacement.
    """
    value = mean_auroc(scores, damaged)
    assert value is not None
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(unit == number) for number in np.unique(unit)]
    found = []
    for _ in range(_RESAMPLES):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        drawn = mean_auroc(scores[:, rows], damaged[rows])
        if drawn is not None:
            found.append(drawn)
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(found, [tail, 1 - tail]) if found else (0.0, 1.0)
    return Interval(value, min(float(low), value), max(float(high), value))


def found_at(scores: Float64Array, damaged: BoolArray, *, flagged: float = FLAGGED) -> float:
    """Damaged photographs above the threshold that flags at most this share of the undamaged ones, mean over repeats.

    Parameters
    ----------
    scores : ndarray of float64, (repeats, n)
    damaged : ndarray of bool, (n,)
    flagged : float
        In [0, 1).
    """
    allowed = int(flagged * np.sum(~damaged))
    counts = []
    for row in scores:
        limit = np.sort(row[~damaged])[::-1][allowed]
        counts.append(int(np.sum(row[damaged] > limit)))
    return float(np.mean(counts))


def standard_error(values: Float64Array, unit: Int64Array) -> float:
    """Return the standard error of the mean of values that are alike within units.

    Parameters
    ----------
    values : ndarray of float64, (n,)
    unit : ndarray of int64, (n,)

    Returns
    -------
    float
        Cluster-robust (Liang & Zeger 1986, https://doi.org/10.1093/biomet/73.1.13) with the correction for few units;
        infinite for a single one.
    """
    sums = np.bincount(unit, weights=values - values.mean())[np.unique(unit)]
    n = len(sums)
    if n < 2:
        return float("inf")
    return float(np.sqrt(np.sum(sums**2) * n / (n - 1)) / len(values))
