"""The direction and the limit of each fault, learnt from ordinary pictures and from some with planted faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from anomaly.capture.faults import FAULTS, LEAST_STRENGTH, FaultFilter, PlantedFault
from anomaly.capture.novelty import Novelty
from anomaly.types import Float64Array

# A fault that moves the embedding by less than this many standard deviations cannot be learnt.
_LEAST_CHANGE = 1e-6


def fit_filters(
    ordinary: Float64Array, planted: Sequence[PlantedFault], *, limit: Callable[[Float64Array], float]
) -> tuple[FaultFilter, ...]:
    """Learn what each planted fault looks like.

    Parameters
    ----------
    ordinary : ndarray of float64, (n, d)
        Embeddings of ordinary pictures; n is at least 3.
    planted : sequence of PlantedFault
        ``sample`` counts into `ordinary`.
    limit : callable
        From the strengths of the fault in ordinary pictures, (n,), each left out when its direction was learnt, to what
        hardly an ordinary picture exceeds.

    Returns
    -------
    tuple of FaultFilter
        One for each fault that was planted and changed something, in the order of :data:`FAULTS`.
    """
    if not planted:
        return ()
    everything = Novelty(ordinary)
    without = [Novelty(np.delete(ordinary, i, axis=0)) for i in range(len(ordinary))]
    filters = []
    for fault in FAULTS:
        mine = [one for one in planted if one.fault == fault]
        if not mine:
            continue
        place = np.array([one.sample for one in mine])
        change = np.stack([one.embedding.astype(np.float64) for one in mine]) - ordinary[place]
        weights = _weights(everything, change)
        if weights is None:
            continue
        strengths = []
        for i, others in enumerate(without):
            # Where a single picture was planted in, there is no other change to learn from.
            left_in = change[place != i] if (place != i).any() else change
            own = _weights(others, left_in)
            strengths.append(0.0 if own is None else float((ordinary[i] - others.mean) @ own))
        rounded = weights.astype(np.float32)
        offset = float(everything.mean @ rounded.astype(np.float64))
        filters.append(FaultFilter(fault, rounded, offset, max(LEAST_STRENGTH, limit(np.array(strengths)))))
    return tuple(filters)


def _weights(novelty: Novelty, change: Float64Array) -> Float64Array | None:
    """Weights (d,) under which the mean of changes (k, d) has strength 1; None where nothing changes."""
    mean = change.mean(axis=0)
    along = novelty.discriminant(mean)
    strength = float(along @ mean)
    return along / strength if strength > _LEAST_CHANGE**2 else None
