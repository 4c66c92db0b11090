"""From original pixels to network pixels and back.

Coordinates are pixel centres: ``(0, 0)`` is the centre of the top left pixel, whose area reaches from -0.5
to 0.5. A box ``(x, y, width, height)`` covers the pixels ``x .. x + width - 1``, hence the area from
``x - 0.5`` to ``x + width - 0.5``; the network image and the patch grid divide exactly this area into equal
cells.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from anomaly.errors import ConfigError, ImageError
from anomaly.imaging.decode import check_image
from anomaly.types import Float64Array, UInt8Array


@dataclass(frozen=True)
class View:
    """One look at an image: a part of it, and the size at which the network sees that part.

    Attributes
    ----------
    box : tuple of int
        (x, y, width, height) in original pixels.
    network_height, network_width : int
        Size in network pixels.
    """

    box: tuple[int, int, int, int]
    network_height: int
    network_width: int

    def read(self, image: UInt8Array) -> UInt8Array:
        """Cut the box out of an image and resize it to network pixels.

        Bilinear with antialiasing: every source pixel counts, however far the picture shrinks, and unlike
        bicubic it does not overshoot, so that a bright metal edge gets no dark rim of its own.

        Parameters
        ----------
        image : ndarray of uint8, (H, W, 3)
            The image that the view was planned for.

        Returns
        -------
        ndarray of uint8, (h, w, 3)

        Raises
        ------
        ImageError
            The array is not an image, or the box reaches beyond it.
        """
        check_image(image)
        x, y, width, height = self.box
        if x + width > image.shape[1] or y + height > image.shape[0]:
            raise ImageError(
                f"expected an image of at least {x + width}x{y + height} px for the view {self.box}, "
                f"got {image.shape[1]}x{image.shape[0]}; plan the views for this image"
            )
        resized = Image.fromarray(image).resize(
            (self.network_width, self.network_height),
            Image.Resampling.BILINEAR,
            box=(x, y, x + width, y + height),
            reducing_gap=None,
        )
        return np.array(resized, dtype=np.uint8)

    def patch_centres(self, grid_shape: tuple[int, int]) -> Float64Array:
        """Return the centres of all patches in original pixels.

        Parameters
        ----------
        grid_shape : tuple of int
            (gh, gw) of the patch grid that covers this view.

        Returns
        -------
        ndarray of float64, (gh * gw, 2)
            x, y, row by row; rounded to the nearest integer it is always a pixel of the box.
        """
        grid_height, grid_width = grid_shape
        left, top, width, height = self.box
        x = (np.arange(grid_width) + 0.5) * width / grid_width + left - 0.5
        y = (np.arange(grid_height) + 0.5) * height / grid_height + top - 0.5
        return np.stack([np.tile(x, grid_height), np.repeat(y, grid_width)], axis=1)


@dataclass(frozen=True)
class Geometry:
    """How an image becomes network pixels: at present one view of the whole image.

    The view has about ``size**2`` network pixels whatever the shape of the image, and the aspect ratio of the
    image as nearly as sides in multiples of ``multiple`` allow. An image so long and thin that its short side
    would fall below ``least`` multiples gets exactly these there and at most ``size**2`` pixels in all: it is
    squeezed along its length, and the memory stays bounded.

    Attributes
    ----------
    size : int
        Square root of the area in network pixels; at least ``multiple``.
    multiple : int
        Both sides are multiples of it (the largest stride of the backbone).
    least : int
        No side has fewer multiples; a network that reflects the image at its borders needs more than it reflects.

    Raises
    ------
    ConfigError
        ``multiple`` or ``least`` below 1, or ``size`` below ``least * multiple``.
    """

    size: int
    multiple: int = 32
    least: int = 1

    def __post_init__(self) -> None:
        if self.multiple < 1 or self.least < 1 or self.size < self.least * self.multiple:
            raise ConfigError(
                f"expected geometry.size >= least * multiple >= 1, got size {self.size}, least {self.least} and "
                f"multiple {self.multiple}; set geometry.size to at least {max(self.least, 1) * max(self.multiple, 1)}"
            )

    def plan(self, height: int, width: int) -> tuple[View, ...]:
        """Decide how an image of (height, width) original pixels is looked at.

        Returns
        -------
        tuple of View
            Today one, of the whole image.

        Raises
        ------
        ImageError
            Fewer than one pixel.
        """
        if height < 1 or width < 1:
            raise ImageError(f"expected an image of at least 1x1 px, got {width}x{height}; check its source")
        h, w = self._network_size(height, width)
        return (View(box=(0, 0, width, height), network_height=h, network_width=w),)

    def _network_size(self, height: int, width: int) -> tuple[int, int]:
        """Among the sizes next to the ideal one, the nearest in aspect ratio; ties go to the nearest area."""
        area = self.size**2 / self.multiple**2
        ratio = height / width
        # In multiples: rows * columns = (size / multiple)**2, rows / columns = ratio, neither below the least.
        rows = min(max(self.size / self.multiple * math.sqrt(ratio), self.least), area / self.least)
        columns = area / rows

        def misfit(candidate: tuple[int, int]) -> tuple[float, float]:
            r, c = candidate
            # Rounded, so that equal shapes tie whatever the last bit of a logarithm says.
            return (round(abs(math.log(r / c / ratio)), 9), round(abs(math.log(r * c / area)), 9))

        if rows <= self.least or columns <= self.least:
            best = max(self.least, math.floor(rows)), max(self.least, math.floor(columns))
        else:
            best = min(itertools.product(self._around(rows), self._around(columns)), key=misfit)
        return best[0] * self.multiple, best[1] * self.multiple

    def _around(self, value: float) -> tuple[int, ...]:
        """Whole numbers next to a number of multiples, none below the least."""
        value = round(value, 9)
        return tuple(sorted({max(self.least, math.floor(value)), max(self.least, math.ceil(value))}))
