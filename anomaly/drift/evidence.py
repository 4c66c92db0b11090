"""A sequential test with a bounded rate of false alarms, under no assumption but that pictures are exchangeable.

Each new value gets its conformal p-value among the reference and all values before it; while nothing changes, these
are independent and (at least) uniform whatever the law of the values (Vovk et al. 2021, "Retrain or not retrain",
https://arxiv.org/abs/2102.10439; for changes Volkhonskiy et al. 2017, https://arxiv.org/abs/1706.03415). A bet
k p^(k - 1) with k in (0, 1) on small p-values has mean 1 then. Summed over all possible starts (Shiryaev-Roberts:
R <- (R + 1) * bet), the evidence grows by 1 a picture on average, so the first alarm at a level A comes after A
pictures or more on average (Shin, Ramdas & Rinaldo 2022, "E-detectors", https://arxiv.org/abs/2203.03532). A mean of
such sums with weights that sum to 1 keeps the bound; here the streams and several k are averaged.

The last stream is the share of flagged pictures: while it is at most the usual one, q, a bet t / q on a flagged picture
and (1 - t) / (1 - q) on another, with t > q, has a mean of at most 1 (Waudby-Smith & Ramdas 2020,
https://arxiv.org/abs/2010.09686); several t are averaged.
"""

from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np

from anomaly.types import Float64Array

BETS = (0.1, 0.2, 0.4, 0.7)
SHARES = (0.1, 0.25, 0.5, 0.75)
"""How far from the usual share towards 1 the shares are that are betted on."""


class SequentialTest:
    """Evidence of change in several streams of values, each watched for larger values, and in the share of flags.

    Parameters
    ----------
    reference : ndarray of float64, (n, s - 1)
        Values of the streams for n ordinary pictures.
    weights : ndarray of float64, (s,)
        How much each stream counts, the flags last; positive, of sum 1.
    usual_share : float
        Share of flagged pictures that is no change, in (0, 1).
    """

    def __init__(self, reference: Float64Array, weights: Float64Array, *, usual_share: float) -> None:
        self._seen = [sorted(column.tolist()) for column in reference.T]
        self._weights = weights
        towards = usual_share + (1 - usual_share) * np.array(SHARES)
        self._on_flag = {True: towards / usual_share, False: (1 - towards) / (1 - usual_share)}
        self._sums = np.zeros((len(weights), len(BETS)))
        self._runs = np.ones((len(weights), len(BETS)))
        self._starts = np.zeros((len(weights), len(BETS)), dtype=np.int64)
        self._count = 0

    def update(self, values: Float64Array, *, flagged: bool) -> Float64Array:
        """Take the values of one more picture.

        Parameters
        ----------
        values : ndarray of float64, (s - 1,)
        flagged : bool

        Returns
        -------
        ndarray of float64, (s,)
            Evidence of each stream; its weighted sum is what :attr:`evidence` says.
        """
        p = np.array([_p_value(seen, float(value)) for seen, value in zip(self._seen, values, strict=True)])
        bets = np.array(BETS)
        factor = np.vstack([bets * p[:, None] ** (bets - 1), self._on_flag[bool(flagged)]])
        self._sums = (self._sums + 1) * factor
        fresh = self._runs < 1  # the likeliest start of a change, as in a CUSUM
        self._starts[fresh] = self._count
        self._runs = np.where(fresh, 1.0, self._runs) * factor
        self._count += 1
        evidence: Float64Array = self._sums.mean(axis=1)
        return evidence

    @property
    def evidence(self) -> float:
        """Weighted mean over the streams; grows by 1 a picture on average while nothing changes."""
        return float(self._weights @ self._sums.mean(axis=1))

    def start(self, stream: int) -> int:
        """Return the picture, counted from 0, with which the change in a stream most likely began."""
        return int(self._starts[stream, int(self._runs[stream].argmax())])


def _p_value(seen: list[float], value: float) -> float:
    """Share of values, itself included, that are at least as large; and remember it."""
    larger = len(seen) - bisect_left(seen, value)
    insort(seen, value)
    return (larger + 1) / len(seen)
