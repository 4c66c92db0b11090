"""``card.md``: what a trained model is, for people. Never read by the program."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from anomaly.detector.part_view import describe
from anomaly.embedding.registry import backbone
from anomaly.imaging.names import printable_name

if TYPE_CHECKING:
    from anomaly.detector.detector import Detector


def card(detector: Detector) -> str:
    """Markdown text: purpose, data, settings, calibration, limits and provenance of the weights."""
    config, provenance = detector.config, detector.provenance
    entry = backbone(config.embedding.backbone)
    taps = ", ".join(tap.name for tap in entry.select_taps(config.embedding.taps))
    lines = [
        "# Trained model",
        "",
        "Scores photographs of parts by their distance to undamaged ones (goodparts, PatchCore style).",
        "",
        f"- Trained: {provenance.created or 'not recorded'} on {provenance.data or 'images given in Python'}"
        f"{f' ({provenance.layout})' if provenance.layout else ''}",
        f"- Memory bank: {len(detector.bank_images)} undamaged images, {sum(len(b) for b in detector.banks)} rows",
        *_split_lines(detector),
        f"- Embedding: {entry.name}, taps {taps}, about {config.geometry.size}² network pixels, "
        f"{'whitened' if config.embedding.whitening else 'not whitened'}",
        *(f"- Settings: {reason}" for reason in provenance.selection),
        *(f"- {line[0].upper()}{line[1:]}" for line in describe(detector.part_views)),
        f"- Weights: {entry.origin}, sha256 {detector.embedding.backbone_sha256[:12]}…, licence {entry.licence}",
        "",
        "## Calibration",
        "",
        *(calibration_lines(detector) or ["Not calibrated: scores only."]),
        "",
        "## Limits",
        "",
        "It judges images like those it was trained on: same parts, same camera, same light. "
        "It was not told about damage that no validation image shows.",
    ]
    lines += ["", "## Notes", "", *(f"- {note}" for note in provenance.notes)] if provenance.notes else []
    return "\n".join(map(printable_name, lines)) + "\n"


def calibration_lines(detector: Detector) -> list[str]:
    """Say what the standing calibration says, one line each; none before the first."""
    record = detector.record
    if record is None:
        return []
    head = f"Number {record.version}, {record.created}, {record.reason} ({record.source})"
    return [head, *(f"- {line}" for line in record.calibration.lines())]


def _split_lines(detector: Detector) -> list[str]:
    counts = Counter((row.split, row.label) for row in detector.provenance.splits)
    return [
        f"- {split.capitalize()}: {counts[split, 'undamaged']} undamaged, {counts[split, 'damaged']} damaged images"
        for split in ("bank", "validation", "test")
        if any(key[0] == split for key in counts)
    ]
