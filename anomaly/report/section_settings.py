"""Section 3: the experiments behind the settings."""

from __future__ import annotations

from anomaly.report.document import Block, Bullets, Missing, Paragraph, Part, Section
from anomaly.report.evidence import Evidence

TITLE = "3  Experiments for choosing and tuning the model"


def settings_section(evidence: Evidence) -> Part:
    """Say how the settings were chosen, and on what."""
    blocks: list[Block] = [
        Paragraph(
            "Settings are compared on memory and validation photographs alone; the test photographs are not "
            "touched, so that section 4 stays an honest answer."
        )
    ]
    if evidence.provenance.selection:
        blocks.append(Paragraph("**The quick comparison that is part of training:**"))
        blocks.append(Bullets(tuple(f"{line[0].upper()}{line[1:]}" for line in evidence.provenance.selection)))
    blocks.append(
        Missing(
            "No experiment is on record for these photographs.",
            f"python model.py --experiment{_data(evidence)}",
        )
    )
    return Part(Section(TITLE, tuple(blocks)))


def _data(evidence: Evidence) -> str:
    data = evidence.provenance.data
    return "" if data == "data/parts" else f" --data {data or 'DIR'}"
