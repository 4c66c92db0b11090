"""How much more photographs buy: accuracy against undamaged ones in the memory, and damaged ones for the threshold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anomaly.calibration import accuracy_threshold
from anomaly.config import Config
from anomaly.errors import AnomalyError
from anomaly.experiment.distances import Features, held_out, memories, score_fold
from anomaly.experiment.measures import auroc_of_units
from anomaly.experiment.pool import fold_numbers
from anomaly.experiment.record import CurvePoint
from anomaly.types import BoolArray, Float64Array, Int64Array

LEAST_MEMORY = 5
DRAWS = 2
"""Random memories of each size."""
_LABEL_DRAWS = 100
_LEAST_LABELS = 2


def memory_sizes(most: int) -> list[int]:
    """Return 5, 10, 20, 40, ... and the largest; sizes close to it are left out."""
    sizes = [LEAST_MEMORY * 2**i for i in range(12) if LEAST_MEMORY * 2**i * 1.3 <= most]
    return [*sizes, most]


def memory_curve(
    features: Features,
    config: Config,
    fold: Int64Array,
    *,
    patches: int,
    scale_share: float,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> tuple[CurvePoint, ...]:
    """AUROC of held-out photographs against the number of undamaged ones in the memory.

    Parameters
    ----------
    features : Features
    config : Config
        The chosen settings, taps named.
    fold : ndarray of int64, (n,)
        In which each photograph is judged.
    patches, scale_share, seed
        As in the trials.
    step : callable
        Called after each memory.

    Returns
    -------
    tuple of CurvePoint
        The interval covers both the draw of the photographs that are judged and that of the memory.
    """
    pool = features.pool
    folds = fold_numbers(fold)
    most = min(int(np.sum(~pool.damaged & (fold != number))) for number in folds)
    points = []
    for size in memory_sizes(most):
        scores = np.zeros((DRAWS, len(pool.images)))
        for draw in range(DRAWS):
            for number in folds:
                available = np.flatnonzero(~pool.damaged & (fold != number))
                chosen = np.random.default_rng((seed, draw, number)).permutation(available)[:size]
                remembered = np.zeros(len(pool.images), dtype=np.bool_)
                remembered[chosen] = True
                looked_at = fold == number
                found = held_out(
                    features, memories(config), judged=looked_at, remembered=remembered, patches=patches, seed=seed
                )
                numbers = np.flatnonzero(looked_at)
                scores[draw, numbers] = score_fold(
                    found, config, numbers=numbers, undamaged=~pool.damaged[numbers], scale_share=scale_share
                )
                step()
        judged = pool.judged
        auroc = auroc_of_units(scores[:, judged], pool.damaged[judged], pool.unit[judged], seed=seed)
        points.append(CurvePoint(size, auroc.value, auroc.low, auroc.high))
    return tuple(points)


def memory_steps(damaged: BoolArray, fold: Int64Array) -> int:
    """How many memories :func:`memory_curve` makes."""
    folds = fold_numbers(fold)
    most = min(int(np.sum(~damaged & (fold != number))) for number in folds)
    return len(memory_sizes(most)) * DRAWS * len(folds)


def label_curve(scores: Float64Array, damaged: BoolArray, *, seed: int) -> tuple[CurvePoint, ...]:
    """Balanced accuracy against the number of damaged photographs that choose the threshold.

    Of the scores of one trial some damaged photographs, and as many undamaged ones in proportion, choose the threshold;
    the others are judged: mean of the share of damaged ones found and of undamaged ones passed. Repeated for random
    draws; the interval holds 95 % of them.

    Parameters
    ----------
    scores : ndarray of float64, (repeats, n)
    damaged : ndarray of bool, (n,)
    seed : int
    """
    bad, good = np.flatnonzero(damaged), np.flatnonzero(~damaged)
    sizes = [n for n in (2, 5, 10, 15, 20, 30, 40, 60, 80) if _LEAST_LABELS <= n <= len(bad) * 2 // 3]
    points = []
    for n in sizes:
        rng = np.random.default_rng((seed, n))
        share = min(len(good) * 2 // 3, max(_LEAST_LABELS, round(n * len(good) / len(bad))))
        values = [_balanced(scores[i % len(scores)], bad, good, n, share, rng) for i in range(_LABEL_DRAWS)]
        kept = [value for value in values if value is not None]
        if kept:
            low, high = np.quantile(kept, [0.025, 0.975])
            points.append(CurvePoint(n, float(np.mean(kept)), float(low), float(high)))
    return tuple(points)


def _balanced(
    scores: Float64Array, bad: Int64Array, good: Int64Array, n: int, share: int, rng: np.random.Generator
) -> float | None:
    bad, good = rng.permutation(bad), rng.permutation(good)
    try:
        threshold = accuracy_threshold(scores[good[:share]], scores[bad[:n]])
    except AnomalyError:
        return None
    return float((np.mean(scores[bad[n:]] > threshold) + np.mean(scores[good[share:]] <= threshold)) / 2)
