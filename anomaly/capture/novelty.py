"""How far the embedding of a whole picture is from those of the ordinary ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from anomaly.types import Float64Array

_RIDGE = 0.3
"""Share of the covariance that is replaced by the identity: there are more channels than pictures."""
_LEAST_SPREAD = 0.1


@dataclass(frozen=True, eq=False)
class Novelty:
    """Mahalanobis distance under a shrunk covariance.

    After Lee et al. 2018 (https://arxiv.org/abs/1807.03888), who find images unlike those of training by it; shrunk as
    by Ledoit & Wolf 2004 (https://doi.org/10.1016/S0047-259X(03)00096-4), with a fixed weight.

    Parameters
    ----------
    embeddings : ndarray of float64, (n, d)
        Of ordinary pictures.
    """

    embeddings: Float64Array
    _mean: Float64Array = field(init=False, repr=False)
    _scale: Float64Array = field(init=False, repr=False)
    _rows: Float64Array = field(init=False, repr=False)
    _inverse: Float64Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        spread = self.embeddings.std(axis=0)
        mean = self.embeddings.mean(axis=0)
        # A channel that hardly varies is not to decide alone.
        scale = spread + _LEAST_SPREAD * spread.mean() + 1e-9
        rows = (self.embeddings - mean) / scale
        n = len(rows)
        inverse = np.linalg.inv((1 - _RIDGE) / n * (rows @ rows.T) + _RIDGE * np.eye(n))
        for name, value in (("_mean", mean), ("_scale", scale), ("_rows", rows), ("_inverse", inverse)):
            object.__setattr__(self, name, value)

    def log_distance(self, embedding: Float64Array) -> float:
        """Logarithm of the distance of one embedding (d,), divided by the root of d."""
        z = (embedding - self._mean) / self._scale
        # Woodbury: z' (ridge I + weight R'R)^-1 z without a (d, d) matrix.
        along = self._rows @ z
        squared = (float(z @ z) - (1 - _RIDGE) / len(self._rows) * float(along @ self._inverse @ along)) / _RIDGE
        return 0.5 * math.log(max(squared, 1e-12) / z.size)


def left_out_log_distances(embeddings: Float64Array) -> Float64Array:
    """Log distance of each of (n, d) embeddings to the others; n is at least 2."""
    return np.array([Novelty(np.delete(embeddings, i, axis=0)).log_distance(row) for i, row in enumerate(embeddings)])
