"""What a photograph shows of its tray: working image, compartments, light, and how far each pixel is from tray.

Working images have a fixed area whatever the photograph has, so that every length here is in the same unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from anomaly.imaging._grids import box_mean, plane
from anomaly.types import BoolArray, Float32Array, Float64Array, UInt8Array

WORKING_SIDE = 288
"""Square root of the area of a working image, in working pixels."""

FEATURES = 5
"""How many numbers ``tray_features`` measures at each pixel."""

_PROFILE = 288  # places along a side at which dividers are looked for
_CLEAR = 12.0  # a deviation that is clear beyond doubt, in units of the tray's own scatter
_INSET = 2  # working pixels beside a divider that belong to it


@dataclass(frozen=True)
class Compartments:
    """Straight dividers that lie at the same place in every picture.

    Attributes
    ----------
    columns, rows : tuple of float
        Places of the dividers, as fractions of the width and the height, ascending.
    """

    columns: tuple[float, ...] = ()
    rows: tuple[float, ...] = ()

    def __len__(self) -> int:
        return (len(self.columns) + 1) * (len(self.rows) + 1)

    def slices(self, height: int, width: int, *, inset: int = _INSET) -> tuple[tuple[slice, slice], ...]:
        """Rows and columns of each compartment in reading order, without the dividers."""
        down, across = _spans(self.rows, height, inset), _spans(self.columns, width, inset)
        return tuple((rows, columns) for rows in down for columns in across)


def _spans(places: Sequence[float], n: int, inset: int) -> tuple[slice, ...]:
    ends = [0, *(round(place * n) for place in places), n]
    last = len(ends) - 2
    return tuple(
        slice(low + (inset if i > 0 else 0), max(high - (inset if i < last else 0), low + 1))
        for i, (low, high) in enumerate(pairwise(ends))
    )


def working_image(image: UInt8Array) -> Float32Array:
    """Shrink or enlarge to ``WORKING_SIDE**2`` pixels, as luma and two differences of colours, (3, h, w)."""
    height, width = image.shape[:2]
    scale = WORKING_SIDE / math.sqrt(height * width)
    h, w = max(round(height * scale), 16), max(round(width * scale), 16)
    shrinking = h <= height and w <= width
    method = Image.Resampling.BOX if shrinking else Image.Resampling.BILINEAR
    small = np.asarray(Image.fromarray(image).resize((w, h), method), dtype=np.float32)
    red, green, blue = np.ascontiguousarray(np.moveaxis(small, 2, 0))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.stack([luma, red - green, (red + green) / 2 - blue]).astype(np.float32)


def find_compartments(images: Sequence[Float32Array]) -> Compartments:
    """Find the straight lines, parallel to the sides, that every picture shows at the same place.

    Parameters
    ----------
    images : sequence of ndarray of float32, (3, h, w)
        Working images.

    Returns
    -------
    Compartments
        A line counts when it is an edge along two thirds of the pictures' height or width taken together, far
        more than the lines around it, and not at the rim.
    """
    profiles = np.mean([_edge_profiles(image) for image in images], axis=0)
    return Compartments(*(_stand_out(profile) for profile in profiles))


def _edge_profiles(image: Float32Array) -> Float64Array:
    """Share of each column, then of each row, where the brightness or colour jumps across it, (2, _PROFILE)."""
    across = np.abs(_differences(image, 2)).max(axis=0)
    down = np.abs(_differences(image, 1)).max(axis=0)
    place = (np.arange(_PROFILE) + 0.5) / _PROFILE
    profiles = []
    for edge, other, axis in ((across, down, 0), (down, across, 1)):
        share = ((edge > 6) & (edge > 2 * other)).mean(axis=axis)
        profiles.append(np.interp(place, (np.arange(share.size) + 0.5) / share.size, share))
    return np.stack(profiles)


def _stand_out(profile: Float64Array) -> tuple[float, ...]:
    n = profile.size
    rim = n // 16
    standing = (profile >= 0.65) & (profile >= np.median(profile) + 0.35)
    standing[:rim] = standing[n - rim :] = False
    places = np.flatnonzero(standing)
    groups = np.split(places, np.flatnonzero(np.diff(places) > rim // 2) + 1) if places.size else []
    # A wide group is no line.
    return tuple(float((group[0] + group[-1] + 1) / (2 * n)) for group in groups if np.ptp(group) < rim // 2)


def _differences(image: Float32Array, axis: int) -> Float32Array:
    """Central differences along an axis, pixels repeated beyond the border."""
    pad = [(0, 0)] * image.ndim
    pad[axis] = (1, 1)
    padded = np.pad(image, pad, mode="edge")
    padded = np.moveaxis(padded, axis, 0)
    return np.moveaxis(padded[2:] - padded[:-2], 0, axis)


def tray_features(image: Float32Array, compartments: Compartments) -> Float32Array:
    """Measure at each pixel what tells parts from tray, whatever the light.

    Parameters
    ----------
    image : ndarray of float32, (3, h, w)
        A working image.
    compartments : Compartments
        The tray's light and colour are found anew in each of them.

    Returns
    -------
    ndarray of float32, (FEATURES, h, w)
        Deviation of the luma from the tray's, first up to 4 and then up to 12 times the tray's own scatter;
        deviation of the colour up to 4 times; logarithm of the gradient around the pixel, over 3 and over 9
        pixels, in units of the gradient of the calmest quarter. On dividers 0.
    """
    features = np.zeros((FEATURES, *image.shape[1:]), dtype=np.float32)
    for place in compartments.slices(*image.shape[1:]):
        cell = image[(slice(None), *place)]
        gradient = np.sqrt(sum(np.square(_differences(cell, axis)).sum(axis=0) for axis in (1, 2)))
        calmest, calm = np.quantile(gradient[::2, ::2], (0.25, 0.5))
        light, scatter = _tray_light(cell, gradient <= calm)
        away = cell - light
        luma = np.abs(away[0]) / scatter[0]
        colour = np.sqrt((np.square(away[1:]).sum(axis=0)) / np.square(scatter[1:]).mean())
        energy = [np.log1p(box_mean(gradient, radius) / max(calmest, 2.0)) for radius in (1, 4)]
        features[(slice(None), *place)] = np.stack(
            [np.minimum(luma, 4), np.minimum(luma, _CLEAR), np.minimum(colour, 4), *energy]
        )
    return features


def _tray_light(cell: Float32Array, calm: BoolArray) -> tuple[Float32Array, Float32Array]:
    """Fit a smooth surface to the tray: first to what lies calm along the rim, then to all that agrees with it.

    Iteratively reweighted least squares with Tukey's biweight (Beaton and Tukey 1974,
    https://doi.org/10.1080/00401706.1974.10489171); a plane first, then a quadratic.

    Returns
    -------
    light : ndarray of float32, (3, h, w)
    scatter : ndarray of float32, (3,)
        Robust standard deviation around it, at least 1 and at most 8 grey levels.
    """
    height, width = cell.shape[1:]
    band = max(3, min(height, width) // 16)
    rim = np.ones((height, width), dtype=bool)
    rim[band:-band, band:-band] = False
    start = rim & calm if (rim & calm).sum() >= 20 else rim
    centre = np.median(cell[:, start], axis=1)
    scatter = np.clip(1.4826 * np.median(np.abs(cell[:, start] - centre[:, None]), axis=1), 1.5, 8)
    row, column = plane(height, width)
    every = calm[::3, ::3]
    values = cell[:, ::3, ::3][:, every].astype(np.float64)
    v, u = row[::3, ::3][every], column[::3, ::3][every]
    basis = np.stack([np.ones_like(v), v, u, v * v, v * u, u * u])
    factors = np.zeros((3, 6))
    factors[:, 0] = centre
    for n in (3, 3, 6, 6, 6):
        away = values - factors @ basis
        distance = np.sqrt(np.mean((away / scatter[:, None]) ** 2, axis=0))
        weight = np.clip(1 - (distance / 4) ** 2, 0, None) ** 2
        if weight.sum() < 12:
            break
        weighted = basis[:n] * weight
        # A mild penalty on slope and curvature: a few tray pixels say little about the far side.
        ridge = np.diag([0.0, 1, 1, 3, 3, 3][:n]) * (0.02 * weight.sum())
        factors[:, :n] = np.linalg.solve(weighted @ basis[:n].T + ridge, weighted @ values.T).T
        away = np.abs(values - factors @ basis)[:, weight > 0]
        scatter = np.clip(1.4826 * np.median(away, axis=1), 1, 8)
    flat, slope_y, slope_x, bend_y, twist, bend_x = factors.astype(np.float32).T[:, :, None, None]
    y, x = row[:, :1].astype(np.float32), column[:1].astype(np.float32)
    light: Float32Array = (flat + (slope_y + bend_y * y) * y) + (slope_x + bend_x * x + twist * y) * x
    return light, scatter.astype(np.float32)
