"""Section 3: the experiments behind the settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from anomaly.dataset.wording import counted
from anomaly.experiment import Experiment, TrialRow, best_first, describe
from anomaly.experiment.space import Value
from anomaly.report.document import Block, Bullets, Figure, Missing, Paragraph, Part, Section, Table, literal
from anomaly.report.evidence import Evidence
from anomaly.report.facts import by_experiment
from anomaly.report.plots import plot_importance, plot_trials
from anomaly.report.wording import SETTINGS, percent

_LOSS = "The loss says how well the scores tell the labels apart near the border (0.69 is chance, lower is better)"
_RANKING = "the share of pairs of a damaged and an undamaged photograph in which the damaged one scores higher"
TITLE = "3  Experiments for choosing and tuning the model"
SHOWN = 8
"""Trials in the table."""
_READING = (
    f"{_LOSS}; the AUROC is {_RANKING} (50 % is chance). Taps are the layers at which the network is read, and **as "
    "given** are the settings that training was called with, before anything was compared. Top share and smoothing are "
    "explained in section 2 (score). **These figures are too good**: the chosen combination is the best of all that "
    "were compared on the same few validation photographs, and part of its lead is chance. What to expect of new "
    "photographs stands in section 4."
)


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
    if _own_comparison(evidence):
        blocks.append(Paragraph(_READING))
    experiment = evidence.experiment
    if experiment is None:
        blocks.append(
            Missing(
                "No experiment is on record for these photographs.",
                f"python model.py --experiment{evidence.experiment_options()}",
            )
        )
        return Part(Section(TITLE, tuple(blocks)))
    sessions = any(entry.group for entry in evidence.provenance.splits)
    blocks += [
        Paragraph(f"{_method(experiment, sessions=sessions)} {_measures(evidence)}"),
        *_fixed(evidence, experiment),
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
    blocks.append(Paragraph(f"**The experiment chose:** {literal(experiment.reason)}"))
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
        f"{together})."
    )


def _measures(evidence: Evidence) -> str:
    """Say what is compared, once."""
    if _own_comparison(evidence):
        return "The loss is the measure described above, the ranking the AUROC."
    return f"{_LOSS}; the ranking is {_RANKING}."


def _own_comparison(evidence: Evidence) -> bool:
    """Whether training compared settings itself, with a loss for each."""
    return any("(loss " in line for line in evidence.provenance.selection) and not by_experiment(
        evidence.provenance.selection
    )


def _fixed(evidence: Evidence, experiment: Experiment) -> list[Block]:
    """Name the settings that the experiment did not vary, and where this model has others."""
    axes = experiment.space.get("axes", {})
    theirs = _values(experiment.config, axes)
    own = _values(dataclasses.asdict(evidence.config), axes)
    if not theirs:
        return []
    others = {name: value for name, value in own.items() if name in theirs and value != theirs[name]}
    unlike = f" This model was trained with another choice of these: {describe(others)}." if others else ""
    return [Paragraph(literal(f"It held fixed, and so says nothing about: {describe(theirs)}.{unlike}"))]


def _values(config: Mapping[str, Any], varied: Collection[str]) -> dict[str, Value]:
    """Return the settings that an experiment could have varied and did not; without those that stand for a default."""
    found = {}
    for name in SETTINGS:
        section, key = name.split(".")
        value = config.get(section, {}).get(key)
        if name not in varied and value not in (None, "", (), []):
            found[name] = tuple(value) if isinstance(value, list) else value
    return found


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
    if any(line.startswith(f"chosen by experiment {experiment.identity}:") for line in evidence.provenance.selection):
        return "This model was trained with the chosen settings."
    apart = (
        " The loss and AUROC above by which this model came to its settings were measured on the validation "
        "photographs alone, with one memory; those of the experiment on memory and validation photographs, by "
        "cross-validation. They cannot be compared with each other."
        if _own_comparison(evidence)
        else ""
    )
    return (
        f"**This model was trained without the outcome of the experiment.**{apart} Trained with it a model may do "
        f"better or worse: `python model.py --train --from-experiment{literal(evidence.experiment_options())} --model "
        "trained_new` trains one beside this, and `python model.py --evaluate --data labelled/` with `--model` for "
        "each of the two compares them on labelled photographs that neither has seen."
    )
