"""Section 3: the experiments behind the settings."""

from __future__ import annotations

from anomaly.dataset.wording import counted
from anomaly.experiment import Experiment, TrialRow, best_first, describe
from anomaly.report.document import Block, Bullets, Figure, Missing, Paragraph, Part, Section, Table, literal
from anomaly.report.evidence import Evidence
from anomaly.report.plots import plot_importance, plot_trials
from anomaly.report.wording import percent

TITLE = "3  Experiments for choosing and tuning the model"
SHOWN = 8
"""Trials in the table."""


def settings_section(evidence: Evidence) -> Part:
    """Say how the settings were chosen, and on what."""
    blocks: list[Block] = [
        Paragraph(
            "Settings are compared on memory and validation photographs alone; the test photographs are not touched, "
            "so that section 4 stays an honest answer."
        )
    ]
    if evidence.provenance.selection:
        blocks.append(Paragraph("**How this model came to its settings:**"))
        blocks.append(
            Bullets(tuple(literal(f"{line[:1].upper()}{line[1:]}") for line in evidence.provenance.selection))
        )
    experiment = evidence.experiment
    if experiment is None:
        blocks.append(
            Missing(
                "No experiment is on record for these photographs.",
                f"python model.py --experiment{evidence.experiment_options()}",
            )
        )
        return Part(Section(TITLE, tuple(blocks)))
    blocks += [
        Paragraph(_method(experiment, sessions=any(entry.group for entry in evidence.provenance.splits))),
        _table(experiment),
        Figure(
            "trials.svg",
            "All combinations by what they cost and what they reach; the chosen one is circled. Lines: 95 % ranges.",
        ),
    ]
    pictures = {"trials.svg": plot_trials(experiment)}
    if experiment.importance:
        pictures["importance.svg"] = plot_importance(experiment.importance)
        blocks.append(
            Figure("importance.svg", "What matters: share of the differences in loss that each setting explains.", 0.7)
        )
    blocks.append(Paragraph(f"**Chosen:** {literal(experiment.reason)}"))
    blocks.append(Paragraph(_used(evidence, experiment)))
    return Part(Section(TITLE, tuple(blocks)), pictures)


def _method(experiment: Experiment, *, sessions: bool) -> str:
    space = experiment.space
    if sessions:
        together = (
            "photographs of one session stayed together"
            if experiment.kept_together
            else "there were too few sessions to keep their photographs together, so these figures are too good"
        )
    else:
        together = (
            "near-duplicates stayed together; the data name no sessions, so photographs of one day may have been on "
            "both sides"
            if experiment.kept_together
            else "there were too many near-duplicates to keep them together, so these figures are too good"
        )
    return (
        f"**The experiment** `{experiment.identity}` compared {counted(len(experiment.trials), 'combination')} on "
        f"{experiment.undamaged} undamaged and {experiment.damaged} damaged photographs. Each was judged "
        f"{counted(int(space['repeats']), 'time')}, every time by a memory that it was not in ({space['folds']} folds; "
        f"{together}). The loss says how well the scores tell the labels apart near the border (0.69 is chance, "
        "lower is "
        "better); the ranking is the share of pairs of a damaged and an undamaged photograph in which the damaged one "
        "scores higher."
    )


def _table(experiment: Experiment) -> Table:
    rows = best_first(experiment)[:SHOWN]
    if experiment.chosen not in {row.number for row in rows}:
        rows = [*rows[: SHOWN - 1], experiment.trial(experiment.chosen)]
    return Table(
        f"The best of the {len(experiment.trials)} combinations, and the chosen one (bold). Found: damaged photographs "
        f"above the score that one undamaged photograph in twenty exceeds.",
        ("settings", "loss (error)", "ranking (95 % range)", "found", "seconds"),
        tuple(_row(row, experiment) for row in rows),
        True,
        (4.6, 1.5, 2.2, 1.1, 0.9),
    )


def _row(row: TrialRow, experiment: Experiment) -> tuple[str, ...]:
    words = literal(describe(row.settings))
    return (
        f"**{words}**" if row.number == experiment.chosen else words,
        f"{row.loss:.3f} ({row.loss_error:.3f})",
        f"{percent(row.auroc)} ({100 * row.low:.1f} to {100 * row.high:.1f})",
        f"{row.found:g} of {experiment.damaged}",
        f"{row.seconds:.1f}",
    )


def _used(evidence: Evidence, experiment: Experiment) -> str:
    if any(experiment.identity in line for line in evidence.provenance.selection):
        return "This model was trained with the chosen settings."
    return (
        "This model was trained without the outcome of the experiment; "
        f"`python model.py --train --from-experiment{literal(evidence.experiment_options())}` uses it."
    )
