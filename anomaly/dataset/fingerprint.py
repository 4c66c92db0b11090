"""Tell whether two pictures are practically the same photograph.

Photographs of one product look alike: on a set of bottles most pairs of *different* ones correlate above
0.95 as 32-pixel thumbnails. What tells a copy from a second bottle is fine structure, so the question asked is:
how much of the fine structure of one picture is explained by the other, allowing for a shift of about a pixel
and any change of brightness and contrast?

1. Coarse: correlation of 64-pixel thumbnails, freed of what a 3 x 3 mean already shows. Cheap for all pairs.
2. Fine, for pairs of at least :data:`COARSE`: least squares of the 128-pixel structure of one picture on that of
   the other and on its two derivatives (a shift to first order, as in Lucas and Kanade, IJCAI 1981); the share
   of squares explained, in the better of both directions, has to reach :data:`SAME`.

How the numbers were chosen: on six sets of real parts (1018 pictures, 146,286 pairs) the 3861 copies made by
saving as JPEG of quality 60 to 95, 2 % more or less brightness, a shift by a pixel in one or both directions,
resizing to 50, 95 or 103 % and a mixture all score 0.945 or more (half of them above 0.997). Of the pairs as
photographed ten reach the threshold, and all ten show the same piece again, unmoved or brought back to the same
place; the next are two views of one ball screw (0.938), two bottles (0.894) and two castings (0.875). The numbers
were chosen on these same sets; others have not been tried.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import numpy as np
from PIL import Image

from anomaly.types import BoolArray, Float32Array, Float64Array, Int64Array, UInt8Array

SIDE = 128
COARSE = 0.92
SAME = 0.94
NOISE = 2.5
"""Grey levels by which sensor and compression may make a copy differ: soft pictures are mostly such noise."""
MIN_DETAIL = 1.5
"""Grey levels of fine structure (standard deviation) below which pictures cannot be told apart this way."""
_BLOCK = 512
_Grey = TypeVar("_Grey", Float32Array, Float64Array)


def thumbnail(image: UInt8Array) -> UInt8Array:
    """Reduce an image to a square of luma, smoothly enough that a shift by a pixel stays a shift.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3)
        RGB.

    Returns
    -------
    ndarray of uint8, (128, 128)
        Rec. 601 luma; the aspect ratio is not kept.
    """
    luma = Image.fromarray(image).convert("L")
    return np.asarray(luma.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.uint8)


class Comparison:
    """Finds the pairs among thumbnails that are practically the same photograph.

    Parameters
    ----------
    thumbnails : ndarray of uint8, (n, 128, 128)
        As :func:`thumbnail` makes them.
    """

    def __init__(self, thumbnails: UInt8Array) -> None:
        self._thumbnails = thumbnails
        self._coarse = np.empty((len(thumbnails), (SIDE // 2) ** 2), dtype=np.float32)
        self.has_detail: BoolArray = np.zeros(len(thumbnails), dtype=np.bool_)
        """Whether a picture has enough fine structure to be compared, (n,)."""
        for start in range(0, len(thumbnails), _BLOCK):
            some = slice(start, start + _BLOCK)
            self._coarse[some] = _coarse(thumbnails[some])
            self.has_detail[some] = _detail(thumbnails[some]) >= MIN_DETAIL
        self._coarse[~self.has_detail] = 0.0
        # One picture's basis is 0.5 MB; rows are visited in order, so a few hundred are enough.
        self._structure = lru_cache(maxsize=256)(self._structure_of)

    def candidates(self, start: int, stop: int) -> Int64Array:
        """List the pairs that pass the coarse stage.

        Parameters
        ----------
        start, stop : int
            Rows of the pictures that come first in the pairs.

        Returns
        -------
        ndarray of int64, (pairs, 2)
            Row numbers, ``start <= first < stop`` and ``first < second``, most similar first.
        """
        similarity = self._coarse[start:stop] @ self._coarse[start:].T
        first, second = np.nonzero(np.triu(similarity >= COARSE, k=1))
        order = np.argsort(-similarity[first, second], kind="stable")
        return np.stack([first, second], axis=1)[order].astype(np.int64) + start

    def share(self, first: int, second: int) -> float:
        """Return the share, in [0, 1], of the fine structure of one picture that the other explains."""
        basis_a, fine_a = self._structure(first)
        basis_b, fine_b = self._structure(second)
        return max(_explained(basis_a, fine_b), _explained(basis_b, fine_a))

    def same(self, first: int, second: int) -> bool:
        """Tell whether two pictures are practically the same photograph."""
        comparable = self.has_detail[first] and self.has_detail[second]
        return bool(comparable) and self.share(first, second) >= SAME

    def _structure_of(self, row: int) -> tuple[Float64Array, Float64Array]:
        grey = self._thumbnails[row : row + 1].astype(np.float64)
        columns = [grey, np.gradient(grey, axis=1), np.gradient(grey, axis=2)]
        basis: list[Float64Array] = []
        for column in columns:
            fine = _without_mean(column, radius=2).ravel()
            rest = fine - sum(_dot(one, fine) * one for one in basis)
            basis.append(rest / max(np.sqrt(_dot(rest, rest)), np.finfo(np.float64).tiny))
        return np.stack(basis), _without_mean(grey, radius=2).ravel()


def _dot(a: Float64Array, b: Float64Array) -> float:
    # Not through BLAS: at this size its threads cost more than they bring, and the sum would depend on them.
    return float((a * b).sum())


def _explained(basis: Float64Array, fine: Float64Array) -> float:
    """Return the share of the squares of ``fine`` (pixels,) in the span of the orthonormal ``basis`` (3, pixels)."""
    total = _dot(fine, fine)
    explained = sum(_dot(one, fine) ** 2 for one in basis)
    return 1.0 - max(0.0, total - explained) / (total + fine.size * NOISE**2)


def _coarse(thumbnails: UInt8Array) -> Float32Array:
    n, half = len(thumbnails), SIDE // 2
    small = thumbnails.reshape(n, half, 2, half, 2).mean(axis=(2, 4), dtype=np.float32)
    flat = _without_mean(small, radius=1).reshape(n, -1)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    result: Float32Array = flat / np.maximum(length, np.finfo(np.float32).tiny)
    return result


def _detail(thumbnails: UInt8Array) -> Float64Array:
    fine = _without_mean(thumbnails.astype(np.float64), radius=2)
    result: Float64Array = fine.std(axis=(1, 2))
    return result


def _without_mean(grey: _Grey, *, radius: int) -> _Grey:
    """Subtract from each pixel of (n, H, W) the mean of the square around it, mirrored at the edge."""
    width = 2 * radius + 1
    padded = np.pad(grey, ((0, 0), (radius, radius), (radius, radius)), mode="reflect")
    H, W = grey.shape[1:]
    mean = np.zeros_like(grey)
    for row in range(width):
        for column in range(width):
            mean += padded[:, row : row + H, column : column + W]
    mean /= -(width**2)
    mean += grey
    return mean
