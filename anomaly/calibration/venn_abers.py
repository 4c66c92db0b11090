"""Probability of damage from validation scores, with an interval: the inductive Venn-Abers predictor.

V. Vovk, I. Petej, *Venn-Abers predictors*, UAI 2014, https://arxiv.org/abs/1211.0025, section 3. For a new score s the
pair (s, undamaged) joins the validation scores and isotonic regression is fitted; its value at s is ``p0``. The same
with (s, damaged) gives ``p1``. One of the two is perfectly calibrated, whatever the law of the scores, if the new image
and the validation images are exchangeable. The interval is ``(p0, p1)``; ``p = p1 / (1 - p0 + p1)`` merges them with
the least regret in log loss: V. Vovk, I. Petej, V. Fedorova, https://arxiv.org/abs/1511.00213, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anomaly.calibration._scores import checked_scores
from anomaly.errors import CalibrationError
from anomaly.types import Float64Array


@dataclass(frozen=True, eq=False)
class VennAbers:
    """Validation scores, ready to say how probable damage is.

    Attributes
    ----------
    scores : ndarray of float64, (m,)
        Distinct, ascending.
    undamaged, damaged : tuple of int, (m,)
        Validation images of each label with that score.
    """

    scores: Float64Array
    undamaged: tuple[int, ...]
    damaged: tuple[int, ...]

    @classmethod
    def fit(cls, undamaged_scores: npt.ArrayLike, damaged_scores: npt.ArrayLike) -> VennAbers:
        """Count validation scores.

        Parameters
        ----------
        undamaged_scores : array_like, (n0,)
        damaged_scores : array_like, (n1,)

        Raises
        ------
        CalibrationError
            A class is empty, or a score is not finite.
        """
        undamaged = checked_scores(undamaged_scores, name="undamaged")
        damaged = checked_scores(damaged_scores, name="damaged")
        scores = np.unique(np.concatenate([undamaged, damaged]))
        return cls(scores, _counts(undamaged, scores), _counts(damaged, scores))

    def interval(self, score: float) -> tuple[float, float]:
        """Return ``(p0, p1)``, each never falling in the score; ``p0 < p1``.

        Raises
        ------
        CalibrationError
            The score is NaN or infinite.
        """
        if not math.isfinite(score):
            raise CalibrationError(f"a score must be finite to be judged, got {score}; score the image again")
        at = int(np.searchsorted(self.scores, score))
        known = at < self.scores.size and float(self.scores[at]) == score
        damaged, undamaged = list(self.damaged), list(self.undamaged)
        if not known:
            damaged.insert(at, 0)
            undamaged.insert(at, 0)
        undamaged[at] += 1
        totals = [d + u for d, u in zip(damaged, undamaged, strict=True)]
        low = isotonic_value(damaged, totals, at)
        damaged[at] += 1
        return low, isotonic_value(damaged, totals, at)

    def probability(self, score: float) -> tuple[float, float, float]:
        """Return ``(p, p0, p1)`` with the merged ``p = p1 / (1 - p0 + p1)``; none of them falls in the score.

        Raises
        ------
        CalibrationError
            The score is NaN or infinite.
        """
        low, high = self.interval(score)
        # As 1 / (1 + (1 - p0) / p1), no step of which can turn the order of two scores by rounding.
        merged = 1 / (1 + (1 - low) / high)
        return min(max(merged, low), high), low, high


def isotonic_value(hits: Sequence[int], totals: Sequence[int], at: int) -> float:
    """Return the isotonic regression of ``hits / totals`` at one place, by pooling adjacent violators.

    Parameters
    ----------
    hits, totals : sequence of int, (m,)
        In ascending order of the score; ``0 <= hits[i] <= totals[i]``, ``totals[i] > 0``.
    at : int
        The place, ``0 <= at < m``.

    Notes
    -----
    Ayer et al., *An empirical distribution function for sampling with incomplete information*, Annals of Mathematical
    Statistics 26 (1955). The means are compared as products of integers, so that nothing is rounded before the end.
    """
    blocks: list[tuple[int, int, int]] = []  # hits, total, first place
    for place, (hit, total) in enumerate(zip(hits, totals, strict=True)):
        first = place
        while blocks and blocks[-1][0] * total >= hit * blocks[-1][1]:
            before, n_before, first = blocks.pop()
            hit, total = hit + before, total + n_before
        blocks.append((hit, total, first))
    hit, total, _ = next(block for block in reversed(blocks) if block[2] <= at)
    return hit / total


def _counts(scores: Float64Array, distinct: Float64Array) -> tuple[int, ...]:
    return tuple(np.bincount(np.searchsorted(distinct, scores), minlength=distinct.size).tolist())
