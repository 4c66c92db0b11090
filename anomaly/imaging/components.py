"""Connected areas of a mask.

Run-length labelling with a vectorised union-find: the work grows with the number of horizontal runs, not with
the number of areas. Runs that touch are joined by hooking the larger root to the smaller and halving paths
(Shiloach and Vishkin 1982, https://doi.org/10.1016/0196-6774(82)90008-6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anomaly.errors import AnomalyError
from anomaly.types import BoolArray, Int64Array


@dataclass(frozen=True, eq=False)
class Runs:
    """Horizontal runs of a mask in reading order; ``label`` numbers areas from 0 by their first run."""

    row: Int64Array
    start: Int64Array
    end: Int64Array
    label: Int64Array
    count: int


def label_components(mask: BoolArray) -> tuple[npt.NDArray[np.int32], int]:
    """Give every 8-connected area of a mask a number.

    Parameters
    ----------
    mask : ndarray of bool, (H, W)

    Returns
    -------
    labels : ndarray of int32, (H, W)
        0 outside, 1 .. count inside, in reading order of each area's first pixel.
    count : int

    Raises
    ------
    AnomalyError
        Not a two-dimensional mask.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise AnomalyError(f"expected a mask of bool, (H, W), got {mask.dtype} of shape {mask.shape}")
    labels = np.zeros(mask.shape, dtype=np.int32)
    runs = label_runs(mask)
    labels[mask] = np.repeat(runs.label + 1, runs.end - runs.start)
    return labels, runs.count


def label_runs(mask: BoolArray) -> Runs:
    """Find the horizontal runs of a (H, W) mask and number the 8-connected areas that they make."""
    height, width = mask.shape
    # One empty column ends every run within its row, so that flat positions keep rows apart.
    stride = width + 1
    padded = np.zeros((height, stride), dtype=np.int8)
    padded[:, :width] = mask
    change = np.diff(padded.ravel(), prepend=np.int8(0))
    start, end = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    # Runs of the next row that touch [start - 1, end]: flat positions, shifted by one row.
    first = np.searchsorted(end, start + stride, side="left")
    last = np.searchsorted(start, end + stride, side="right")
    touching = last - first
    upper = np.repeat(np.arange(start.size), touching)
    lower = np.arange(upper.size) - np.repeat(np.cumsum(touching) - touching, touching) + first[upper]
    root = _join(start.size, upper, lower)
    # A root is the smallest run of its area, so counting roots in order numbers the areas.
    number = np.cumsum(root == np.arange(start.size))
    row = start // stride
    return Runs(
        row=row,
        start=start - row * stride,
        end=end - row * stride,
        label=number[root] - 1,
        count=int(number[-1]) if start.size else 0,
    )


def _join(n: int, a: Int64Array, b: Int64Array) -> Int64Array:
    """Return for each of n nodes the smallest node that the edges (a, b) connect it with."""
    root = np.arange(n)
    while a.size:
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while True:
            parent = root[root]
            if np.array_equal(parent, root):
                break
            root = parent
        a, b = root[a], root[b]
        apart = a != b
        a, b = a[apart], b[apart]
    return root
