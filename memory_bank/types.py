"""What goes in and comes out: array names and frozen results.

Axis letters: n queries (or rows offered), m bank rows, d vector size, k neighbours, t tags per row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float32Array: TypeAlias = npt.NDArray[np.float32]
Float64Array: TypeAlias = npt.NDArray[np.float64]
Int64Array: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The k nearest bank rows of every query, nearest first; of equals the smaller index first.

    Attributes
    ----------
    distance : ndarray of float32, (n, k)
        Euclidean, not squared; in the unit of the vectors. Always two axes, also for k = 1.
    index : ndarray of int64, (n, k)
        Row numbers of the bank, never negative.
    """

    distance: Float32Array
    index: Int64Array


@dataclass(frozen=True, eq=False)
class Coreset:
    """Rows chosen by greedy k-centre, in the order they were picked.

    The first j picks are the coreset of size j, so a smaller coreset is a prefix of a larger one.

    Attributes
    ----------
    index : ndarray of int64, (size,)
        Row numbers, all different; the first is the one drawn from the seed.
    radius : ndarray of float64, (size,)
        Covering radius after each pick: the largest Euclidean distance from any row to its nearest
        pick so far. Never grows; the last entry belongs to the whole coreset.
    """

    index: Int64Array
    radius: Float64Array
