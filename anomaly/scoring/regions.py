"""Connected areas of the anomaly map above the threshold."""

from __future__ import annotations

import math

import numpy as np

from anomaly.errors import AnomalyError
from anomaly.imaging.components import Runs, label_runs
from anomaly.types import Float32Array, Region


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
    runs = label_runs(mask)
    return _describe(runs, anomaly_map[mask])


def _float32_below(threshold: float) -> np.float32:
    """Largest float32 that does not exceed the threshold: comparing with it is exact for float32 values."""
    with np.errstate(over="ignore"):
        rounded = np.float32(threshold)
    return np.nextafter(rounded, np.float32(-np.inf)) if float(rounded) > threshold else rounded


def _describe(runs: Runs, values: Float32Array) -> tuple[Region, ...]:
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
