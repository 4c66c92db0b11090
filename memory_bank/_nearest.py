"""The k least of many products, and the k nearest of many measured pairs."""

from __future__ import annotations

import numpy as np

from memory_bank.types import Float32Array, Float64Array, Int64Array


def least(product: Float32Array, k: int) -> tuple[Int64Array, Float32Array]:
    """Return where the k least of each line are, (n, k), in no order, and the value of the next one, (n,)."""
    following = np.partition(product, k, axis=1)[:, k]
    at = np.flatnonzero(product < following[:, None])
    if at.size == k * len(product):
        return (at % product.shape[1]).reshape(-1, k), following
    # Ties with the next one. This way alone would take longer.
    return np.argpartition(product, k, axis=1)[:, :k], following


def first_of_each(
    query: Int64Array, row: Int64Array, squared: Float64Array, k: int
) -> tuple[Int64Array, Int64Array, Float64Array]:
    """Return the k nearest different rows of each query among pairs; of equally near ones the smaller number."""
    order = np.lexsort((row, squared, query))
    query, row, squared = query[order], row[order], squared[order]
    fresh = np.ones(query.size, bool)
    fresh[1:] = (query[1:] != query[:-1]) | (row[1:] != row[:-1])
    query, row, squared = query[fresh], row[fresh], squared[fresh]
    new = np.ones(query.size, bool)
    new[1:] = query[1:] != query[:-1]
    starts = np.flatnonzero(new)
    rank = np.arange(query.size) - np.repeat(starts, np.diff(np.append(starts, query.size)))
    first = rank < k
    return query[first], row[first], squared[first]
