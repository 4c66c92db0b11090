"""Sections 5 to 7: what follows from the measurements."""

from __future__ import annotations

from collections.abc import Sequence

from anomaly.dataset.wording import counted
from anomaly.report.advice import Advice
from anomaly.report.document import Advised, Block, Figure, Missing, Paragraph, Part, Section
from anomaly.report.evidence import Evidence
from anomaly.report.plots import plot_curves, plot_sessions
from anomaly.report.results import CaptureRow
from anomaly.report.wording import were
from anomaly.types import UNDAMAGED


def improve_section(advice: Sequence[Advice]) -> Part:
    """Section 5."""
    opening = "Each point starts with what was measured on these photographs; the arrow says what follows."
    nothing = "No rule found a weakness in these measurements."
    return Part(Section("5  How to improve it further", _blocks(opening if advice else nothing, advice)))


def upkeep_section(advice: Sequence[Advice]) -> Part:
    """Section 6."""
    opening = (
        "The program compares with what it remembers. It gets worse when pictures or parts drift away from "
        "that, mostly unnoticed. These are the checks, with the numbers of this model."
    )
    return Part(Section("6  How to keep it from degrading", _blocks(opening, advice)))


def capture_section(evidence: Evidence, advice: Sequence[Advice]) -> Part:
    """Section 7: photographs, and how many of them."""
    title = "7  How to collect better photographs"
    rows = evidence.results.capture if evidence.results else ()
    pictures: dict[str, bytes] = {}
    if not rows:
        missing = _unmeasured(evidence)
        known = _blocks("What is known without them:", advice)
        return Part(Section(title, (missing, *known, *_curves(evidence, pictures))), pictures)
    absent = evidence.results.missing if evidence.results else 0
    more = f"; {absent} more {were(absent)} not found in the folder" if absent else ""
    blocks = list(_blocks(f"From the capture measures of {counted(len(rows), 'photograph')}{more}:", advice))
    if len({row.group for row in rows if row.label == UNDAMAGED}) > 2:
        pictures["sessions.svg"] = plot_sessions(rows)
        blocks.append(
            Figure(
                "sessions.svg",
                f"Undamaged photographs, session by session: steady pictures give dots in one line.{_unshown(rows)}",
            )
        )
    blocks += _curves(evidence, pictures)
    return Part(Section(title, tuple(blocks)), pictures)


def _unshown(rows: Sequence[CaptureRow]) -> str:
    """Say how many sessions have no undamaged photograph."""
    named = {row.group for row in rows if row.group}
    unshown = len(named - {row.group for row in rows if row.label == UNDAMAGED})
    if not unshown:
        return ""
    return f" {unshown} of the {counted(len(named), 'session')} {'has' if unshown == 1 else 'have'} none."


def _unmeasured(evidence: Evidence) -> Missing:
    what = "How the photographs were taken was not measured for this report"
    if not evidence.provenance.splits:
        return Missing(f"{what}: the trained model does not record them.", "python model.py --train --data DIR")
    return Missing(f"{what}.", f"python model.py --report --data DIR{evidence.report_options()}")


def _curves(evidence: Evidence, pictures: dict[str, bytes]) -> list[Block]:
    """Return the learning curves, or what makes them."""
    experiment = evidence.experiment
    if experiment is None:
        missing = "How many more photographs buy how much (the learning curve) was not measured."
        return [Missing(missing, f"python model.py --experiment{evidence.experiment_options()}")]
    pictures["curves.svg"] = plot_curves(experiment.memory_curve, experiment.label_curve)
    return [
        Figure(
            "curves.svg",
            "Learning curves of the settings that the experiment chose, by cross-validation. Left: undamaged "
            "photographs in the memory "
            "and ranking; right: damaged photographs that choose the threshold and share judged rightly (mean of "
            "damaged and undamaged). Bands: 95 %.",
        )
    ]


def _blocks(opening: str, advice: Sequence[Advice]) -> tuple[Block, ...]:
    return (Paragraph(opening), *(Advised(item.finding, item.action, item.command, item.rule) for item in advice))
