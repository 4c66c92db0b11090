"""What a heatmap says in words."""

from __future__ import annotations

from anomaly.imaging.names import printable_name
from anomaly.imaging.numbers import score_text
from anomaly.types import DAMAGED, NOT_JUDGED, UNDAMAGED, Prediction, Region

_MOST_DIGITS = 4


def is_refused(found: Prediction) -> bool:
    """Tell whether the picture is too unlike those of training for its map to mean anything."""
    return found.label == NOT_JUDGED


def header_words(found: Prediction, *, threshold_of: str, suspicion: str) -> list[str]:
    """Say what was found, in pieces that may stand on lines of their own."""
    score = f"score {score_text(found.score)}"
    if suspicion:
        return [suspicion]
    if found.threshold is None:
        return [f"S{score[1:]}, no threshold yet: this detector has not been calibrated"]
    whose = f" of {printable_name(threshold_of)}" if threshold_of else ""
    if found.reinspect_above is None:
        limits = f"threshold {score_text(found.threshold)}{whose}"
    else:
        limits = f"thresholds {score_text(found.reinspect_above)} and {score_text(found.threshold)}{whose}"
    if is_refused(found):
        return [f"The {score}, {limits}, says nothing about a picture so unlike those of training"]
    if found.reinspect_above is None:
        limits = f"{'above' if found.score > found.threshold else 'not above'} the {limits}"
    return [f"S{score[1:]}, {limits}", *_likelihood(found), *_parts(found)]


def picture_words(found: Prediction) -> str:
    """Say in what the picture differs from those of training, as the row of ``--predict`` does; empty: in nothing."""
    return f"picture: {'; '.join(found.quality.warnings)}" if found.quality.warnings else ""


def findings_words(found: Prediction, *, cards: int) -> str:
    """Say what the pairs of crops below show."""
    threshold = found.region_threshold
    strongest = "strongest place, beside the most similar place of a good part"
    if is_refused(found):
        return f"Not judged, so no region counts. For comparison only: the {strongest}"
    if threshold is None:
        return f"S{strongest.replace('place,', 'place of the map,', 1)[1:]}"
    count, whose = len(found.regions), "threshold" if found.reinspect_above is None else "lower threshold"
    if count == 0:
        return f"Nothing above the {whose}. S{strongest[1:]}:"
    text = f"1 region above the {whose}" if count == 1 else f"{count} regions above the {whose}"
    if found.score <= threshold:
        text += " (too small to lift the score of the image above it)"
    if count > cards:
        text += f", the strongest {cards} shown here"
    beside = "beside it" if count == 1 else "beside each"
    return f"{text}; {beside}, the most similar place of a good part"


def caption_words(
    found: Prediction, region: Region | None, number: int, *, at: tuple[int, int]
) -> tuple[str, str, str]:
    """Return the number in the badge, and two lines below a pair of crops.

    Parameters
    ----------
    found : Prediction
    region : Region or None
        None: the strongest place of the map, which is in no region.
    number : int
    at : tuple of int
        (x, y) of the place.
    """
    threshold = found.region_threshold
    whose = "threshold" if found.reinspect_above is None else "lower threshold"
    if region is None:
        below = "" if threshold is None or is_refused(found) else f", {whose} {score_text(threshold)}"
        return "", f"at x {at[0]}, y {at[1]}", f"peak {score_text(float(found.anomaly_map[at[1], at[0]]))}{below}"
    size = f"{region.width} x {region.height} px at x {region.x}, y {region.y}"
    ratio = "" if not threshold or threshold < 0 else f", {ratio_words(region.peak / threshold)} the {whose}"
    return str(number), size, f"peak {score_text(region.peak)}{ratio}"


def ratio_words(ratio: float) -> str:
    """Say how many times something larger it is, with as many digits as set it apart from 1."""
    for digits in range(2, _MOST_DIGITS + 1):
        text = score_text(ratio, digits)
        if float(text) > 1:
            return f"{text} times"
    return "just above"


def mark_words(found: Prediction) -> tuple[str, str]:
    """Return what stands beside the mark on the colour bar: a line, and what precedes the number on the next."""
    return ("threshold", "") if found.reinspect_above is None else ("reinspect", "above ")


def footer_words(found: Prediction, *, scale_max: float, line: bool, threshold_of: str) -> list[str]:
    """Explain the colours and marks, a sentence each.

    Parameters
    ----------
    found : Prediction
    scale_max : float
    line : bool
        Whether the threshold is drawn in the map.
    threshold_of : str
    """
    told = [f"Colours run from 0 to {scale_max:.3g} for every image of this trained model."]
    whose = f" of {printable_name(threshold_of)}" if threshold_of else ""
    marks = "The white line and the mark beside the colours are" if line else "The mark beside the colours is"
    if found.reinspect_above is not None and found.threshold is not None:
        told.append(
            f"{marks} the lower threshold{whose}, {score_text(found.reinspect_above)}: above it an image is to be "
            f"reinspected, above {score_text(found.threshold)} it is damaged."
        )
    elif whose:
        told.append(f"{marks} the threshold{whose}.")
    elif line:
        told.append("The white line is the threshold.")
    if found.parts:
        told.append("Corners mark the parts in the colour of their verdict.")
    return [
        *told,
        "A peak is the largest value of the map at a place.",
        "Crops of a pair have one scale; ticks point at the compared patch.",
    ]


def _likelihood(found: Prediction) -> list[str]:
    if found.probability is not None:
        text = f"probability of damage {found.probability:.2f}"
        if found.probability_low is not None and found.probability_high is not None:
            text += f" ({found.probability_low:.2f}-{found.probability_high:.2f})"
        return [text]
    return [] if found.p_value is None else [f"p-value {found.p_value:.2g}"]


def _parts(found: Prediction) -> list[str]:
    """Say how many parts are damaged, and where it comes from if it is none of them."""
    if found.parts is None:
        return []
    if any(part.label != UNDAMAGED for part in found.parts):
        return [found.parts_in_words]
    what = "damage found by" if found.label == DAMAGED else "to be reinspected for"
    return [f"{what} the picture as a whole, no single one of {len(found.parts)} parts stands out"]
