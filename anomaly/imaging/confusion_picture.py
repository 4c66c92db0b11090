"""Verdicts against truth as one picture: counts, and the images behind them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from PIL import Image, ImageDraw

from anomaly.imaging._colours import AMBER, BLUISH_GREEN, INK, MAT, PAPER, RULE, SOFT_INK, VERMILLION
from anomaly.imaging._lettering import drawable, fit, wrapped, write
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
_PLACE = _SIDE + 2 * _LINE + _GAP
_WIDTH = _ACROSS * (_SIDE + _GAP) - _GAP
_CAPTION, _LEGEND = 12, 14  # px of lettering
_BREAK = re.compile(r"[^0-9A-Za-z]")


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
    fields = {(truth, verdict): chosen(images, truth, verdict)[:SHOWN] for truth in truths for verdict in verdicts}
    heights = [_height(max(len(fields[truth, verdict]) for verdict in verdicts)) for truth in truths]
    width = len(verdicts) * (_WIDTH + _MARGIN) + _MARGIN
    legend = wrapped(_legend(images), between=" ", size=_LEGEND, width=width - 2 * _MARGIN)
    top = _MARGIN + _HEAD + 20 * len(legend)
    page = Image.new("RGB", (width, top + sum(heights) + len(truths) * _MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    write(draw, (_MARGIN, _MARGIN // 2), title, size=22, colour=INK, width=width - 2 * _MARGIN)
    for number, line in enumerate(legend):
        write(draw, (_MARGIN, _MARGIN // 2 + _HEAD + 20 * number), line, size=_LEGEND, colour=SOFT_INK)
    names = short_names([image.name for field in fields.values() for image in field])
    for row, truth in enumerate(truths):
        for column, verdict in enumerate(verdicts):
            count = sum((image.truth, image.verdict) == (truth, verdict) for image in images)
            drawn = _field(fields[truth, verdict], _heading(truth, verdict, count), names, picture_of)
            page.paste(drawn, (_MARGIN + column * (_WIDTH + _MARGIN), top + sum(heights[:row]) + row * _MARGIN))
    return np.array(page, dtype=np.uint8)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return for each name as much of it as fits below an image, so that no two look alike where that is possible.

    What all names begin and end with is left out first: whole words of it, then single letters, where that takes it.
    """
    stems = {name: PurePosixPath(name).name for name in names}
    if len(set(stems.values())) < len(stems):  # the same name in two folders
        stems = dict(zip(names, names, strict=True))
    tries = [stems, _differing(stems, words=True), _differing(stems, words=False)]
    for found in tries:
        if all(fit(text, size=_CAPTION, width=_SIDE) == drawable(text) for text in found.values()):
            return found
    return next((found for found in tries if _unlike(found)), tries[-1])


def _unlike(found: Mapping[str, str]) -> bool:
    return len({fit(text, size=_CAPTION, width=_SIDE) for text in found.values()}) == len(found)


def _differing(names: Mapping[str, str], *, words: bool) -> dict[str, str]:
    """Leave out what all names begin and end with, and put an ellipsis there."""
    texts = sorted(names.values())
    if len(texts) < 2:
        return dict(names)
    least = min(map(len, texts))
    head = _alike(texts)
    tail = min(_alike([text[::-1] for text in texts]), least - head)
    if words:
        head = max((place.end() for place in _BREAK.finditer(texts[0][:head])), default=0)
        end = len(texts[0]) - tail
        tail = len(texts[0]) - min(
            (end + place.start() for place in _BREAK.finditer(texts[0][end:])), default=end + tail
        )
    return {
        name: ("…" if head else "") + text[head : len(text) - tail] + ("…" if tail else "")
        for name, text in names.items()
    }


def _alike(texts: Sequence[str]) -> int:
    """Return with how many letters all of them begin alike."""
    return next(
        (n for n, letters in enumerate(zip(*texts, strict=False)) if len(set(letters)) > 1), min(map(len, texts))
    )


def _height(count: int) -> int:
    """Height of a field with so many images."""
    return _HEAD + math.ceil(count / _ACROSS) * _PLACE


def _legend(images: Sequence[JudgedImage]) -> list[str]:
    """Explain numbers, order and threshold, a sentence each."""
    limits = sorted({score_text(image.threshold) for image in images}, key=float)
    told = ["The number below an image is its score; what follows is its name, or the part in which names differ."]
    if len(limits) == 1:
        told.append(f"A score above the threshold {limits[0]} is called damaged.")
    elif limits:
        told.append(f"A score above the threshold of its part type ({', '.join(limits)}) is called damaged.")
    return [*told, "Of the errors the farthest from the threshold stand first, of all others the closest calls."]


def _field(
    images: Sequence[JudgedImage],
    heading: tuple[str, tuple[int, int, int]],
    names: Mapping[str, str],
    picture_of: Callable[[JudgedImage], UInt8Array],
) -> Image.Image:
    field = Image.new("RGB", (_WIDTH, _height(len(images))), PAPER)
    draw = ImageDraw.Draw(field)
    write(draw, (0, 0), heading[0], size=18, colour=heading[1], width=_WIDTH)
    draw.line((0, _HEAD - 8, _WIDTH, _HEAD - 8), fill=RULE)
    for number, image in enumerate(images):
        x = (number % _ACROSS) * (_SIDE + _GAP)
        y = _HEAD + (number // _ACROSS) * _PLACE
        small = Image.fromarray(picture_of(image))
        small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
        draw.rectangle((x, y, x + _SIDE - 1, y + _SIDE - 1), fill=MAT)
        field.paste(small, (x + (_SIDE - small.width) // 2, y + (_SIDE - small.height) // 2))
        for line, text in enumerate((score_text(image.score), names[image.name])):
            place = (x, y + _SIDE + 1 + line * _LINE)
            write(draw, place, text, size=_CAPTION, colour=SOFT_INK, width=_SIDE)
    return field


def _heading(truth: Label, verdict: Verdict, count: int) -> tuple[str, tuple[int, int, int]]:
    """Say what became of so many images, and in which colour."""
    more = f", {SHOWN} shown" if count > SHOWN else ""
    if verdict == REINSPECT:
        return f"{count} {truth}, to be reinspected{more}", AMBER
    if verdict == truth:
        return f"{count} {truth}, {'found' if truth == DAMAGED else 'passed'}{more}", BLUISH_GREEN
    return f"{count} {truth}, {'missed' if truth == DAMAGED else 'flagged as damaged'}{more}", VERMILLION
