"""An experiment as plain text."""

from __future__ import annotations

from anomaly.experiment.record import CurvePoint, Experiment, TrialRow
from anomaly.experiment.space import describe

SHOWN = 15
"""Rows of the table that are printed; the record has all."""


def best_first(experiment: Experiment) -> list[TrialRow]:
    """Return the trials, lowest loss first."""
    return sorted(experiment.trials, key=lambda row: (row.loss, row.number))


def lines(experiment: Experiment) -> list[str]:
    """Return one line for each thing to say."""
    ordered = best_first(experiment)
    together = "kept together" if experiment.kept_together else "that could not be kept together"
    found = [
        f"{len(ordered)} combinations on {experiment.undamaged} undamaged and {experiment.damaged} damaged photographs "
        f"of memory and validation, in {experiment.units} units {together}; the test split was not touched",
        " trial   loss (error)    AUROC % (95 %)      found   seconds  settings",
    ]
    shown = ordered[:SHOWN]
    if experiment.chosen not in {row.number for row in shown}:
        shown.append(experiment.trial(experiment.chosen))
    found += [_line(row, experiment) for row in shown]
    if len(ordered) > len(shown):
        found.append(f"({len(ordered) - len(shown)} more in the record)")
    if experiment.importance:
        shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in experiment.importance.items())
        found.append(f"what matters (share of the variance of the loss): {shares}")
    found.append(f"chosen: {experiment.reason}")
    found += _curve("undamaged photographs in the memory: AUROC", experiment.memory_curve)
    found += _curve("damaged photographs for the threshold: balanced accuracy", experiment.label_curve)
    return found


def _line(row: TrialRow, experiment: Experiment) -> str:
    mark = "*" if row.number == experiment.chosen else " "
    interval = f"{100 * row.auroc:5.1f} ({100 * row.low:.1f}-{100 * row.high:.1f})"
    return (
        f"{mark}{row.number:5d}   {row.loss:.3f} ({row.loss_error:.3f})  {interval:19s} {row.found:4.1f}/"
        f"{experiment.damaged:<4d} {row.seconds:6.1f}  {describe(row.settings)}"
    )


def _curve(what: str, points: tuple[CurvePoint, ...]) -> list[str]:
    if not points:
        return []
    told = ", ".join(f"{p.n}: {100 * p.value:.1f} % ({100 * p.low:.1f}-{100 * p.high:.1f})" for p in points)
    return [f"{what}: {told}"]
