"""Connected areas of the anomaly map above the threshold.

Run-length labelling with a vectorised union-find: the work grows with the number of horizontal runs, not with
the number of areas. Runs that touch are joined by hooking the larger root to the smaller and halving paths
(Shiloach and Vishkin 1982, https://doi.org/10.1016/0196-6774(82)90008-6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anomaly.errors import AnomalyError
from anomaly.types import BoolArray, Float32Array, Int64Array, Region


@dataclass(frozen=True, eq=False)
class _Runs:
    """Horizontal runs of a mask in reading order; ``label`` numbers areas from 0 by their first run."""

    row: Int64Array
    start: Int64Array
    end: Int64Array
    label: Int64Array
    count: int


def find_regions(anomaly_map: Float32Array, threshold: float) -> tuple[Region, ...]:
    """Find the 8-connected areas where the map exceeds the threshold.

    Parameters
    ----------
    anomaly_map : ndarray of float32, (H, W)
        In original pixels.
    threshold : float
        ``value > threshold`` belongs to an area, compared exactly (not rounded to float32).

    Returns
    -------
    tuple of Region
        Largest peak first, equal peaks in reading order of their place. A single pixel is a region.

    Raises
    ------
    AnomalyError
        The map is not two-dimensional or holds NaN, or the threshold is NaN.
    """
    if anomaly_map.ndim != 2:
        raise AnomalyError(f"expected an anomaly map of shape (H, W), got {anomaly_map.shape}")
    if math.isnan(threshold) or (anomaly_map.size and math.isnan(anomaly_map.max())):
        raise AnomalyError("expected numbers in the anomaly map and the threshold, got NaN")
    mask = anomaly_map > _float32_below(threshold)
    if not mask.any():
        return ()
    runs = _label_runs(mask)
    return _describe(runs, anomaly_map[mask])


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
    runs = _label_runs(mask)
    labels[mask] = np.repeat(runs.label + 1, runs.end - runs.start)
    return labels, runs.count


def _float32_below(threshold: float) -> np.float32:
    """Largest float32 that does not exceed the threshold: comparing with it is exact for float32 values."""
    with np.errstate(over="ignore"):
        rounded = np.float32(threshold)
    return np.nextafter(rounded, np.float32(-np.inf)) if float(rounded) > threshold else rounded


def _label_runs(mask: BoolArray) -> _Runs:
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
    return _Runs(
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


def _describe(runs: _Runs, values: Float32Array) -> tuple[Region, ...]:
    """Measure every area; ``values`` are the map's values inside the runs, in reading order."""
    length = runs.end - runs.start
    offset = np.cumsum(length) - length
    area = np.zeros(runs.count, dtype=np.int64)
    np.add.at(area, runs.label, length)
    left, top = (np.full(runs.count, np.iinfo(np.int64).max) for _ in range(2))
    right, bottom = (np.zeros(runs.count, dtype=np.int64) for _ in range(2))
    np.minimum.at(left, runs.label, runs.start)
    np.maximum.at(right, runs.label, runs.end)
    np.minimum.at(top, runs.label, runs.row)
    np.maximum.at(bottom, runs.label, runs.row + 1)
    peak = np.full(runs.count, -np.inf, dtype=np.float32)
    np.maximum.at(peak, runs.label, np.maximum.reduceat(values, offset))
    # The first pixel of each area, in reading order, that reaches its peak.
    at_peak = np.flatnonzero(values == np.repeat(peak[runs.label], length))
    run = np.searchsorted(offset, at_peak, side="right") - 1
    _, first = np.unique(runs.label[run], return_index=True)
    run, at_peak = run[first], at_peak[first]
    peak_y, peak_x = runs.row[run], runs.start[run] + at_peak - offset[run]
    columns = (left, top, right - left, bottom - top, area, peak, peak_x, peak_y)
    order = np.lexsort((peak_x, peak_y, -peak.astype(np.float64)))
    rows = zip(*(column[order].tolist() for column in columns), strict=True)
    return tuple(Region(*fields) for fields in rows)
