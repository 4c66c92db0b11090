"""Learning from undamaged photographs what is a part, and whether that can be relied on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from anomaly.errors import NoPartsError
from anomaly.imaging._foreground import foreground, learn_rule
from anomaly.imaging._separation import (
    Shape,
    at_rim,
    by_compartment,
    largest_hole,
    learn_misfit,
    learn_shape,
    moments_of,
    renumbered,
)
from anomaly.imaging._tray import Compartments, find_compartments, tray_features, working_image
from anomaly.imaging.components import label_components
from anomaly.imaging.decode import check_image
from anomaly.imaging.parts import PartFinder
from anomaly.types import BoolArray, Float32Array, UInt8Array

MOST_IMAGES = 40
"""Most pictures that a part finder is learned from."""

FEWEST_IMAGES = 4

_SURE = 0.5  # confidence from which parts are trusted


def fit_part_finder(images: Iterable[UInt8Array]) -> PartFinder:
    """Learn what is tray and what is a part from undamaged photographs.

    The tray is what dominates the rim of the pictures and is calm; its light is found anew in every picture.
    Nothing is drawn at random: the same pictures in the same order give the same finder.

    Parameters
    ----------
    images : iterable of ndarray of uint8, (H, W, 3)
        Undamaged photographs, at least ``FEWEST_IMAGES``; looked at once, one by one. Of more than
        ``MOST_IMAGES`` every second is learned from, of more than twice as many every fourth, and so on.

    Returns
    -------
    PartFinder

    Raises
    ------
    NoPartsError
        Parts cannot be told apart from the tray or from each other, or a picture shows one part only; ``reason``
        is a sentence for the user. The picture should then be judged as a whole.
    ImageError
        One of the arrays is not an image.
    """
    small = _evenly(images)
    if len(small) < FEWEST_IMAGES:
        raise NoPartsError(f"{len(small)} undamaged images are too few to learn what a part is, {FEWEST_IMAGES} needed")
    compartments = find_compartments(small)
    features = [tray_features(image, compartments) for image in small]
    rule, first = learn_rule(features, compartments)
    masks = [foreground(feature, rule, compartments) for feature in features]
    _check_foreground(masks)
    one_each = _one_each(masks, compartments)
    shape = _single_part(masks, compartments if one_each else None)
    if not one_each:
        # Parts that touch all around enclose tray, which is no part and would hide their shape.
        hole = largest_hole(shape)
        masks = [foreground(feature, rule, compartments, largest_hole=hole) for feature in features]
        shape = _single_part(masks, None)
    finder = PartFinder(
        rule=tuple(float(x) for x in rule), compartments=compartments, one_each=one_each, shape=shape,
        fewest=0, typical=0, most=0, confidence=0.0,
    )  # fmt: skip
    return _judge(finder, masks, first)


def _evenly(images: Iterable[UInt8Array]) -> list[Float32Array]:
    """Working images of at most ``MOST_IMAGES`` pictures, every first, second, fourth ... so that all fit."""
    kept: list[Float32Array] = []
    step = 1
    for i, image in enumerate(images):
        check_image(image)
        if i % step:
            continue
        if len(kept) == MOST_IMAGES:
            kept, step = kept[::2], 2 * step
            if i % step:
                continue
        kept.append(working_image(image))
    return kept


def _check_foreground(masks: list[BoolArray]) -> None:
    share = float(np.median([mask.mean() for mask in masks]))
    if share < 0.005:
        raise NoPartsError("nothing stands out from the tray in the undamaged images")
    if share > 0.85:
        raise NoPartsError("the part fills the picture, so that no tray is to be seen around it")


def _one_each(masks: list[BoolArray], compartments: Compartments) -> bool:
    """Nearly every compartment is occupied, and by one piece that has most of what stands out there."""
    if len(compartments) == 1:
        return False
    single = []
    for mask in masks:
        for place in compartments.slices(*mask.shape):
            cell = mask[place]
            labels, _ = label_components(cell)
            area = np.bincount(labels.ravel(), minlength=2)[1:]
            single.append(area.sum() > 0.05 * cell.size and area.max() > 0.6 * area.sum())
    return float(np.mean(single)) > 0.8


def _single_part(masks: list[BoolArray], compartments: Compartments | None) -> Shape:
    """Describe a part, from the pieces of foreground that lie apart and inside the pictures."""
    found, pieces = [], []
    for mask in masks:
        labels = label_components(mask)[0] if compartments is None else by_compartment(mask, compartments, 1)
        pieces.append(labels)
        moments = moments_of(labels, int(labels.max()))
        inside = moments[:, 0] > 0
        if compartments is None:
            inside[at_rim(labels)] = False
        found.append(moments[inside])
    table = np.concatenate(found)
    shape, single = learn_shape(table) if len(table) else (None, 0)
    if shape is None or single < max(3, len(masks) // 4):
        raise NoPartsError("too few parts lie apart from others to learn what a single part looks like")
    return replace(shape, misfit=learn_misfit(pieces, shape))


def _judge(finder: PartFinder, masks: list[BoolArray], first: list[BoolArray]) -> PartFinder:
    """Trust the finder if what it finds in its own pictures is what parts would be."""
    counts: list[int] = []
    regular: list[bool] = []
    whole: list[bool] = []
    for mask in masks:
        labels, count = renumbered(finder.separate(mask))
        counts.append(count)
        area = moments_of(labels, count)[:, 0]
        regular.extend(np.abs(np.log(area / finder.shape.area)) < math.log(2.5))
        whole.extend(~np.isin(np.arange(count), at_rim(labels)))
    typical = int(np.median(counts))
    if typical < 2:
        alone = "no" if typical == 0 else "one"
        share = float(np.median([mask.mean() for mask in masks]))
        raise NoPartsError(f"most of the undamaged images show {alone} part, covering {share:.0%} of the picture")
    agreement = np.mean([(a & b).sum() / max((a | b).sum(), 1) for a, b in zip(masks, first, strict=True)])
    # A part may well be as large as its compartment.
    grades = {
        "only {:.0%} of what stands out from the tray has the size of a part": float(np.mean(regular)),
        "only {:.0%} of the parts lie wholly inside the picture": 1.0 if finder.one_each else float(np.mean(whole)),
        "parts and tray are told apart to {:.0%} only": float(agreement),
    }
    confidence = math.prod(grades.values())
    if confidence < _SURE:
        worst = min(grades, key=lambda grade: grades[grade])
        raise NoPartsError(worst.format(grades[worst]))
    return replace(finder, fewest=min(counts), typical=typical, most=max(counts), confidence=confidence)
