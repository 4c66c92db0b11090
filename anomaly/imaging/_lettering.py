"""Text on pictures with the font that Pillow carries inside itself, and one of ours for what that does not have.

``lettering.ttf`` is DejaVu Sans 2.37 (https://dejavu-fonts.github.io, ``lettering.LICENSE``) cut down by fontTools to
Latin, Greek, Cyrillic, punctuation and a few signs, without hints.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import ImageDraw, ImageFont

from anomaly.imaging.names import printable_name

Colour = tuple[int, int, int]
_SECOND = Path(__file__).with_name("lettering.ttf")


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font (Aileron) at a size in pixels."""
    loaded = ImageFont.load_default(size)
    assert isinstance(loaded, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return loaded


@lru_cache(maxsize=8)
def _second_font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of the letters that Pillow's own does not have: all but ASCII and a few signs."""
    return ImageFont.truetype(str(_SECOND), size)


def drawable(text: str) -> str:
    r"""Replace what neither font has a glyph for by ``\uXXXX``: none is left out, so that no two names look alike."""
    return "".join(map(_drawable_letter, unicodedata.normalize("NFC", printable_name(text))))


def length(text: str, size: int) -> float:
    """Return how long a drawable text is, in pixels."""
    return sum(own.getlength(run) for own, run in _runs(text, size))


def fit(text: str, *, size: int, width: float) -> str:
    """Return drawable text of at most ``width`` pixels, shortened in the middle where it is longer."""
    text = drawable(text)
    if length(text, size) <= width:
        return text
    # The end of a file name tells more than its beginning.
    for kept in range(len(text) - 1, 0, -1):
        head, tail = kept // 3, kept - kept // 3
        short = f"{text[:head]}…{text[-tail:]}"
        if length(short, size) <= width:
            return short
    return "…"


def wrapped(pieces: Sequence[str], *, between: str, size: int, width: float) -> list[str]:
    """Join pieces to lines of at most ``width`` pixels each, but for a piece that is longer by itself."""
    lines: list[str] = []
    for piece in pieces:
        longer = f"{lines[-1]}{between}{piece}" if lines else piece
        if lines and length(drawable(longer), size) <= width:
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
    if all(_is_in_first(letter) for letter in line):
        draw.text(place, line, font=font(size), fill=colour, anchor=anchor)
        return length(line, size)
    # Fonts differ in height: all runs stand on the line that the first font alone would stand on.
    across, down = anchor[0], anchor[1]
    ascent, descent = font(size).getmetrics()
    x = place[0] - {"l": 0.0, "m": 0.5, "r": 1.0}[across] * length(line, size)
    y = place[1] + {"a": float(ascent), "m": (ascent - descent) / 2, "s": 0.0}[down]
    for own, run in _runs(line, size):
        draw.text((x, y), run, font=own, fill=colour, anchor="ls")
        x += own.getlength(run)
    return length(line, size)


def _runs(text: str, size: int) -> Iterator[tuple[ImageFont.FreeTypeFont, str]]:
    """Yield the parts of a text that one font draws."""
    for in_first, letters in groupby(text, _is_in_first):
        yield (font if in_first else _second_font)(size), "".join(letters)


@lru_cache(maxsize=1024)
def _drawable_letter(letter: str) -> str:
    if _is_in_first(letter) or _has_glyph(_second_font(16), letter):
        return letter
    return letter.encode("unicode_escape").decode("ascii")


@lru_cache(maxsize=1024)
def _is_in_first(letter: str) -> bool:
    return letter.isascii() or _has_glyph(font(16), letter)


def _has_glyph(own: ImageFont.FreeTypeFont, letter: str) -> bool:
    missing, mask = own.getmask("\uffff"), own.getmask(letter)
    return mask.size != missing.size or bytes(mask) != bytes(missing)
