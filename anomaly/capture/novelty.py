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

    @property
    def mean(self) -> Float64Array:
        """Mean of the embeddings, (d,)."""
        return self._mean

    def discriminant(self, change: Float64Array) -> Float64Array:
        """Return the inverse covariance times a change of an embedding, (d,).

        The product with it tells that change from ordinary variation best (Fisher 1936,
        https://doi.org/10.1111/j.1469-1809.1936.tb02137.x).
        """
        return self._inverse_times(change / self._scale) / self._scale

    def log_distance(self, embedding: Float64Array) -> float:
        """Logarithm of the distance of one embedding (d,), divided by the root of d."""
        z = (embedding - self._mean) / self._scale
        return 0.5 * math.log(max(float(z @ self._inverse_times(z)), 1e-12) / z.size)

    def _inverse_times(self, z: Float64Array) -> Float64Array:
        """Inverse of the shrunk covariance times (d,), in scales."""
        # Woodbury: (ridge I + weight R'R)^-1 z without a (d, d) matrix.
        along = self._inverse @ (self._rows @ z)
        return (z - (1 - _RIDGE) / len(self._rows) * (self._rows.T @ along)) / _RIDGE


def left_out_log_distances(embeddings: Float64Array) -> Float64Array:
    """Log distance of each of (n, d) embeddings to the others; n is at least 2."""
    return np.array([Novelty(np.delete(embeddings, i, axis=0)).log_distance(row) for i, row in enumerate(embeddings)])
