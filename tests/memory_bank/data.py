"""Vectors that are no images: word counts of made-up documents, steps of random walks, spectra of materials."""

from __future__ import annotations

import numpy as np

from memory_bank import MemoryBank
from memory_bank.types import Float32Array


def word_counts(n: int, d: int = 12, *, seed: int = 0) -> Float32Array:
    """Whole numbers, so distances are exact and ties are many."""
    rng = np.random.default_rng(seed)
    topics = rng.gamma(0.7, 2.0, size=(5, d))
    return rng.poisson(topics[rng.integers(5, size=n)]).astype(np.float32)


def walks(n: int, d: int = 16, *, seed: int = 0) -> Float32Array:
    """Points that drift, so neighbours in time are neighbours in space."""
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(size=(n, d)), axis=0).astype(np.float32)


def surfaces(n: int, d: int = 32, *, seed: int = 0) -> Float32Array:
    """Spectra of 60 materials, each with a few ways to vary and some noise: clustered, as patches of parts are."""
    law = np.random.default_rng(7)
    centres, ways = 2 * law.normal(size=(60, d)), law.normal(size=(60, 8, d)) / np.sqrt(8)
    rng = np.random.default_rng(seed)
    material = rng.integers(60, size=n)
    varied = np.einsum("nw,nwd->nd", rng.normal(size=(n, 8)), ways[material])
    return (centres[material] + varied + 0.15 * rng.normal(size=(n, d))).astype(np.float32)


def bank_of(vectors: Float32Array, *, per_group: int = 10, index: str = "pruned") -> MemoryBank:
    rows = np.arange(len(vectors))
    return MemoryBank(vectors, rows // per_group, np.stack([rows, -rows], axis=1), index=index)
