"""Pairs of crops: a place of the image beside the nearest good patch, at the same field of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from anomaly.imaging._colours import INK, MAT, PAPER, RULE, SOFT_INK, VERMILLION, draw_contour
from anomaly.imaging._lettering import write
from anomaly.types import BoolArray, NearestPatch, Region, UInt8Array

_CAPTION = 80  # px below the crops


@dataclass(frozen=True, eq=False)
class BankPicture:
    """A picture of the memory bank, possibly smaller than the original.

    Attributes
    ----------
    image : ndarray of uint8, (h, w, 3)
        The original or a thumbnail of it.
    width, height : int
        Size of the original in pixels, in which patches are located.
    """

    image: UInt8Array
    width: int
    height: int


def field_of_view(region: Region | None, height: int, width: int) -> float:
    """Side of the square crop in original pixels: the region and its surroundings, not the whole image."""
    shorter = min(height, width)
    least = min(max(48.0, 0.16 * shorter), float(max(height, width)))
    wanted = 0.0 if region is None else 1.6 * max(region.width, region.height)
    return min(max(wanted, least), max(least, 0.6 * shorter))


def draw_card(
    picture: BankPicture,
    mask: BoolArray | None,
    place: tuple[int, int],
    *,
    side: float,
    crop: int,
    nearest: NearestPatch,
    good: BankPicture | None,
    heading: tuple[str, str, str],
) -> Image.Image:
    """Draw one pair with its captions.

    Parameters
    ----------
    picture : BankPicture
        The judged image.
    mask : ndarray of bool, (H, W), or None
        Where it exceeds the threshold.
    place : tuple of int
        (x, y) of the compared patch in the judged image.
    side : float
        Field of view of both crops in original pixels.
    crop : int
        Side of both crops on the card.
    nearest : NearestPatch
    good : BankPicture or None
        The picture that ``nearest`` names; None where it was not kept.
    heading : tuple of str
        Number in the badge (may be empty) and two caption lines.
    """
    width = card_width(crop)
    card = Image.new("RGB", (width, 22 + crop + _CAPTION), PAPER)
    draw = ImageDraw.Draw(card)
    second = width - crop
    write(draw, (0, 0), "this image", size=14, colour=SOFT_INK)
    write(draw, (second, 0), "nearest good patch", size=14, colour=SOFT_INK)
    _draw_crop(card, (0, 22), crop, picture, place, side, mask)
    if good is None:
        draw.rectangle((second, 22, second + crop - 1, 21 + crop), fill=MAT, outline=RULE)
        middle = (second + crop / 2, 22 + crop / 2)
        write(draw, middle, "no picture kept", size=14, colour=SOFT_INK, anchor="mm")
    else:
        _draw_crop(card, (second, 22), crop, good, (nearest.x, nearest.y), side, None)
    number, first_line, second_line = heading
    top, indent = 22 + crop + 12, 30 if number else 0
    if number:
        draw_badge(draw, (0, top - 2), number)
    write(draw, (indent, top), first_line, size=16, colour=INK, width=width - indent)
    write(draw, (0, top + 25), second_line, size=14, colour=SOFT_INK, width=width)
    used = write(draw, (0, top + 45), "nearest: ", size=14, colour=SOFT_INK)
    write(draw, (used, top + 45), nearest.image, size=14, colour=SOFT_INK, width=width - used)
    return card


def card_width(crop: int) -> int:
    """Width of a card whose crops are ``crop`` px wide."""
    return 2 * crop + 8


def draw_badge(draw: ImageDraw.ImageDraw, corner: tuple[float, float], number: str) -> None:
    """Draw a region's number, white on vermillion, 22 px square."""
    x, y = corner
    draw.rectangle((x, y, x + 21, y + 21), fill=VERMILLION, outline=PAPER)
    write(draw, (x + 11, y + 11), number, size=15, colour=PAPER, anchor="mm")


def _draw_crop(
    card: Image.Image,
    corner: tuple[int, int],
    crop: int,
    picture: BankPicture,
    place: tuple[int, int],
    side: float,
    mask: BoolArray | None,
) -> None:
    """Draw a square cut out around a place, framed, with ticks on the frame that point at the place."""
    left = _start(place[0], side, picture.width)
    top = _start(place[1], side, picture.height)
    card.paste(_cut(picture, (left, top), side, crop, mask), corner)
    draw = ImageDraw.Draw(card)
    x, y = corner
    far = crop - 1
    draw.rectangle((x, y, x + far, y + far), outline=RULE)
    at_x = x + round((place[0] + 0.5 - left) / side * far)
    at_y = y + round((place[1] + 0.5 - top) / side * far)
    for line in (
        (at_x, y, at_x, y + 9),
        (at_x, y + far - 9, at_x, y + far),
        (x, at_y, x + 9, at_y),
        (x + far - 9, at_y, x + far, at_y),
    ):
        draw.line(line, fill=INK, width=4)
        draw.line(line, fill=PAPER, width=2)


def _start(centre: int, side: float, extent: int) -> float:
    """Where a stretch of ``side`` around a pixel begins: moved inside the picture, centred if longer."""
    if side >= extent:
        return (extent - side) / 2
    return min(max(centre + 0.5 - side / 2, 0.0), extent - side)


def _cut(
    picture: BankPicture, start: tuple[float, float], side: float, crop: int, mask: BoolArray | None
) -> Image.Image:
    """Resize the square that begins at ``start`` (original pixels) to ``crop`` px; mat beyond the picture."""
    scale = crop / side
    x0, x1 = max(start[0], 0.0), min(start[0] + side, float(picture.width))
    y0, y1 = max(start[1], 0.0), min(start[1] + side, float(picture.height))
    left, top = round((x0 - start[0]) * scale), round((y0 - start[1]) * scale)
    size = max(1, round((x1 - start[0]) * scale) - left), max(1, round((y1 - start[1]) * scale) - top)
    across, down = picture.image.shape[1] / picture.width, picture.image.shape[0] / picture.height
    part = (
        x0 * across,
        y0 * down,
        min(x1 * across, picture.image.shape[1]),
        min(y1 * down, picture.image.shape[0]),
    )
    pixels = np.asarray(Image.fromarray(picture.image).resize(size, enlarging(scale), box=part))
    if mask is not None:
        area = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, enlarging(scale), box=part)
        pixels = draw_contour(pixels, np.asarray(area) > 127, VERMILLION)
    square = Image.new("RGB", (crop, crop), MAT)
    square.paste(Image.fromarray(pixels), (left, top))
    return square


def enlarging(factor: float) -> Image.Resampling:
    """Choose the resampling: single pixels stay visible where they are shown much larger than they are."""
    return Image.Resampling.NEAREST if factor >= 6 else Image.Resampling.BICUBIC
