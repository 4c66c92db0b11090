"""One judged image as a line of text, a JSON object or a CSV row."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from anomaly.imaging.names import printable_name
from anomaly.imaging.numbers import score_text
from anomaly.types import DAMAGED, CaptureQuality, NearestPatch, Prediction, Region

_REGION = ("x", "y", "width", "height", "area_px", "peak")
_NEAREST = tuple(field.name for field in dataclasses.fields(NearestPatch))
_QUALITY = tuple(field.name for field in dataclasses.fields(CaptureQuality))

JSON_FIELDS = (
    "path",
    "label",
    "score",
    "threshold",
    "probability",
    "probability_low",
    "probability_high",
    "regions",
    "nearest",
    "quality",
    "calibration_version",
    "p_value",
    "reinspect_above",
    "parts",
    "error",
)
CSV_COLUMNS = (
    *JSON_FIELDS[:8],
    *(f"region_{name}" for name in _REGION),
    *(f"nearest_{name}" for name in _NEAREST),
    *_QUALITY,
    "calibration_version",
    "p_value",
    "reinspect_above",
    "parts",
    "parts_damaged",
    "error",
)


@dataclass(frozen=True)
class Row:
    """What became of one image.

    Attributes
    ----------
    path : str
        As the user named it, or below the folder that the user named.
    prediction : Prediction or None
        None: it could not be read.
    error : str or None
        Why not; one line.
    """

    path: str
    prediction: Prediction | None
    error: str | None = None


def json_object(row: Row) -> dict[str, Any]:
    """Return the fields that docs/cli.md lists, in their order; what is not known is None."""
    found = row.prediction
    if found is None:
        return {**dict.fromkeys(JSON_FIELDS), "path": row.path, "error": row.error}
    return {
        "path": row.path,
        "label": found.label,
        "score": found.score,
        "threshold": found.threshold,
        "probability": found.probability,
        "probability_low": found.probability_low,
        "probability_high": found.probability_high,
        # Without a threshold there are no regions to speak of, which is not the same as none.
        "regions": None if found.threshold is None else [_region(region) for region in found.regions],
        "nearest": dataclasses.asdict(found.nearest[0]) if found.nearest else None,
        "quality": dataclasses.asdict(found.quality),
        "calibration_version": found.calibration_version,
        "p_value": found.p_value,
        "reinspect_above": found.reinspect_above,
        "parts": None if found.parts is None else [dataclasses.asdict(part) for part in found.parts],
        "error": None,
    }


def json_line(value: dict[str, Any]) -> str:
    """Return one line of strict JSON in ASCII: names that are no text survive as escapes."""
    return json.dumps(value, allow_nan=False)


def csv_row(row: Row) -> dict[str, object]:
    """Return the same without nesting: the number of regions and the strongest one."""
    value = json_object(row)
    regions, nearest, quality = value["regions"], value["nearest"] or {}, value["quality"] or {}
    strongest = regions[0] if regions else {}
    parts = value["parts"]
    flat = {
        **{name: value[name] for name in JSON_FIELDS},
        "regions": None if regions is None else len(regions),
        **{f"region_{name}": strongest.get(name) for name in _REGION},
        **{f"nearest_{name}": nearest.get(name) for name in _NEAREST},
        **{name: quality.get(name) for name in _QUALITY},
        "parts": None if parts is None else len(parts),
        "parts_damaged": None if parts is None else sum(part["label"] == DAMAGED for part in parts),
        "warnings": "; ".join(quality["warnings"]) if quality else None,
    }
    return {name: flat[name] for name in CSV_COLUMNS}


def text_line(row: Row) -> str:
    """Return one line for people; whatever the name holds, it stays one line."""
    name, found = printable_name(row.path), row.prediction
    if found is None:
        return f"{name}  not judged  {printable_name(row.error or '')}"
    if found.threshold is None:
        return f"{name}  score only  score {score_text(found.score, 4)}   not calibrated, so no label"
    # A space more than the longest label that fits: with the one that joins, every label has two before what follows.
    parts = [f"{name}  {found.label:<9} ", *_likelihood(found)]
    if found.reinspect_above is None:
        score, threshold = _apart(found.score, found.threshold)
        parts.append(f"score {score}, threshold {threshold}")
    else:
        score, low, high = _apart(found.score, found.reinspect_above, found.threshold)
        parts.append(f"score {score}, thresholds {low} and {high}")
    if found.regions:
        parts.append(f" {_regions(found.regions)}")
    if found.parts is not None:
        parts.append(f"  {found.parts_in_words}")
    if found.quality.warnings:
        parts.append(f"  picture: {'; '.join(found.quality.warnings)}")
    return " ".join(parts)


def _likelihood(found: Prediction) -> list[str]:
    """Say how probable damage is, or, where no damaged image was labelled, how rare so strange a good image is."""
    if found.probability is not None:
        interval = ""
        if found.probability_low is not None and found.probability_high is not None:
            interval = f" ({found.probability_low:.2f}-{found.probability_high:.2f})"
        return [f"probability {found.probability:.2f}{interval} "]
    return [] if found.p_value is None else [f"p-value {found.p_value:.2g} "]


def _regions(regions: tuple[Region, ...]) -> str:
    worst = regions[0]
    place = f"at x={worst.x} y={worst.y} ({worst.width}x{worst.height} px)"
    return f"1 region {place}" if len(regions) == 1 else f"{len(regions)} regions, worst {place}"


def _region(region: Region) -> dict[str, Any]:
    return {name: getattr(region, name) for name in _REGION}


def _apart(*values: float) -> tuple[str, ...]:
    """Write numbers with as many digits as it takes to see which is larger."""
    for digits in range(3, 17):
        texts = tuple(score_text(value, digits) for value in values)
        if len(set(texts)) == len(set(values)):
            return texts
    return tuple(repr(value) for value in values)
