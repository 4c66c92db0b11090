"""The legend of the anomaly map."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from anomaly.imaging._colours import INK, PAPER, SOFT_INK, colourise, ticks
from anomaly.imaging._lettering import write
from anomaly.imaging.numbers import score_text

_BAR = 20  # px wide
_TEXT = _BAR + 12
_SIZE = 15
_PAD = 8  # px between the middle of the first or last label and the end of the bar


def draw_colour_bar(
    width: int, height: int, *, scale_max: float, threshold: float | None, mark: tuple[str, str] = ("threshold", "")
) -> Image.Image:
    """Draw the scale from 0 (bottom) to ``scale_max`` (top) with the threshold as a mark across it.

    Parameters
    ----------
    width, height : int
        Size of the picture, at least 130 x 120 px so that no label overlaps another.
    scale_max : float
    threshold : float or None
        None: no mark, and a note says so.
    mark : tuple of str
        What stands beside the mark: a line, and what precedes the number on the next.
    """
    bar = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(bar)
    values = np.linspace(scale_max, 0, height, dtype=np.float32)[:, None].repeat(_BAR, axis=1)
    grey = np.full(values.shape, 128, dtype=np.uint8)
    bar.paste(Image.fromarray(colourise(values, scale_max, grey)), (0, 0))

    def row(value: float) -> float:
        return (height - 1) * (1 - value / scale_max)

    write(draw, (_TEXT, _PAD), f"{scale_max:.3g} or more", size=_SIZE, colour=SOFT_INK, anchor="lm")
    taken = [(_PAD, 22)]
    if threshold is None:
        taken.append((_two_lines(draw, _PAD + 32, "no threshold", "yet"), 30))
    elif threshold > scale_max:
        taken.append((_two_lines(draw, _PAD + 32, mark[0], f"{mark[1]}{score_text(threshold)}, beyond"), 30))
    elif threshold >= 0:
        y = row(threshold)
        draw.rectangle((-1, y - 2, _BAR + 7, y + 2), fill=INK)
        draw.rectangle((-1, y - 1, _BAR + 6, y + 1), fill=PAPER)
        middle = min(max(y, _PAD + 32), height - 1 - _PAD - 32)
        taken.append((_two_lines(draw, round(middle), "threshold", score_text(threshold)), 30))
    for value in ticks(scale_max, max(2, height // 70)):
        text = min(row(value), height - 1 - _PAD)
        if all(abs(text - middle) >= room for middle, room in taken):
            draw.line((_BAR, row(value), _BAR + 5, row(value)), fill=SOFT_INK)
            write(draw, (_TEXT, text), f"{value:.3g}", size=_SIZE, colour=SOFT_INK, anchor="lm")
    return bar


def _two_lines(draw: ImageDraw.ImageDraw, middle: int, first: str, second: str) -> int:
    write(draw, (_TEXT, middle - 9), first, size=_SIZE, colour=INK, anchor="lm")
    write(draw, (_TEXT, middle + 9), second, size=_SIZE, colour=INK, anchor="lm")
    return middle
