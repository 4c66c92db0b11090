"""Touching parts apart: each connected piece of foreground is explained by as few ellipses as it takes.

The ellipses have the size and the slenderness of the parts that lie apart in the undamaged pictures, within their
scatter. Their places come from hard expectation maximisation on the pixels, as in Celeux and Govaert 1992 (CEM,
https://doi.org/10.1016/0167-9473(92)90042-E) with bounded eigenvalues; how many there are from how much of the
foreground they cover and how much tray besides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anomaly.imaging._tray import Compartments
from anomaly.imaging.components import label_components
from anomaly.types import BoolArray, Float64Array, Int64Array

Labels = npt.NDArray[np.int32]

_PRICE = 0.12  # what one more part must explain, as a share of a part's area
_SAMPLE = 500  # pixels that the ellipses of one piece are fitted to
_ROUNDS = 6
_PATIENCE = 1  # further ellipses tried after one that did not help
_HOLE = 0.05  # of a typical area; larger places that parts enclose are tray
_OTHER_SIZE = 2.2  # what lies apart may have up to so many times the area, and still be one part
_PERFECT = 0.07  # share of its area by which it may then differ from an ellipse
_FRAGMENT = 0.6  # less than this share of a typical area is never divided
_HEAP = 60.0  # more than so many typical areas in one piece are no parts that touch, but foreground that is none
_LIMIT = 2.0  # scatters by which an ellipse may deviate from the usual size
_WIDE = (0.22, 0.15, 0.15)  # logarithms of area, length and width that are alike


@dataclass(frozen=True)
class Shape:
    """What one part looks like, in working pixels.

    Attributes
    ----------
    area : float
        Typical area.
    length, width : tuple of float
        Least and greatest length and width of the ellipse with the same second moments.
    misfit : float
        Share of a typical part in which it differs from its ellipse.
    """

    area: float
    length: tuple[float, float]
    width: tuple[float, float]
    misfit: float


@dataclass(frozen=True, eq=False)
class _Ellipses:
    """k ellipses: centres (k, 2) as x, y; ``inverse`` (k, 2, 2), so that distance 1 is the outline."""

    centre: Float64Array
    inverse: Float64Array

    def distance(self, points: Float64Array) -> Float64Array:
        """Squared distances (k, n) of points (n, 2), 1 on the outline."""
        away = points[None] - self.centre[:, None]
        a, b, c = self.inverse[:, 0, 0, None], self.inverse[:, 0, 1, None], self.inverse[:, 1, 1, None]
        squared: Float64Array = (a * away[..., 0] + 2 * b * away[..., 1]) * away[..., 0] + c * away[..., 1] ** 2
        return squared


def moments_of(labels: Labels, count: int) -> Float64Array:
    """Sum over the pixels of each label: 1, x, y, x x, x y, y y; (count, 6) for labels 1 .. count."""
    row, column = np.nonzero(labels)
    which = labels[row, column]
    x, y = column.astype(np.float64), row.astype(np.float64)
    sums = [np.bincount(which, weight, count + 1)[1:] for weight in (np.ones_like(x), x, y, x * x, x * y, y * y)]
    return np.stack(sums, axis=1)


def axes(moments: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Length, width and angle in (-pi/2, pi/2] of the ellipses with these moments (..., 6); each (...)."""
    n, x, y, xx, xy, yy = np.moveaxis(moments, -1, 0)
    # A pixel is a square, not a point: 1/12.
    a, b, c = xx / n - (x / n) ** 2 + 1 / 12, xy / n - x * y / n**2, yy / n - (y / n) ** 2 + 1 / 12
    middle, half = (a + c) / 2, np.hypot((a - c) / 2, b)
    length, width = 4 * np.sqrt(middle + half), 4 * np.sqrt(np.maximum(middle - half, 1 / 12))
    return length, width, 0.5 * np.arctan2(2 * b, a - c)


def learn_shape(moments: Float64Array) -> tuple[Shape, int]:
    """Learn what a single part looks like from the pieces that lie apart, most of them or few of them single.

    Where several sizes are common the smallest counts: parts in a heap are larger together, never smaller.

    Parameters
    ----------
    moments : ndarray of float64, (n, 6)
        At least one piece.

    Returns
    -------
    shape : Shape
        Without its misfit.
    count : int
        How many of the pieces were taken for single parts.
    """
    length, width, _ = axes(moments)
    logs = np.log(np.stack([moments[:, 0], length, width], axis=1))
    near = np.square((logs[:, None] - logs[None]) / np.array(_WIDE)).sum(axis=2)
    density = np.exp(-0.5 * near).sum(axis=1)
    # Specks are common too, but hardly cover anything.
    sizeable = moments[:, 0] > 0.1 * np.quantile(moments[:, 0], 0.8)
    common = np.flatnonzero(sizeable & (density >= 0.5 * density[sizeable].max()))
    start = common[np.argmin(logs[common, 0])]
    alike = logs[near[start] < 9]
    alike = logs[np.square((logs - np.median(alike, axis=0)) / np.array(_WIDE)).sum(axis=1) < 9]
    mean = np.median(alike, axis=0)
    spread = _LIMIT * np.clip(1.4826 * np.median(np.abs(alike - mean), axis=0), 0.06, 0.2)
    low, high = np.exp(mean - spread), np.exp(mean + spread)
    shape = Shape(
        area=float(np.exp(mean[0])), length=(float(low[1]), float(high[1])), width=(float(low[2]), float(high[2])),
        misfit=0.0,
    )  # fmt: skip
    return shape, len(alike)


def separate(mask: BoolArray, shape: Shape) -> Labels:
    """Give every pixel of a foreground (h, w) the number of its part, from 1."""
    components, count = label_components(mask)
    labels = np.zeros(mask.shape, dtype=np.int32)
    row, column = np.nonzero(components)
    which = components[row, column]
    # Sixteen bits sort in one sweep, and a working image has fewer pieces.
    order = np.argsort(which.astype(np.uint16), kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=count + 1))
    last = 0
    for i in range(1, count + 1):
        here = order[ends[i - 1] : ends[i]]
        points = np.stack([column[here], row[here]], axis=1).astype(np.float64)
        divisible = _FRAGMENT <= len(points) / shape.area <= _HEAP and not _is_one(points, shape)
        number = _assign(points, mask, shape) if divisible else 0
        labels[row[here], column[here]] = last + 1 + number
        last = int(labels[row[here], column[here]].max())
    return labels


def learn_misfit(labels: Sequence[Labels], shape: Shape) -> float:
    """Return the median share of a typical part in which pieces of about its size differ from one ellipse.

    Parameters
    ----------
    labels : sequence of ndarray of int32, (h, w)
        Pieces of foreground that lie apart.
    shape : Shape
        Its misfit is not looked at.
    """
    found = []
    for image in labels:
        mask = image > 0
        area = np.bincount(image.ravel())
        area[0] = 0
        for number in np.flatnonzero(np.abs(np.log(np.maximum(area, 1) / shape.area)) < math.log(1.4)):
            row, column = np.nonzero(image == number)
            points = np.stack([column, row], axis=1).astype(np.float64)
            ellipses = _refit(points, np.zeros(len(points), dtype=np.int64), 1, shape)
            found.append(_difference(ellipses, points, points, mask, shape, 1))
    return float(np.median(found)) if found else 0.0


def _thin(points: Float64Array, step: int) -> Float64Array:
    return points[(points[:, 0] % step == 0) & (points[:, 1] % step == 0)] if step > 1 else points


def largest_hole(shape: Shape) -> float:
    """Return up to how many working pixels a place that parts enclose belongs to them."""
    return _HOLE * shape.area


def by_compartment(mask: BoolArray, compartments: Compartments, least: float) -> Labels:
    """Give foreground the number of its compartment, from 1; compartments with less than ``least`` pixels get 0."""
    labels = np.zeros(mask.shape, dtype=np.int32)
    for number, place in enumerate(compartments.slices(*mask.shape), start=1):
        if mask[place].sum() >= least:
            labels[place][mask[place]] = number
    return labels


def at_rim(labels: Labels) -> Int64Array:
    """Return the indices (label - 1) of the labels that touch the border of the picture."""
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return rim[rim > 0].astype(np.int64) - 1


def renumbered(labels: Labels) -> tuple[Labels, int]:
    """Close the gaps in the numbering of labels; return them and how many there are."""
    kept, number = np.unique(labels, return_inverse=True)
    if kept[0] != 0:
        number = number + 1
    return number.reshape(labels.shape).astype(np.int32), int(kept.size - (kept[0] == 0))


def _is_one(points: Float64Array, shape: Shape) -> bool:
    """Say whether a piece (n, 2) is as good an ellipse as a part, as slender, and not far from its size."""
    x, y = points[:, 0], points[:, 1]
    length, width, angle = axes(np.array([len(x), x.sum(), y.sum(), x @ x, x @ y, y @ y], dtype=np.float64))
    slender = shape.length[0] / shape.width[1] <= length / width <= shape.length[1] / shape.width[0]
    if not slender or not shape.area / _OTHER_SIZE < len(points) < shape.area * _OTHER_SIZE:
        return False
    away_x, away_y = x - x.mean(), y - y.mean()
    cos, sin = np.cos(angle), np.sin(angle)
    along, across = (cos * away_x + sin * away_y) / length, (cos * away_y - sin * away_x) / width
    inside = float(np.count_nonzero(along**2 + across**2 <= 0.25))
    # What the ellipse lacks of the piece, and what of the ellipse is none of the piece.
    difference = (len(points) - inside) + (math.pi / 4 * float(length * width) - inside)
    return difference < max(_PERFECT, shape.misfit) * len(points)


def _assign(points: Float64Array, mask: BoolArray, shape: Shape) -> Int64Array:
    """Say for each point (n, 2) of one piece to which ellipse it belongs, (n,), from 0."""
    step = max(1, math.isqrt(len(points) // _SAMPLE))
    sample = _thin(points, step)
    number = np.zeros(len(sample), dtype=np.int64)
    best: _Ellipses | None = None
    least, since, k = math.inf, 0, 1
    price = max(_PRICE, shape.misfit)
    # Fewer than these cannot cover it: they are only steps on the way.
    fewest = len(points) / (1.2 * math.pi / 4 * shape.length[1] * shape.width[1])
    while since <= _PATIENCE:
        for _ in range(_ROUNDS if k >= fewest else 2):
            ellipses = _refit(sample, number, k, shape)
            distance = ellipses.distance(sample)
            before, number = number, np.argmin(distance, axis=0)
            if np.array_equal(before, number):
                break
        if k >= fewest:
            left = _difference(ellipses, sample, points, mask, shape, step)
            if left + price * k < least:
                least, best, since = left + price * k, ellipses, 0
            else:
                since += 1
            if left <= price:
                break
        # One more, where the foreground is least explained.
        least_explained = distance.min(axis=0)
        seed = sample[int(np.argmax(least_explained))]
        away = np.square(sample - seed).sum(axis=1)
        open_ = (least_explained > 1) & (away < shape.length[0] ** 2) | (away < (shape.width[0] / 2) ** 2)
        number = np.where(open_, k, number)
        k += 1
    assert best is not None
    owner = np.argmin(best.distance(points), axis=0)
    found: Int64Array = np.unique(owner, return_inverse=True)[1]
    return found


def _refit(points: Float64Array, number: Int64Array, k: int, shape: Shape) -> _Ellipses:
    """Ellipses of the points that have each number, their axes kept within what a part has."""
    x, y = points[:, 0], points[:, 1]
    weights = (np.ones_like(x), x, y, x * x, x * y, y * y)
    moments: Float64Array = np.stack([np.bincount(number, weight, k) for weight in weights], axis=1, dtype=np.float64)
    empty = moments[:, 0] == 0
    moments[empty] = moments[np.argmax(moments[:, 0])]
    length, width, angle = axes(moments)
    length, width = np.clip(length, *shape.length), np.clip(width, *shape.width)
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = 4 / length**2, 4 / width**2
    a, b, c = u * cos**2 + v * sin**2, (u - v) * cos * sin, u * sin**2 + v * cos**2
    inverse = np.stack([np.stack([a, b], axis=1), np.stack([b, c], axis=1)], axis=1)
    return _Ellipses(moments[:, 1:3] / moments[:, :1], inverse)


def _difference(
    ellipses: _Ellipses, sample: Float64Array, points: Float64Array, mask: BoolArray, shape: Shape, step: int
) -> float:
    """Foreground outside the ellipses and tray inside them, in typical parts."""
    uncovered = (ellipses.distance(sample).min(axis=0) > 1).mean() * len(points)
    reach = int(shape.length[1] / 2) + 1
    low = np.maximum(points.min(axis=0).astype(int) - reach, 0)
    high = np.minimum(points.max(axis=0).astype(int) + reach, np.array(mask.shape[::-1]) - 1)
    around = np.stack(np.meshgrid(np.arange(low[0], high[0] + 1, step), np.arange(low[1], high[1] + 1, step)), axis=-1)
    tray = around[~mask[around[..., 1], around[..., 0]]].astype(np.float64)
    covered = (ellipses.distance(tray).min(axis=0) <= 1).sum() * step**2 if tray.size else 0
    return float((uncovered + covered) / shape.area)
