"""Scores at the door: arrays of finite numbers, or a named error."""

from __future__ import annotations

from numbers import Real

import numpy as np
import numpy.typing as npt

from anomaly.errors import CalibrationError
from anomaly.types import Float64Array

_LARGEST = 1e150
"""Differences and squares of scores up to here cannot overflow."""
_LEAST_SHARE = 1e-12
"""No number of images could tell a smaller share from none."""
_MOST_COST = 1e100
"""Sums of this many false alarms cannot overflow."""


def checked_scores(scores: npt.ArrayLike, *, name: str, least: int = 1) -> Float64Array:
    """Return the scores of one class, sorted.

    Parameters
    ----------
    scores : array_like, (n,)
        Raw image scores; larger is stranger.
    name : str
        What the message calls them, e.g. ``"undamaged"``.
    least : int
        How many there must be.

    Returns
    -------
    ndarray of float64, (n,)
        Ascending.

    Raises
    ------
    CalibrationError
        Not one-dimensional, not numbers, not finite, beyond 1e150, or too few.
    """
    try:
        array = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise CalibrationError(f"the {name} scores must be numbers: {error}; pass a list") from error
    if array.ndim != 1:
        raise CalibrationError(
            f"the {name} scores must be one-dimensional, got shape {array.shape}; pass one score per image"
        )
    if array.size < least:
        raise CalibrationError(
            f"expected at least {least} {name} validation image(s), got {array.size}; label more images"
        )
    bad = np.flatnonzero(~(np.abs(array) <= _LARGEST))
    if bad.size:
        raise CalibrationError(
            f"the {name} scores must be finite and within 1e150, got {array[bad[0]]} at position {bad[0]}; "
            "score that image again or leave it out"
        )
    return np.sort(array)


def checked_fraction(value: float, *, name: str) -> float:
    """Return ``value`` as a float between 0 and 1, at least 1e-12 from either.

    Raises
    ------
    CalibrationError
        It is no such number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating)) or not 0 < value < 1:
        raise CalibrationError(f"{name} must lie strictly between 0 and 1, got {value!r}; 0.05 means 5 %")
    if not _LEAST_SHARE <= value <= 1 - _LEAST_SHARE:
        raise CalibrationError(f"{name} must be at least {_LEAST_SHARE:g} from 0 and 1, got {value!r}; 0.05 means 5 %")
    return float(value)


def checked_cost(miss_cost: float) -> float:
    """Return the price of a miss as a float: positive, at most 1e100.

    Raises
    ------
    CalibrationError
        It is no such number.
    """
    if isinstance(miss_cost, bool) or not isinstance(miss_cost, Real) or not 0 < miss_cost <= _MOST_COST:
        raise CalibrationError(
            f"miss_cost must be positive and at most {_MOST_COST:g}, got {miss_cost!r}; 1 weighs both alike"
        )
    return float(miss_cost)
