"""``--info``: what a trained model is, was trained on and promises."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from anomaly.cli.options import DEFAULT_MODEL, DONE
from anomaly.cli.output import emit
from anomaly.cli.parser import Arguments
from anomaly.cli.rows import json_line
from anomaly.detector import Detector, fingerprint, load_detector, read_manifest
from anomaly.detector.model_reading import corrupt
from anomaly.detector.part_view import describe as describe_parts
from anomaly.imaging.names import printable_name
from anomaly.types import DAMAGED, UNDAMAGED, Split

_BACKBONE = ("name", "origin", "sha256", "licence")
_SPLITS: tuple[Split, ...] = get_args(Split)


def run(arguments: Arguments) -> int:
    """Verify the trained model and describe it."""
    detector = load_detector(arguments.model, device="cpu")
    facts = describe(detector, arguments.model)
    if arguments.json:
        emit(json_line(facts))
    else:
        for line in _lines(facts):
            emit(printable_name(line))
    return DONE


def describe(detector: Detector, folder: Path) -> dict[str, Any]:
    """Return everything there is to say, ready for JSON.

    Raises
    ------
    TrainedModelCorruptError
        The manifest lacks what is told here and nothing else needs.
    """
    manifest = read_manifest(folder)
    if damage := _damage(manifest, banks=len(detector.banks)):
        raise corrupt(folder, damage)
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return {
        "model": str(folder),
        "fingerprint": fingerprint(folder),
        "format": manifest["format"],
        "bytes": sum(sizes),
        "created": detector.provenance.created,
        "data": detector.provenance.data,
        "layout": detector.provenance.layout,
        "notes": list(detector.provenance.notes),
        "selection": list(detector.provenance.selection),
        "parts": describe_parts(detector.part_views),
        "splits": split_counts(detector),
        "bank": {
            "images": len(detector.bank_images),
            "rows": {tap: len(bank) for tap, bank in zip(manifest["scales"], detector.banks, strict=True)},
        },
        "backbone": manifest["backbone"],
        "config": manifest["config"],
        "calibration": _calibration(detector),
        "libraries": manifest["libraries"],
    }


def _damage(manifest: Mapping[str, Any], *, banks: int) -> str:
    """Say which entry of a manifest is missing or malformed; empty: none."""
    malformed = [
        name for name in ("libraries", "backbone", "config", "scales") if not isinstance(manifest.get(name), dict)
    ]
    if malformed:
        return f"an entry is missing or malformed ({malformed[0]!r})"
    backbone, config = manifest["backbone"], manifest["config"]
    wrong = [f"backbone.{key}" for key in _BACKBONE if not isinstance(backbone.get(key), str)]
    wrong += [] if isinstance(config.get("seed"), int) else ["config.seed"]
    wrong += [] if len(manifest["scales"]) == banks else ["scales"]
    return f"an entry is missing or malformed ({wrong[0]!r})" if wrong else ""


def split_counts(detector: Detector) -> list[dict[str, Any]]:
    """Count the images of each split by part type and label."""
    counts = Counter((row.split, row.part_type, row.label) for row in detector.provenance.splits)
    part_types = sorted({row.part_type for row in detector.provenance.splits})
    return [
        {"split": split, "part_type": part_type, "undamaged": undamaged, "damaged": damaged}
        for split in _SPLITS
        for part_type in part_types
        if (undamaged := counts[split, part_type, UNDAMAGED]) + (damaged := counts[split, part_type, DAMAGED])
    ]


def split_lines(counts: list[dict[str, Any]]) -> list[str]:
    """Say the same to people."""
    return [
        f"{row['split']}{' ' + row['part_type'] if row['part_type'] else ''}: {row['undamaged']} undamaged, "
        f"{row['damaged']} damaged images"
        for row in counts
    ]


def _calibration(detector: Detector) -> dict[str, Any] | None:
    record = detector.record
    if record is None or detector.history is None:
        return None
    calibration = record.calibration
    return {
        "version": record.version,
        "of": len(detector.history.records),
        "created": record.created,
        "reason": record.reason,
        "source": record.source,
        "threshold": calibration.threshold,
        "part_type_thresholds": {name: own.threshold for name, own in calibration.by_part_type.items()},
        "objective": calibration.objective,
        "lines": calibration.lines(),
    }


def _lines(facts: Mapping[str, Any]) -> list[str]:
    backbone, config, bank = facts["backbone"], facts["config"], facts["bank"]
    rows = ", ".join(f"{tap} {n}" for tap, n in bank["rows"].items())
    lines = [
        f"trained model {facts['model']}   fingerprint {facts['fingerprint']}, format {facts['format']}, "
        f"{facts['bytes'] / 1e6:.1f} MB",
        f"trained       {facts['created'] or 'time not recorded'} on {facts['data'] or 'images given in Python'}",
        *([f"              {facts['layout']}"] if facts["layout"] else []),
        *(f"              {line}" for line in split_lines(facts["splits"])),
        *(f"note          {note}" for note in facts["notes"]),
        f"memory bank   {bank['images']} undamaged images; rows per tap: {rows}",
        f"backbone      {backbone['name']} from {backbone['origin']}, sha256 {backbone['sha256'][:12]}, "
        f"licence {backbone['licence']}",
    ]
    lines += _named("chosen", facts["selection"])
    lines += _named("parts", facts["parts"])
    lines += _setting_lines(config)
    return [
        *lines,
        *_calibration_lines(facts["calibration"], facts["model"]),
        f"libraries     {_pairs(facts['libraries'], ' ')}",
    ]


def _named(heading: str, told: Sequence[str]) -> list[str]:
    """Put a heading before lines, which some of them begin with themselves."""
    return [f"{heading:<13} {line.removeprefix(f'{heading}: ')}" for line in told]


def _setting_lines(config: Mapping[str, Any]) -> list[str]:
    lines = [f"settings      seed={config['seed']}"]
    for section, settings in config.items():
        if isinstance(settings, dict):
            lines.append(f"              [{section}] {_pairs(settings, '=')}")
    return lines


def _calibration_lines(calibration: Mapping[str, Any] | None, model: str) -> list[str]:
    if calibration is None:
        option = "" if model == DEFAULT_MODEL else f" --model {shlex.quote(model)}"
        return [f"calibration   none: images get a score and no label; make one with --recalibrate --data DIR{option}"]
    head = (
        f"calibration   {calibration['version']} of {calibration['of']}, {calibration['created']}, "
        f"{calibration['reason']} ({calibration['source']})"
    )
    return [head, *(f"              {line}" for line in calibration["lines"])]


def _pairs(values: Mapping[str, Any], between: str) -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in values.items())
