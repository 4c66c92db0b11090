"""Vectors that are no images: word counts of made-up documents, and steps of random walks."""

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


def bank_of(vectors: Float32Array, *, per_group: int = 10, index: str = "faiss-flat") -> MemoryBank:
    rows = np.arange(len(vectors))
    return MemoryBank(vectors, rows // per_group, np.stack([rows, -rows], axis=1), index=index)
