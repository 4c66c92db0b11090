"""What faults of a photograph do to its embedding, learnt by planting them in training images.

A picture slightly out of focus lies well within all that ordinary pictures differ in, but it differs from them in a
direction of its own. Along the change that a planted fault makes, divided by how much ordinary pictures vary
(the linear discriminant of Fisher 1936, https://doi.org/10.1111/j.1469-1809.1936.tb02137.x; a matched filter in signal
processing), a far smaller change is told from chance than by the distance of the whole embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anomaly.types import Float32Array, Float64Array

FAULTS: Mapping[str, str] = {
    "out_of_focus": "looks out of focus",
    "darker": "looks under-exposed",
    "brighter": "looks over-exposed",
    "nearer": "looks taken from nearer",
    "farther_mirrored": "looks taken from farther away",
    "farther_repeated": "looks taken from farther away",
}
"""The faults that are learnt, and how a picture is described that has one."""
_CONTRADICTIONS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "out_of_focus": ("log_sharpness", (1,)),
    "darker": ("brightness", (1,)),
    "brighter": ("brightness", (-1,)),
    "nearer": ("log_aspect", (-1, 1)),
    "farther_mirrored": ("log_aspect", (-1, 1)),
    "farther_repeated": ("log_aspect", (-1, 1)),
}
"""A measure of the picture, and in which directions it must not be out of the ordinary for a fault to be believed."""
LEAST_STRENGTH = 1 / 3
"""A change of less than this share of a planted fault is none, however little ordinary pictures vary."""


@dataclass(frozen=True, eq=False)
class PlantedFault:
    """An ordinary picture with a fault.

    Attributes
    ----------
    fault : str
        One of :data:`FAULTS`.
    sample : int
        Place among the ordinary pictures of the one that it was planted in.
    embedding : ndarray of float32, (d,)
        Mean patch embeddings of all taps, as in :class:`anomaly.types.CaptureSample`.
    """

    fault: str
    sample: int
    embedding: Float32Array


@dataclass(frozen=True, eq=False)
class FaultFilter:
    """Tells how much of one fault is in a picture.

    Attributes
    ----------
    fault : str
    weights : ndarray of float32, (d,)
        The strength of a fault is the product of these with an embedding,
    offset : float
        less this: 0 on average in ordinary pictures, 1 in those that the fault was planted in.
    limit : float
        Strength at which a picture is warned of; positive.
    """

    fault: str
    weights: Float32Array
    offset: float
    limit: float

    def strength(self, embedding: Float64Array) -> float:
        """Return how much of the fault is in a picture with this embedding, (d,)."""
        return float(embedding @ self.weights.astype(np.float64)) - self.offset

    def phrase(self, strength: float) -> str:
        """Describe a picture that is beyond the limit."""
        return f"{FAULTS[self.fault]} ({strength / self.limit:.1f} times the limit)"


def contradicted(fault: str, excess: Mapping[str, float]) -> bool:
    """Whether the pixels tell otherwise: a picture sharper than any is not out of focus.

    Parameters
    ----------
    fault : str
        One of :data:`FAULTS`.
    excess : mapping of str to float
        Measures of the picture in multiples of their limits, signed.
    """
    measure, directions = _CONTRADICTIONS[fault]
    return any(direction * excess[measure] > 1 for direction in directions)


def strongest(filters: Sequence[FaultFilter], embedding: Float64Array) -> tuple[FaultFilter, float] | None:
    """Return the filter whose limit a picture exceeds most, and the strength; None if it exceeds none.

    One fault looks a little like others, so only the strongest is told.
    """
    found = [(one, one.strength(embedding)) for one in filters]
    beyond = [(one, strength) for one, strength in found if strength > one.limit]
    return max(beyond, key=lambda pair: pair[1] / pair[0].limit, default=None)
