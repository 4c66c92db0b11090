"""From values that have changed to the likely cause, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from anomaly.capture import CaptureReference
from anomaly.capture.reference import COLUMNS
from anomaly.drift.streams import relative_cells
from anomaly.types import CaptureSample, Float64Array


@dataclass(frozen=True)
class Cause:
    """A likely cause.

    Attributes
    ----------
    name : {"light", "focus", "part", "tray", "damage"}
    words : str
    advice : str
        What to do.
    """

    name: str
    words: str
    advice: str


CAUSES = {
    cause.name: cause
    for cause in (
        Cause("light", "the light or the exposure changed",
              "check lamps, exposure time and aperture; if the new light is to stay, train again with pictures of it"),
        Cause("focus", "the focus or the sharpness changed",
              "clean the lens and check focus, distance and shutter time; leave the threshold as it is meanwhile"),
        Cause("part", "another part, another view or another scene",
              "check which part is there and where the camera stands; for a new part train a new model"),
        Cause("tray", "one place of the picture changed, the same in every picture: wear or dirt of the tray, or a "
              "spot on the lens",
              "clean or replace the tray and the lens; if the tray is to stay, add pictures of it to the training"),
        Cause("damage", "more parts look damaged, at varying places, while pictures are taken as before",
              "inspect the flagged parts: a fault of production is likely; if they are good, recalibrate with them"),
    )
}  # fmt: skip

_PLACE, _CLEAR_PLACE = 2.0, 5.0
_CLEAR = 0.35


def likely_cause(
    reference: CaptureReference, samples: list[CaptureSample], *, evident: Collection[str], strongest: str
) -> Cause:
    """Name the likely cause of a change.

    Parameters
    ----------
    reference : CaptureReference
    samples : list of CaptureSample
        Pictures taken since the change; at least one.
    evident : collection of str
        Causes of which the values that tell of them show more than chance does.
    strongest : str
        Cause of the stream that shows most.

    Returns
    -------
    Cause
        A part only where the whole picture changed more than light and focus explain; then light and focus, since they
        change everything that follows from them; then the tray, where the same place is strange in most pictures; else
        damage. Light, focus and tray only where they are evident: with parts of several types, or with damage that
        shows in a whole picture, ten pictures are easily darker or sharper than the middle of training.
    """
    excess = np.median([reference.excess(sample) for sample in samples], axis=0)
    by_name = dict(zip(COLUMNS, (float(value) for value in excess), strict=True))
    light = max(abs(by_name["brightness"]), abs(by_name["contrast"]))
    clipping = min(20.0, max(abs(by_name["clipped_dark"]), abs(by_name["clipped_bright"])))
    # Twice the gain is four times the variance of the Laplacian: what light does to sharpness is no fault of the focus.
    focus = abs(by_name["log_sharpness"] - _gain_in_sharpness(reference, samples))
    whole = max(by_name["log_novelty"], by_name["log_typical"])
    shape = max(abs(by_name["log_area"]), abs(by_name["log_aspect"]))
    if shape > 1 or whole > 1.2 + _explained_by_light(by_name, light, clipping) + 0.15 * focus:
        return CAUSES["part"]
    place = _same_place(reference, samples)
    if place > _CLEAR_PLACE and max(light, focus) < 1 and "tray" in evident:
        return CAUSES["tray"]
    light = max(light, clipping) if "light" in evident else 0.0
    focus = focus if "focus" in evident else 0.0
    if max(light, focus) > _CLEAR:
        return CAUSES["light" if light > focus else "focus"]
    if place > _PLACE and "tray" in evident:
        return CAUSES["tray"]
    if strongest in ("light", "focus"):  # a change too small to be clear by itself, but what else gave the alarm?
        return CAUSES[strongest]
    return CAUSES["part" if whole > 1 else "damage"]


def _explained_by_light(by_name: Mapping[str, float], light: float, clipping: float) -> float:
    """How far the picture as a whole may move where the light did: what is lit otherwise looks otherwise.

    No exposure makes a picture brighter and flatter, or darker and richer in contrast, at once, and none drives pixels
    to the ends of the range without moving the mean.
    """
    brightness = abs(by_name["brightness"])
    together = by_name["brightness"] * by_name["contrast"] >= 0
    return 0.6 * (light if together else brightness) + 0.1 * min(clipping, 10 * brightness)


def _gain_in_sharpness(reference: CaptureReference, samples: list[CaptureSample]) -> float:
    """Return what the change of brightness alone would do to the sharpness, in limits."""
    brightness, sharpness = COLUMNS.index("brightness"), COLUMNS.index("log_sharpness")
    now = float(np.median([sample.measures["brightness"] for sample in samples]))
    gain = max(now, 1e-3) / max(float(reference.centre[brightness]), 1e-3)
    return float(2 * np.log(gain) / (reference.scale[sharpness] * reference.limit[sharpness]))


def _same_place(reference: CaptureReference, samples: list[CaptureSample]) -> float:
    """How much stranger than ordinary one cell is in most of the pictures, in standard deviations."""
    ordinary = np.array([relative_cells(sample) for sample in reference.samples])
    now = np.array([relative_cells(sample) for sample in samples])
    scale: Float64Array = np.maximum(ordinary.std(axis=0, ddof=1), 0.02)
    moved = (np.quantile(now, 0.3, axis=0) - np.median(ordinary, axis=0)) / scale
    return float(moved.max())
