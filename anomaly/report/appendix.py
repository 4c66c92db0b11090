"""Appendix: settings, versions, provenance and licences."""

from __future__ import annotations

import dataclasses

from anomaly.report.document import Block, Paragraph, Part, Section, Table, literal
from anomaly.report.evidence import Evidence
from anomaly.report.wording import day


def appendix(evidence: Evidence) -> Part:
    """Build the appendix."""
    blocks: list[Block] = [
        Table("Provenance.", ("what", "value"), tuple(_provenance(evidence)), False, (1, 3.2)),
        Table("Settings.", ("section", "settings"), tuple(_settings(evidence)), False, (1, 5.5)),
        Paragraph(
            "Libraries: " + ", ".join(f"{name} {version}" for name, version in evidence.libraries.items()) + ". "
            "Intervals of rates are exact (Clopper and Pearson), those of the ranking after DeLong. The rules behind "
            "sections 5 to 7 are listed in `docs/report.md`."
        ),
    ]
    return Part(Section("Appendix: settings, versions, licences", tuple(blocks)))


def _provenance(evidence: Evidence) -> list[tuple[str, str]]:
    provenance, record, results = evidence.provenance, evidence.record, evidence.results
    rows = [
        ("trained model", f"`{literal(evidence.model)}`, fingerprint `{evidence.fingerprint}`, training "
         f"`{evidence.training}`"),
        ("trained", f"{day(provenance.created)} on `{literal(provenance.data) or 'images given in Python'}`"),
        ("licence of the data", literal(evidence.data_licence)
         or "not found beside the data; check before passing them on"),
        ("backbone", f"{evidence.backbone['name']} from {evidence.backbone['origin']}, sha256 "
         f"`{evidence.backbone['sha256'][:12]}`, licence {evidence.backbone['licence']}"),
    ]  # fmt: skip
    if record is not None:
        types = sorted(record.calibration.by_part_type.items())
        own = "".join(f", {literal(name)} {calibration.threshold:.6g}" for name, calibration in types)
        rows.append(
            (
                "calibration",
                f"number {record.version} of {evidence.calibrations}, {day(record.created)}, {literal(record.reason)}; "
                f"threshold {record.calibration.threshold:.6g}{own}, objective {record.calibration.objective}",
            )
        )
    if results is not None:
        speed = f", {results.seconds_per_image:.2f} s a photograph there" if results.seconds_per_image else ""
        rows.append(("test", f"judged {day(results.created)} on `{literal(results.data)}`{speed}"))
    return rows


def _settings(evidence: Evidence) -> list[tuple[str, str]]:
    rows = [("seed", str(evidence.config.seed))]
    for name, value in dataclasses.asdict(evidence.config).items():
        if isinstance(value, dict):
            rows.append((name, ", ".join(f"{key} {literal(_plain(entry))}" for key, entry in value.items())))
    return rows


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "(default)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "(none)"
