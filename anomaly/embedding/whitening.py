"""Whitening of one tap: patch embeddings to zero mean and (shrunk) unit covariance.

Distances between whitened embeddings are Mahalanobis distances under the covariance of the undamaged patches, so a
direction in which good parts vary a lot counts for less. Shrinkage towards a multiple of the identity: Ledoit & Wolf
2004, https://doi.org/10.1016/S0047-259X(03)00096-4. Deviation: the amount is fixed instead of estimated, because
patches of one image are far from independent and the estimate would be too small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomaly.types import Float32Array

SHRINKAGE = 0.01


@dataclass(frozen=True, eq=False)
class Whitening:
    """The affine map ``(x - mean) @ matrix``.

    Attributes
    ----------
    mean : ndarray of float32, (d,)
    matrix : ndarray of float32, (d, d), symmetric
    """

    mean: Float32Array
    matrix: Float32Array

    def apply(self, embeddings: Float32Array) -> Float32Array:
        """Whiten embeddings of shape (..., d)."""
        return np.ascontiguousarray((embeddings - self.mean) @ self.matrix, dtype=np.float32)


def fit_whitening(embeddings: Float32Array, *, shrinkage: float = SHRINKAGE) -> Whitening:
    """Zero-phase (ZCA) whitening of the embeddings.

    Parameters
    ----------
    embeddings : ndarray of float32, (n, d)
    shrinkage : float in (0, 1]
        Share of the identity (times the mean variance) in the covariance; keeps the map finite where n < d or the
        embeddings do not vary.

    Returns
    -------
    Whitening
    """
    mean = embeddings.mean(axis=0, dtype=np.float64)
    centred = embeddings.astype(np.float64) - mean
    covariance = centred.T @ centred / max(1, len(centred) - 1)
    d = covariance.shape[0]
    mean_variance = max(float(np.trace(covariance)) / d, np.finfo(np.float32).tiny)
    shrunk = (1.0 - shrinkage) * covariance + shrinkage * mean_variance * np.eye(d)
    variance, basis = np.linalg.eigh(shrunk)  # symmetric: S = U diag(v) U^T
    matrix = (basis / np.sqrt(variance)) @ basis.T  # W = S^(-1/2)
    return Whitening(mean.astype(np.float32), matrix.astype(np.float32))
