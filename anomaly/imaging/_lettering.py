"""Text on pictures with the one font that Pillow carries inside itself."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from PIL import ImageDraw, ImageFont

from anomaly.imaging.names import printable_name

Colour = tuple[int, int, int]


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font (Aileron) at a size in pixels."""
    loaded = ImageFont.load_default(size)
    assert isinstance(loaded, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return loaded


def drawable(text: str) -> str:
    r"""Replace what the font has no glyph for: accents are dropped, other letters become ``\uXXXX``."""
    return "".join(map(_drawable_letter, printable_name(text)))


def fit(text: str, *, size: int, width: float) -> str:
    """Return drawable text of at most ``width`` pixels, shortened in the middle where it is longer."""
    text = drawable(text)
    if font(size).getlength(text) <= width:
        return text
    # The end of a file name tells more than its beginning.
    for kept in range(len(text) - 1, 0, -1):
        head, tail = kept // 3, kept - kept // 3
        short = f"{text[:head]}…{text[-tail:]}"
        if font(size).getlength(short) <= width:
            return short
    return "…"


def wrapped(pieces: Sequence[str], *, between: str, size: int, width: float) -> list[str]:
    """Join pieces to lines of at most ``width`` pixels each, but for a piece that is longer by itself."""
    lines: list[str] = []
    for piece in pieces:
        longer = f"{lines[-1]}{between}{piece}" if lines else piece
        if lines and font(size).getlength(drawable(longer)) <= width:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    *,
    size: int,
    colour: Colour,
    anchor: str = "la",
    width: float = float("inf"),
) -> float:
    """Write one line and return its length in pixels; ``anchor`` as in Pillow."""
    line = fit(text, size=size, width=width)
    draw.text(place, line, font=font(size), fill=colour, anchor=anchor)
    return font(size).getlength(line)


@lru_cache(maxsize=1024)
def _drawable_letter(letter: str) -> str:
    if _has_glyph(letter):
        return letter
    base = unicodedata.normalize("NFKD", letter)[0]
    if base != letter and _has_glyph(base):
        return base
    if unicodedata.combining(letter):
        return ""
    return letter.encode("unicode_escape").decode("ascii")


def _has_glyph(letter: str) -> bool:
    if letter == " " or letter.isascii():
        return True
    missing = font(16).getmask("\uffff")
    mask = font(16).getmask(letter)
    return mask.size != missing.size or bytes(mask) != bytes(missing)
