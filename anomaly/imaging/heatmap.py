"""One picture that explains one verdict: where, how much, and what a good part looks like there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from PIL import Image, ImageDraw

from anomaly.errors import ConfigError, ImageError
from anomaly.imaging._colour_bar import draw_colour_bar
from anomaly.imaging._colours import (
    AMBER,
    BLUISH_GREEN,
    INK,
    MAT,
    PAPER,
    RULE,
    SOFT_INK,
    VERMILLION,
    colourise,
    cover,
    draw_contour,
)
from anomaly.imaging._comparison import (
    BankPicture,
    card_width,
    draw_badge,
    draw_card,
    enlarging,
    field_of_view,
)
from anomaly.imaging._heatmap_words import (
    caption_words,
    findings_words,
    footer_words,
    header_words,
    is_refused,
    mark_words,
    picture_words,
)
from anomaly.imaging._lettering import font, wrapped, write
from anomaly.imaging.decode import check_image
from anomaly.types import BoolArray, PartVerdict, Prediction, Region, UInt8Array, Verdict

__all__ = ["BankPicture", "render_heatmap"]

_MARGIN = 32
_CONTENT = 4 * card_width(160) + 3 * 24
_PANEL = (602, 640)  # largest width and height of a displayed image
_LEAST_SLOT = 150  # height below which the colour bar could not be labelled
_CARDS = 4
_NUMBERED = 12
_VERDICTS: Mapping[Verdict | None, tuple[str, tuple[int, int, int]]] = {
    "damaged": ("DAMAGED", VERMILLION),
    "reinspect": ("REINSPECT", AMBER),
    "undamaged": ("UNDAMAGED", BLUISH_GREEN),
    "not judged": ("NOT JUDGED", SOFT_INK),
    None: ("NOT CALIBRATED", SOFT_INK),
}
_SUSPECT = ("SUSPECT", AMBER)


@dataclass(frozen=True, eq=False)
class _Scene:
    """What all parts of the picture look at."""

    image: UInt8Array
    prediction: Prediction
    mask: BoolArray | None
    scale_max: float
    width: int
    height: int
    slot_height: int
    threshold_of: str
    suspicion: str

    @property
    def regions(self) -> tuple[Region, ...]:
        """What is outlined and numbered: nothing where the picture was refused, since its map then means nothing."""
        return () if is_refused(self.prediction) else self.prediction.regions


def render_heatmap(
    image: UInt8Array,
    prediction: Prediction,
    *,
    scale_max: float,
    nearest_images: Mapping[str, BankPicture],
    title: str | None = None,
    threshold_of: str = "",
    suspicion: str = "",
) -> UInt8Array:
    """Draw the picture that ``--heatmap`` writes.

    Left the photograph with the regions outlined and numbered, right the anomaly map on the fixed scale
    0 .. ``scale_max`` with the threshold as contour and as mark on the colour bar, below for the strongest
    regions the crop beside the nearest good patch, both with the same field of view in original pixels. Where parts
    were told apart, corners in the colour of its verdict mark each of them. A picture that was not judged says why, and
    has neither regions nor contour.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3)
        The image that was judged.
    prediction : Prediction
        With an ``anomaly_map`` of (H, W).
    scale_max : float
        Map value at the end of the colour bar; the same for every image of a trained model, so that two
        heatmaps can be compared. Larger values take the last colour.
    nearest_images : mapping of str to BankPicture
        Pictures by the names that ``prediction.nearest`` uses; a missing one is said to be missing.
    title : str, optional
        Stands in the header; the file's name by default.
    threshold_of : str, optional
        Whose threshold it is, where a trained model has several: ``"part type m8"``.
    suspicion : str, optional
        Why an image of the training is suspected; stands in place of the verdict.

    Returns
    -------
    ndarray of uint8, (rows, 1448, 3)

    Raises
    ------
    ImageError
        The array is not an image, or the map is not of its size.
    ConfigError
        ``scale_max`` is not positive and finite.
    """
    _check(image, prediction, scale_max)
    scene = _scene(image, prediction, scale_max, threshold_of=threshold_of, suspicion=suspicion)
    blocks = [
        _header(scene, PurePath(prediction.path).name if title is None else title),
        _panels(scene),
        _cards(scene, nearest_images),
        _footer(scene),
    ]
    return _stack(blocks)


def _check(image: UInt8Array, prediction: Prediction, scale_max: float) -> None:
    check_image(image)
    if prediction.anomaly_map.shape != image.shape[:2]:
        raise ImageError(
            f"expected an anomaly map of the image's size {image.shape[:2]}, got "
            f"{prediction.anomaly_map.shape}; predict this image again",
            path=prediction.path,
        )
    if not (math.isfinite(scale_max) and scale_max > 0):
        raise ConfigError(f"expected a positive end of the colour scale, got {scale_max}; fit it again")


def _scene(
    image: UInt8Array, prediction: Prediction, scale_max: float, *, threshold_of: str = "", suspicion: str = ""
) -> _Scene:
    height, width = image.shape[:2]
    factor = min(_PANEL[0] / width, _PANEL[1] / height)
    # A line of pixels would vanish: it is widened to eight.
    shown_height, shown_width = max(8, round(height * factor)), max(8, round(width * factor))
    threshold = None if is_refused(prediction) else prediction.region_threshold
    return _Scene(
        image=image,
        prediction=prediction,
        mask=None if threshold is None else prediction.anomaly_map > np.float64(threshold),
        scale_max=scale_max,
        width=shown_width,
        height=shown_height,
        slot_height=max(_LEAST_SLOT, shown_height),
        threshold_of=threshold_of,
        suspicion=suspicion,
    )


def _stack(blocks: list[Image.Image]) -> UInt8Array:
    """Put blocks below each other with equal gaps and a margin around."""
    gap = 26
    height = sum(block.height for block in blocks) + gap * (len(blocks) - 1) + 2 * _MARGIN
    page = Image.new("RGB", (_CONTENT + 2 * _MARGIN, height), PAPER)
    y = _MARGIN
    for block in blocks:
        page.paste(block, (_MARGIN, y))
        y += block.height + gap
    return np.array(page, dtype=np.uint8)


def _header(scene: _Scene, title: str) -> Image.Image:
    size = f"{scene.image.shape[1]} x {scene.image.shape[0]} px"
    told = [*header_words(scene.prediction, threshold_of=scene.threshold_of, suspicion=scene.suspicion), size]
    lines = [(line, SOFT_INK) for line in wrapped(told, between="   ·   ", size=18, width=_CONTENT)]
    words = picture_words(scene.prediction).split()
    lines += [(line, INK) for line in wrapped(words, between=" ", size=18, width=_CONTENT)]
    block = Image.new("RGB", (_CONTENT, 58 + 26 * len(lines)), PAPER)
    draw = ImageDraw.Draw(block)
    verdict, colour = _SUSPECT if scene.suspicion else _VERDICTS[scene.prediction.label]
    badge = round(font(22).getlength(verdict)) + 32
    draw.rectangle((0, 0, badge, 41), fill=colour)
    write(draw, (badge / 2, 21), verdict, size=22, colour=PAPER, anchor="mm")
    left = badge + 18
    write(draw, (left, 21), title, size=26, colour=INK, anchor="lm", width=_CONTENT - left)
    for number, (line, ink) in enumerate(lines):
        write(draw, (0, 58 + 26 * number), line, size=18, colour=ink, width=_CONTENT)
    return block


def _panels(scene: _Scene) -> Image.Image:
    """Photograph, anomaly map and colour bar side by side."""
    head = 30
    block = Image.new("RGB", (_CONTENT, head + scene.slot_height), PAPER)
    draw = ImageDraw.Draw(block)
    second = _PANEL[0] + 24
    write(draw, (0, 0), "Photograph", size=18, colour=INK)
    write(draw, (second, 0), "Anomaly map: distance from the good parts", size=18, colour=INK)
    x = (_PANEL[0] - scene.width) // 2
    y = head + (scene.slot_height - scene.height) // 2
    for left, picture in ((0, _photograph(scene)), (second, _map(scene))):
        draw.rectangle((left, head, left + _PANEL[0] - 1, head + scene.slot_height - 1), fill=MAT)
        block.paste(picture, (left + x, y))
    bar_left = second + _PANEL[0] + 20
    bar = draw_colour_bar(
        _CONTENT - bar_left,
        scene.slot_height,
        scale_max=scene.scale_max,
        threshold=scene.prediction.region_threshold,
        mark=mark_words(scene.prediction),
    )
    block.paste(bar, (bar_left, head))
    return block


def _shown(scene: _Scene, picture: Image.Image) -> Image.Image:
    size = (scene.width, scene.height)
    return picture.resize(size, enlarging(scene.width / picture.width))


def _photograph(scene: _Scene) -> Image.Image:
    picture = _shown(scene, Image.fromarray(scene.image))
    draw = ImageDraw.Draw(picture)
    across, down = scene.width / scene.image.shape[1], scene.height / scene.image.shape[0]
    for part in () if is_refused(scene.prediction) else scene.prediction.parts or ():
        _draw_corners(draw, _outline(part, across, down, picture.size), part.label)
    boxes = [_outline(region, across, down, picture.size) for region in scene.regions]
    for left, top, right, bottom in boxes:
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=PAPER)
        draw.rectangle((left, top, right, bottom), outline=VERMILLION, width=2)
    taken: list[tuple[int, int]] = []
    for number, box in enumerate(boxes[:_NUMBERED], start=1):
        corner = _badge_corner(box, picture.size, taken)
        if corner is not None:
            taken.append(corner)
            draw_badge(draw, corner, str(number))
    return picture


def _draw_corners(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], label: Verdict) -> None:
    """Mark the corners of a part's box, in the colour of its verdict."""
    left, top, right, bottom = box
    arm = max(4, min(right - left, bottom - top) // 6)
    colour = _VERDICTS[label][1]
    for x, towards_x in ((left, arm), (right, -arm)):
        for y, towards_y in ((top, arm), (bottom, -arm)):
            for end in ((x + towards_x, y), (x, y + towards_y)):
                draw.line((x, y, *end), fill=colour, width=2)


def _outline(
    region: Region | PartVerdict, across: float, down: float, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Box of a region or part in displayed pixels, a little larger and never too small to see."""
    edges: list[tuple[int, int]] = []
    for start, extent, factor, limit in (
        (region.x, region.width, across, size[0]),
        (region.y, region.height, down, size[1]),
    ):
        middle, half = (start + extent / 2) * factor, max(extent * factor / 2 + 4, 8)
        edges.append((max(1, round(middle - half)), min(limit - 2, round(middle + half))))
    (left, right), (top, bottom) = edges
    return left, top, max(left, right), max(top, bottom)


def _badge_corner(
    box: tuple[int, int, int, int], size: tuple[int, int], taken: list[tuple[int, int]]
) -> tuple[int, int] | None:
    """Find a free place for a badge (22 px) at a corner of a box, outside before inside; None: no place."""
    left, top, right, bottom = box
    places = [
        (left - 1, top - 22),
        (right - 20, top - 22),
        (left - 1, bottom + 1),
        (right - 20, bottom + 1),
        (left, top),
    ]
    for x, y in places:
        inside = 0 <= x <= size[0] - 22 and 0 <= y <= size[1] - 22
        if inside and all(abs(x - other[0]) > 22 or abs(y - other[1]) > 22 for other in taken):
            return x, y
    return None


def _map(scene: _Scene) -> Image.Image:
    size = (scene.width, scene.height)
    values = np.asarray(Image.fromarray(scene.prediction.anomaly_map).resize(size, Image.Resampling.BILINEAR))
    grey = np.asarray(_shown(scene, Image.fromarray(scene.image)).convert("L"))
    coloured = colourise(values, scene.scale_max, grey)
    if scene.mask is not None:
        coloured = draw_contour(coloured, cover(scene.mask, *size), PAPER)
    return Image.fromarray(coloured)


def _cards(scene: _Scene, nearest_images: Mapping[str, BankPicture]) -> Image.Image:
    found = scene.prediction
    judged = BankPicture(scene.image, width=scene.image.shape[1], height=scene.image.shape[0])
    regions: list[Region | None] = list(scene.regions[:_CARDS]) or [None]
    crop = 160 if len(regions) > 2 else 248
    cards = [
        draw_card(
            judged,
            scene.mask,
            _place(scene, region),
            side=field_of_view(region, judged.height, judged.width),
            crop=crop,
            nearest=nearest,
            good=nearest_images.get(nearest.image),
            heading=caption_words(found, region, number, at=_place(scene, region)),
        )
        for number, (region, nearest) in enumerate(zip(regions, found.nearest, strict=False), start=1)
    ]
    head = 44
    block = Image.new("RGB", (_CONTENT, head + max((card.height for card in cards), default=0)), PAPER)
    draw = ImageDraw.Draw(block)
    draw.line((0, 0, _CONTENT, 0), fill=RULE)
    write(draw, (0, 12), findings_words(found, cards=_CARDS), size=18, colour=INK, width=_CONTENT)
    for column, card in enumerate(cards):
        block.paste(card, (column * (card_width(crop) + 24), head))
    return block


def _place(scene: _Scene, region: Region | None) -> tuple[int, int]:
    """Where the compared patch is: the region's peak, or the peak of the whole map."""
    if region is not None:
        return region.peak_x, region.peak_y
    values = scene.prediction.anomaly_map
    y, x = np.unravel_index(int(values.argmax()), values.shape)
    return int(x), int(y)


def _footer(scene: _Scene) -> Image.Image:
    told = footer_words(
        scene.prediction,
        scale_max=scene.scale_max,
        line=scene.mask is not None and bool(scene.mask.any()),
        threshold_of=scene.threshold_of,
    )
    lines = wrapped(told, between=" ", size=14, width=_CONTENT)
    block = Image.new("RGB", (_CONTENT, 20 * len(lines)), PAPER)
    draw = ImageDraw.Draw(block)
    for number, line in enumerate(lines):
        write(draw, (0, 2 + 20 * number), line, size=14, colour=SOFT_INK, width=_CONTENT)
    return block
