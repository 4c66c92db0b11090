"""How much each tap counts in the anomaly map, from undamaged images alone.

A tap is worth more the less its scores vary over undamaged images, so each is divided by the standard deviation of
its own image scores. The scores are cross-fitted: every image is scored against a memory bank that its own half of
the images had no part in, because a bank image's distance to its own bank says nothing (Chernozhukov et al. 2018,
https://doi.org/10.1111/ectj.12097, on why two halves). A common factor makes the typical undamaged score 1.
"""

from __future__ import annotations

import numpy as np

from anomaly.errors import TooFewImagesError
from anomaly.types import Float64Array

_PRIOR_IMAGES = 4
"""Images that the prior belief, all taps vary alike, is worth."""
_LEAST_VARIATION = 1e-3


def tap_scales(scores: Float64Array) -> tuple[float, ...]:
    """Divisor for the distances of each tap.

    Parameters
    ----------
    scores : ndarray of float64, (n, t)
        Image score of each of n >= 2 undamaged images in each of t taps alone; not negative.

    Returns
    -------
    tuple of float
        Proportional to the standard deviations, shrunk (in proportion to the mean, on a logarithmic scale) towards
        each other where images are few. The mean over images and taps of score / scale is 1.

    Raises
    ------
    TooFewImagesError
        In some tap all scores are 0.
    """
    mean = scores.mean(axis=0)
    if not mean.all():
        raise TooFewImagesError(
            "every undamaged image is there twice: expected at least two different photographs, copies left out, so "
            "take more",
            n=0,
            needed=2,
        )
    variation = np.log(np.maximum(scores.std(axis=0, ddof=1) / mean, _LEAST_VARIATION))
    n = len(scores)
    shrunk = np.exp((n * variation + _PRIOR_IMAGES * variation.mean()) / (n + _PRIOR_IMAGES))
    return tuple(float(scale) for scale in mean * shrunk * (1.0 / shrunk).mean())
