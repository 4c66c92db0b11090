"""Model selection by experiment: many settings, repeated grouped cross-validation, no test photograph.

``plan`` decides what is tried on which photographs, ``run`` does it and may be interrupted at any moment, the outcome
is an ``Experiment`` on disk.
"""

from anomaly.experiment.conduct import Plan, finished_trials, plan, run
from anomaly.experiment.record import (
    CurvePoint,
    Experiment,
    TrialRow,
    dataset_hash,
    find_experiment,
    images_hash,
    read_experiment,
)
from anomaly.experiment.space import Space, apply, describe, read_space
from anomaly.experiment.wording import best_first, lines

__all__ = [
    "CurvePoint",
    "Experiment",
    "Plan",
    "Space",
    "TrialRow",
    "apply",
    "best_first",
    "dataset_hash",
    "describe",
    "find_experiment",
    "finished_trials",
    "images_hash",
    "lines",
    "plan",
    "read_experiment",
    "read_space",
    "run",
]
