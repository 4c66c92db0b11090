"""From values that have changed to the likely cause, and what to do about it."""

from __future__ import annotations

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
              "clean the lens and check focus, distance and shutter time; the threshold is not to blame"),
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


def likely_cause(reference: CaptureReference, samples: list[CaptureSample]) -> Cause:
    """Name the likely cause of a change.

    Parameters
    ----------
    reference : CaptureReference
    samples : list of CaptureSample
        Pictures taken since the change; at least one.

    Returns
    -------
    Cause
        Light and focus come first, since they change everything that follows from them; a part only where the whole
        picture changed more than light and focus explain; then the tray, where the same place is strange in most
        pictures; else damage.
    """
    excess = np.median([reference.excess(sample) for sample in samples], axis=0)
    by_name = dict(zip(COLUMNS, (float(value) for value in excess), strict=True))
    light = max(abs(by_name["brightness"]), abs(by_name["contrast"]))
    clipping = min(20.0, max(abs(by_name["clipped_dark"]), abs(by_name["clipped_bright"])))
    # Twice the gain is four times the variance of the Laplacian: what light does to sharpness is no fault of the focus.
    focus = abs(by_name["log_sharpness"] - _gain_in_sharpness(reference, samples))
    whole = max(by_name["log_novelty"], by_name["log_typical"])
    shape = max(abs(by_name["log_area"]), abs(by_name["log_aspect"]))
    if shape > 1 or whole > 1.2 + 0.6 * light + 0.15 * focus + 0.1 * clipping:
        return CAUSES["part"]
    place = _same_place(reference, samples)
    if place > _CLEAR_PLACE and max(light, focus) < 1:
        return CAUSES["tray"]
    light = max(light, clipping)
    if max(light, focus) > _CLEAR:
        return CAUSES["light" if light > focus else "focus"]
    if place > _PLACE:
        return CAUSES["tray"]
    return CAUSES["part" if whole > 1 else "damage"]


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
