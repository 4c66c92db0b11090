"""Provable lower bounds of squared distances, by one matrix product in float32.

A matrix product is by far the fastest way to many distances, |x|² + |c|² - 2 x·c, but the subtraction
cancels: for near duplicates nothing but rounding error is left. So the product is used here only to
rule pairs out. Whatever it cannot rule out is measured by difference in float64
(:func:`memory_bank._exact.squared_distances`). Results therefore depend neither on how the rows are
cut into blocks nor on the BLAS and its threads.

The bound: a float32 dot product of d terms errs by at most d u Σ|x_i c_i| with u = 2^-24 (Higham,
*Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 3.1), and 2 Σ|x_i c_i| <= |x|² + |c|².
With the roundings of the inputs and of the norms, all told less than (d + 16) 2^-23 (|x|² + |c|²).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memory_bank.types import Float32Array, Float64Array

# Below this, in scaled units, products may underflow and bounds say nothing.
FLOOR = 1e-30
# Squared length, in scaled units, beyond which float32 comes near its end.
TOO_FAR = 1e30
# In the place of |x|² of rows that are left out: more than any product.
LEFT_OUT = np.float32(1e36)


@dataclass(frozen=True, eq=False)
class Frame:
    """A shift and a power of two that bring vectors close to the origin and to size one.

    Neither changes which distances are small; both keep the rounding errors of the product small.

    Attributes
    ----------
    centre : ndarray of float32, (d,)
    scale : float
        A power of two, so that scaling is exact.
    """

    centre: Float32Array
    scale: float

    @property
    def margin(self) -> float:
        """Error of a squared distance as a fraction of |x|² + |c|²."""
        return float((self.centre.shape[0] + 16) * 2.0**-23)

    def place(self, vectors: Float32Array) -> Float32Array:
        """Vectors in this frame, (n, d); infinite where a far-off vector overflows."""
        with np.errstate(over="ignore"):
            placed = vectors - self.centre
            placed *= np.float32(self.scale)
        return placed


def frame_of(vectors: Float32Array) -> Frame:
    """Return the frame in which ``vectors``, (m, d), are centred and at most 1 in every coordinate."""
    centre = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = max(float((vectors.max(axis=0) - centre).max()), float((centre - vectors.min(axis=0)).max()))
    exponent = np.frexp(spread)[1] if spread > 0 else 0
    return Frame(centre=centre, scale=float(np.ldexp(1.0, -int(np.clip(exponent, -120, 120)))))


def squared_norms(placed: Float32Array) -> Float64Array:
    """|x|² of each row, (n,), in float64."""
    norms: Float64Array = np.einsum("nd,nd->n", placed, placed, dtype=np.float64)
    return norms


def left_factor(placed: Float32Array) -> Float32Array:
    """``[x, 1]`` for each row, (n, d + 1): its product with a right factor is the bound less |x|²."""
    factor = np.empty((placed.shape[0], placed.shape[1] + 1), np.float32)
    factor[:, :-1] = placed
    factor[:, -1] = 1.0
    return factor


def right_factor(placed: Float32Array, norms: Float64Array, margin: float) -> Float32Array:
    """``[-2 c, (1 - margin) |c|²]`` for each row, (n, d + 1)."""
    factor = np.empty((placed.shape[0], placed.shape[1] + 1), np.float32)
    np.multiply(placed, -2.0, out=factor[:, :-1])
    factor[:, -1] = (1.0 - margin) * norms
    return factor


def allowance(limit: Float64Array, norms: Float64Array, margin: float) -> Float32Array:
    """Return what a product must stay below for its pair to lie within squared distance ``limit``.

    ``left_factor(x) @ right_factor(c).T >= allowance`` proves that |x - c|² >= limit.
    """
    bound = limit * (1.0 + 2.0**-22) + FLOOR - (1.0 - margin) * norms
    return bound.astype(np.float32)


def certainty(limit: Float64Array, norms: Float64Array, margin: float, *, largest: float) -> Float32Array:
    """Return what a product must stay below to prove that its pair lies within squared distance ``limit``.

    The counterpart of :func:`allowance`; ``largest`` is the largest |c|² of any right factor.
    """
    bound = limit * (1.0 - 2.0**-22) - FLOOR - (1.0 + margin) * norms - 2.0 * margin * largest
    return bound.astype(np.float32)
