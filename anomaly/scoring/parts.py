"""Which part of a picture how much of its score comes from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from anomaly.errors import AnomalyError
from anomaly.scoring.anomaly_map import image_score
from anomaly.types import Float32Array


def part_scores(
    grid_map: Float32Array, labels: npt.NDArray[np.int32], *, count: int, top_share: float
) -> tuple[float, ...]:
    """Score each part as the image would be scored if everything else in it were ordinary.

    Every value outside the part, and outside the cells that touch it, is replaced by the median of the map. No part
    scores higher than the image, so the parts of an image that is not damaged are not damaged either; and where
    one part alone makes the image strange, its score is that of the image.

    Parameters
    ----------
    grid_map : ndarray of float32, (gh, gw)
    labels : ndarray of int32, (gh, gw)
        Number of the part in each cell, 1 to ``count``; 0: none.
    count : int
        Number of parts.
    top_share : float
        See :func:`anomaly.scoring.image_score`.

    Returns
    -------
    tuple of float
        One for each part, in the order of their numbers.

    Raises
    ------
    AnomalyError
        Map and labels differ in shape, or the map is empty or holds a value that is not finite.
    """
    if grid_map.shape != labels.shape:
        raise AnomalyError(f"expected labels of the map's shape {grid_map.shape}, got {labels.shape}")
    whole = image_score(grid_map, top_share=top_share)
    grown, ordinary = grown_parts(labels), np.median(grid_map)
    alone = (np.where(grown == number, grid_map, ordinary).astype(np.float32) for number in range(1, count + 1))
    # A top share beyond one half would let the median lift a score above that of the image.
    return tuple(min(whole, image_score(part, top_share=top_share)) for part in alone)


def grown_parts(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Give the cells around a part to it: damage may stand out from it. Of two parts the higher number gets a cell."""
    padded = np.pad(labels, 1)
    height, width = labels.shape
    around = [padded[row : row + height, column : column + width] for row in range(3) for column in range(3)]
    return np.where(labels > 0, labels, np.max(around, axis=0))
