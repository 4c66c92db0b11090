"""Verdicts against truth as one picture: counts, and the images behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from anomaly.imaging._colours import AMBER, BLUISH_GREEN, INK, MAT, PAPER, RULE, SOFT_INK, VERMILLION
from anomaly.imaging._lettering import write
from anomaly.imaging.numbers import score_text
from anomaly.types import DAMAGED, REINSPECT, UNDAMAGED, Label, UInt8Array, Verdict

SHOWN = 12
"""Images of one field at most."""
_SIDE = 120
_ACROSS = 4
_GAP = 8
_LINE = 16
_HEAD = 34
_MARGIN = 32
_FIELD = (_ACROSS * (_SIDE + _GAP) - _GAP, _HEAD + (SHOWN // _ACROSS) * (_SIDE + _LINE + _GAP))


@dataclass(frozen=True)
class JudgedImage:
    """One image of the picture.

    Attributes
    ----------
    name : str
        What is written below it.
    truth : {"undamaged", "damaged"}
    verdict : {"undamaged", "reinspect", "damaged"}
    score, threshold : float
        Images are shown from the most wrong to the least wrong, then from the closest call on.
    """

    name: str
    truth: Label
    verdict: Verdict
    score: float
    threshold: float


def chosen(images: Sequence[JudgedImage], truth: Label, verdict: Verdict) -> list[JudgedImage]:
    """Return the images of one field, those to be shown first.

    Wrong ones: the farthest from the threshold first. Right ones and those to be reinspected: the nearest first.
    """
    field = [image for image in images if (image.truth, image.verdict) == (truth, verdict)]
    wrong = verdict not in (truth, REINSPECT)
    return sorted(field, key=lambda image: abs(image.score - image.threshold), reverse=wrong)


def render_confusion(
    images: Sequence[JudgedImage], picture_of: Callable[[JudgedImage], UInt8Array], *, title: str = ""
) -> UInt8Array:
    """Draw a field for each pair of truth and verdict: the count, and up to `SHOWN` of its images.

    Parameters
    ----------
    images : sequence of JudgedImage
    picture_of : callable
        Returns the pixels, (H, W, 3) uint8, of an image; asked for the shown ones alone.
    title : str
        Stands at the top.

    Returns
    -------
    ndarray of uint8, (rows, columns, 3)
        The column ``reinspect`` is there where an image was labelled so.
    """
    verdicts: list[Verdict] = [UNDAMAGED, DAMAGED]
    if any(image.verdict == REINSPECT for image in images):
        verdicts.insert(1, REINSPECT)
    truths: tuple[Label, ...] = (DAMAGED, UNDAMAGED)
    width = len(verdicts) * (_FIELD[0] + _MARGIN) + _MARGIN
    page = Image.new("RGB", (width, 2 * (_FIELD[1] + _MARGIN) + _MARGIN + _HEAD), PAPER)
    draw = ImageDraw.Draw(page)
    write(draw, (_MARGIN, _MARGIN // 2), title, size=22, colour=INK, width=width - 2 * _MARGIN)
    for row, truth in enumerate(truths):
        for column, verdict in enumerate(verdicts):
            place = (_MARGIN + column * (_FIELD[0] + _MARGIN), _MARGIN + _HEAD + row * (_FIELD[1] + _MARGIN))
            field = chosen(images, truth, verdict)
            page.paste(_field(field, truth, verdict, picture_of), place)
    return np.array(page, dtype=np.uint8)


def _field(
    images: Sequence[JudgedImage], truth: Label, verdict: Verdict, picture_of: Callable[[JudgedImage], UInt8Array]
) -> Image.Image:
    field = Image.new("RGB", _FIELD, PAPER)
    draw = ImageDraw.Draw(field)
    name, colour = _heading(truth, verdict)
    more = f", {SHOWN} shown" if len(images) > SHOWN else ""
    write(draw, (0, 0), f"{len(images)} {name}{more}", size=18, colour=colour, width=_FIELD[0])
    draw.line((0, _HEAD - 8, _FIELD[0], _HEAD - 8), fill=RULE)
    for number, image in enumerate(images[:SHOWN]):
        x = (number % _ACROSS) * (_SIDE + _GAP)
        y = _HEAD + (number // _ACROSS) * (_SIDE + _LINE + _GAP)
        small = Image.fromarray(picture_of(image))
        small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
        draw.rectangle((x, y, x + _SIDE - 1, y + _SIDE - 1), fill=MAT)
        field.paste(small, (x + (_SIDE - small.width) // 2, y + (_SIDE - small.height) // 2))
        caption = f"{score_text(image.score)}  {image.name}"
        write(draw, (x, y + _SIDE + 1), caption, size=12, colour=SOFT_INK, width=_SIDE)
    return field


def _heading(truth: Label, verdict: Verdict) -> tuple[str, tuple[int, int, int]]:
    if verdict == REINSPECT:
        return f"{truth}, to be reinspected", AMBER
    if verdict == truth:
        return f"{truth}, labelled so", BLUISH_GREEN
    return f"{truth}, {'missed' if truth == DAMAGED else 'flagged as damaged'}", VERMILLION
