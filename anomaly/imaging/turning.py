"""A photograph turned, and where in it a point of the turned copy comes from.

Coordinates are pixel centres, as in :mod:`anomaly.imaging.geometry`; angles are in degrees, counter-clockwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from anomaly.types import BoolArray, Float64Array, UInt8Array

_COSINES = (1.0, 0.0, -1.0, 0.0)
"""Of whole quarter turns, without rounding."""


@dataclass(frozen=True)
class Turn:
    """One way to turn a photograph about its centre.

    The nearest whole quarter turn is exact and swaps the sides of the picture where it is odd; what remains, at most
    45 degrees, is interpolated on a canvas of the same size. There the corners show reflected surroundings.

    Attributes
    ----------
    degrees : float
        In [0, 360).
    """

    degrees: float = 0.0

    @property
    def quarters(self) -> int:
        """Whole quarter turns nearest to the angle, 0 to 4."""
        return math.floor(self.degrees / 90.0 + 0.5)

    @property
    def exact(self) -> bool:
        """Whether no pixel is interpolated."""
        return self.degrees == 90.0 * self.quarters

    def apply(self, image: UInt8Array) -> UInt8Array:
        """Turn an image.

        Parameters
        ----------
        image : ndarray of uint8, (H, W, 3)

        Returns
        -------
        ndarray of uint8, (H, W, 3)
            (W, H, 3) after an odd number of quarter turns.
        """
        turned = np.rot90(image, self.quarters)
        if self.exact:
            return np.ascontiguousarray(turned)
        rest = math.radians(self.degrees - 90.0 * self.quarters)
        height, width = turned.shape[:2]
        beyond_y = _beyond(height, width, rest)
        beyond_x = _beyond(width, height, rest)
        padded = np.pad(turned, ((beyond_y, beyond_y), (beyond_x, beyond_x), (0, 0)), mode="reflect")
        picture = Image.fromarray(padded).rotate(math.degrees(rest), Image.Resampling.BICUBIC)
        return np.asarray(picture.crop((beyond_x, beyond_y, beyond_x + width, beyond_y + height)), dtype=np.uint8)

    def to_photograph(self, points: Float64Array, *, height: int, width: int) -> Float64Array:
        """Map points of the turned image to the photograph that was turned.

        Parameters
        ----------
        points : ndarray of float64, (n, 2)
            x, y of the turned image.
        height, width : int
            Of the photograph.

        Returns
        -------
        ndarray of float64, (n, 2)
            x, y; exact for quarter turns; outside the photograph where the corners were filled up.
        """
        if self.exact:
            cosine, sine = _COSINES[self.quarters % 4], _COSINES[(self.quarters - 1) % 4]
        else:
            cosine, sine = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        centre = np.array([width - 1, height - 1]) / 2
        x, y = (points - (centre[::-1] if self.quarters % 2 else centre)).T
        return np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1) + centre

    def holds(self, points: Float64Array, *, height: int, width: int, clearance: float) -> BoolArray:
        """Tell which points of the turned image lie so far inside the photograph; all where nothing was filled up.

        Parameters
        ----------
        points : ndarray of float64, (n, 2)
            x, y of the turned image.
        height, width : int
            Of the photograph.
        clearance : float
            Least distance from the photograph's border, in its pixels.

        Returns
        -------
        ndarray of bool, (n,)
        """
        if self.exact:
            return np.ones(len(points), dtype=np.bool_)
        x, y = self.to_photograph(points, height=height, width=width).T
        inside = np.minimum(np.minimum(x + 0.5, width - 0.5 - x), np.minimum(y + 0.5, height - 0.5 - y))
        found: BoolArray = inside >= clearance
        return found


def even_turns(n: int) -> tuple[Turn, ...]:
    """Return n evenly spaced angles, the photograph as it is first."""
    return tuple(Turn(360.0 * number / n) for number in range(n))


def _beyond(side: int, other: int, angle: float) -> int:
    """Pixels by which a turned canvas reaches beyond one side of the picture, and two for the interpolation."""
    reach = abs(other * math.sin(angle)) + abs(side * math.cos(angle))
    return max(0, math.ceil((reach - side) / 2)) + 2
