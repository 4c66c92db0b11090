"""The setting to train with: the simplest one that is as good as the best, within one standard error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomaly.config import Config
from anomaly.embedding.registry import backbone
from anomaly.experiment.measures import standard_error
from anomaly.experiment.space import Settings, apply
from anomaly.types import Float64Array, Int64Array

ROUNDING = 1e-9
"""Losses nearer to each other than this are the same: what is left between them is the rounding of the arithmetic.

Where settings judge a single photograph differently, the difference of their means is its standard error, too."""


def complexity(settings: Settings) -> tuple[object, ...]:
    """Order settings by what they cost to run, cheapest first.

    Larger backbones (by the multiply-adds that the registry states), more pixels, more taps, whitening, more rows, more
    neighbours, and turned copies, which only training pays for; what costs nothing (smoothing, top share) only breaks
    ties, so that the order is complete. A setting that is not named takes its default: all trials of an experiment
    name the same.

    Raises
    ------
    UnknownBackboneError, ConfigError
    """
    config = apply(settings, Config())
    return (
        backbone(config.embedding.backbone).multiply_adds,
        config.geometry.size,
        len(config.embedding.taps),
        config.embedding.whitening,
        config.bank.max_rows,
        config.bank.neighbours,
        config.bank.turns,
        str(sorted((name, str(value)) for name, value in settings.items())),
    )


def choose(
    trials: Sequence[tuple[Settings, Float64Array]], unit: Int64Array
) -> tuple[int, int, tuple[float, float], list[int]]:
    """Apply the one-standard-error rule to differences, photograph by photograph.

    Breiman et al. 1984, Classification and Regression Trees, section 3.4.3; taken of the difference to the best, since
    all trials judge the same photographs.

    Parameters
    ----------
    trials : sequence of (settings, losses)
        Losses of each photograph, (n,).
    unit : ndarray of int64, (n,)
        Photographs that are alike.

    Returns
    -------
    best, chosen : int
        Places in ``trials``.
    gap : (float, float)
        By how much the chosen one is worse than the best, and the standard error of that.
    candidates : list of int
        All that are as good as the best within one standard error, and `ROUNDING`.
    """
    means = [float(losses.mean()) for _, losses in trials]
    best = int(np.argmin(means))
    gaps = [gap_to(losses, trials[best][1], unit) for _, losses in trials]
    candidates = [i for i, (gap, error) in enumerate(gaps) if i == best or gap <= error + ROUNDING]
    chosen = min(candidates, key=lambda i: complexity(trials[i][0]))
    return best, chosen, gaps[chosen] if chosen != best else (0.0, 0.0), candidates


def gap_to(losses: Float64Array, best: Float64Array, unit: Int64Array) -> tuple[float, float]:
    """Return by how much the mean of some losses (n,) exceeds that of the best, and the standard error of that."""
    difference = losses - best
    # Few units make the cluster-robust error too small at times; it is never taken below that of single images.
    error = max(standard_error(difference, unit), standard_error(difference, np.arange(len(difference))))
    return float(difference.mean()), error
