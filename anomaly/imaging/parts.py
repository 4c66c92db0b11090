"""Which parts lie in a photograph, learned from undamaged photographs without labels or marks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from anomaly.errors import PartFinderError
from anomaly.imaging._foreground import foreground
from anomaly.imaging._separation import (
    Labels,
    Shape,
    by_compartment,
    largest_hole,
    renumbered,
    separate,
)
from anomaly.imaging._tray import FEATURES, Compartments, tray_features, working_image
from anomaly.imaging.decode import check_image
from anomaly.types import BoolArray, UInt8Array

_SPECK = 0.1  # a piece with less than this share of a typical part's area is none


@dataclass(frozen=True)
class Part:
    """One part in a photograph.

    Attributes
    ----------
    number : int
        Its value in the label grid; 1, 2, ... in the order of ``FoundParts.parts``.
    box : tuple of int
        (x, y, width, height) in original pixels; never beyond the image.
    area_px : int
        Original pixels that it covers, to the precision of the working image.
    cut_off : bool
        It touches the border of the image.
    """

    number: int
    box: tuple[int, int, int, int]
    area_px: int
    cut_off: bool


@dataclass(frozen=True, eq=False)
class FoundParts:
    """The parts of one photograph, from top to bottom and, side by side, from left to right.

    Attributes
    ----------
    parts : tuple of Part
        May be empty: an empty tray.
    """

    parts: tuple[Part, ...]
    _labels: Labels = field(repr=False)

    def label_grid(self, gh: int, gw: int) -> npt.NDArray[np.int32]:
        """Return which part lies in the middle of each cell of a grid over the photograph, (gh, gw); 0: none."""
        return np.array(Image.fromarray(self._labels).resize((gw, gh), Image.Resampling.NEAREST))


@dataclass(frozen=True)
class PartFinder:
    """Finds the parts of photographs taken like those it was learned from; numbers only, no arrays.

    Attributes
    ----------
    rule : tuple of float
        Constant and factors of the linear rule on tray features that says part or tray.
    compartments : Compartments
    one_each : bool
        Every compartment holds one part; what lies in it belongs together.
    shape : Shape
        What a single part looks like.
    fewest, typical, most : int
        Parts in the pictures it was learned from: least, median, most.
    confidence : float
        From 0 to 1; share of regular parts times share of uncut parts times agreement with the first guess.
    """

    rule: tuple[float, ...]
    compartments: Compartments
    one_each: bool
    shape: Shape
    fewest: int
    typical: int
    most: int
    confidence: float

    def find(self, image: UInt8Array) -> FoundParts:
        """Find the parts.

        Parameters
        ----------
        image : ndarray of uint8, (H, W, 3)

        Returns
        -------
        FoundParts

        Raises
        ------
        ImageError
            The array is not an image.
        """
        check_image(image)
        features = tray_features(working_image(image), self.compartments)
        hole = math.inf if self.one_each else largest_hole(self.shape)
        mask = foreground(features, np.array(self.rule), self.compartments, largest_hole=hole)
        labels = self.separate(mask)
        return _describe(labels, image.shape[0], image.shape[1])

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, lists and objects, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> PartFinder:
        """Read what :meth:`to_dict` wrote, also after a way through JSON.

        Raises
        ------
        PartFinderError
            A field is missing, unknown or not what it must be.
        """
        try:
            return _read(value)
        except (KeyError, TypeError, ValueError) as error:
            raise PartFinderError(
                f"expected the fields of a part finder, got {error}; restore the trained model from a copy"
            ) from error

    def separate(self, mask: BoolArray) -> Labels:
        """Give every pixel of a foreground (h, w), in working pixels, the number of its part; specks get 0."""
        least = _SPECK * self.shape.area
        if self.one_each:
            return by_compartment(mask, self.compartments, least)
        labels = separate(mask, self.shape)
        area = np.bincount(labels.ravel())
        labels[(area < least)[labels]] = 0
        return labels


def _describe(labels: Labels, height: int, width: int) -> FoundParts:
    labels, count = renumbered(labels)
    h, w = labels.shape
    row, column = np.nonzero(labels)
    which = labels[row, column] - 1
    low = np.full((2, count), max(h, w))
    high = np.zeros((2, count), dtype=np.int64)
    for i, place in enumerate((row, column)):
        np.minimum.at(low[i], which, place)
        np.maximum.at(high[i], which, place + 1)
    # Working pixels to original pixels, outwards.
    top, left = low[0] * height // h, low[1] * width // w
    bottom, right = -(-high[0] * height // h), -(-high[1] * width // w)
    area = np.bincount(which, minlength=count)
    order = np.lexsort((left, top))
    number = np.zeros(count + 1, dtype=np.int32)
    number[order + 1] = np.arange(1, count + 1)
    parts = []
    for n, i in enumerate(order.tolist(), start=1):
        box = (int(left[i]), int(top[i]), int(right[i] - left[i]), int(bottom[i] - top[i]))
        parts.append(
            Part(
                number=n,
                box=box,
                area_px=round(int(area[i]) * height * width / (h * w)),
                cut_off=bool(low[0, i] == 0 or low[1, i] == 0 or high[0, i] == h or high[1, i] == w),
            )
        )
    return FoundParts(tuple(parts), number[labels])


def _read(value: Mapping[str, Any]) -> PartFinder:
    """Strict: every field, no other, each of its type."""
    names = [item.name for item in fields(PartFinder)]
    _exactly(value, names)
    dividers, shape = value["compartments"], value["shape"]
    _exactly(dividers, ["columns", "rows"])
    _exactly(shape, ["area", "length", "width", "misfit"])
    rule = _numbers(value["rule"], 1 + FEATURES)
    columns, rows = (_numbers(dividers[name]) for name in ("columns", "rows"))
    for places in (columns, rows):
        if any(not 0 < low < high < 1 for low, high in pairwise((0.0 + 1e-9, *places, 1 - 1e-9))):
            raise ValueError("dividers that are no ascending fractions")
    length, width = (_numbers(shape[name], 2) for name in ("length", "width"))
    area, misfit, confidence = _numbers([shape["area"], shape["misfit"], value["confidence"]], 3)
    counts = _numbers([value[name] for name in ("fewest", "typical", "most")], 3)
    if not (area > 0 and 0 < length[0] <= length[1] and 0 < width[0] <= width[1] and misfit >= 0):
        raise ValueError("a shape that no part has")
    if any(count != int(count) for count in counts) or not isinstance(value["one_each"], bool):
        raise ValueError("counts that are no whole numbers, or one_each that is no boolean")
    if not 0 <= counts[0] <= counts[1] <= counts[2] or not 0 <= confidence <= 1:
        raise ValueError("counts out of order, or a confidence beyond 0 to 1")
    return PartFinder(
        rule=rule,
        compartments=Compartments(columns, rows),
        one_each=value["one_each"],
        shape=Shape(area=area, length=(length[0], length[1]), width=(width[0], width[1]), misfit=misfit),
        fewest=int(counts[0]), typical=int(counts[1]), most=int(counts[2]),
        confidence=confidence,
    )  # fmt: skip


def _exactly(value: Mapping[str, Any], names: Sequence[str]) -> None:
    if not isinstance(value, Mapping) or sorted(value) != sorted(names):
        raise ValueError(f"{sorted(value) if isinstance(value, Mapping) else type(value).__name__} for {sorted(names)}")


def _numbers(value: object, n: int | None = None) -> tuple[float, ...]:
    """Finite numbers, n of them if that is given."""
    if not isinstance(value, (list, tuple)) or (n is not None and len(value) != n):
        raise ValueError(f"{str(value)[:40]!r} for a list of {'' if n is None else f'{n} '}numbers")
    if any(isinstance(x, bool) or not isinstance(x, (int, float)) or not math.isfinite(x) for x in value):
        raise ValueError(f"{str(value)[:40]!r} for finite numbers")
    return tuple(float(x) for x in value)
