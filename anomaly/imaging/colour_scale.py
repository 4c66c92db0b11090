"""The one colour scale of a trained model: the same for every picture, with the threshold in its middle."""

from __future__ import annotations

UNCALIBRATED_SCALE = 2.0
"""End of the scale without a threshold: the typical undamaged image scores 1."""


def scale_end(threshold: float | None) -> float:
    """Return the map value of the last colour.

    Parameters
    ----------
    threshold : float or None
        That of the standing calibration for all part types; None: there is none.
    """
    return UNCALIBRATED_SCALE if threshold is None or threshold <= 0 else 2 * threshold
