"""An experiment from its plan to its outcome: trials that share features, kept one by one, always in the same order."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TypeAlias

import numpy as np

from anomaly.config import Config, config_to_dict
from anomaly.dataset import DuplicateCluster, LabelledImage
from anomaly.detector.progress import Progress, silent
from anomaly.embedding.registry import backbone
from anomaly.embedding.runtime import Device
from anomaly.experiment.choice import ROUNDING, choose, gap_to
from anomaly.experiment.distances import Features, Memory, extract, held_out, looks, memories, score_fold
from anomaly.experiment.learning_curve import label_curve, memory_curve, memory_steps
from anomaly.experiment.measures import Measures, mean_loss, measure, standard_error
from anomaly.experiment.pool import Pool, fold_numbers, keeps_units, make_folds, make_pool
from anomaly.experiment.record import CurvePoint, Experiment, TrialRow, write_experiment
from anomaly.experiment.space import Settings, Space, apply, describe, draw, front
from anomaly.experiment.store import StoredTrial, TrialStore
from anomaly.imaging.decode import image_size
from anomaly.types import Float32Array, Float64Array, Int64Array

_FOLD_STEPS = 5
"""What a memory of one tap costs, in photographs that the network looks at; for the time left."""

_Distances: TypeAlias = list[list[dict[Memory, dict[int, Float32Array]]]]
"""Patch distances of every photograph that is judged: by repeat, fold, memory and number of the photograph."""


@dataclass(frozen=True, eq=False)
class Plan:
    """All that decides what an experiment finds.

    Attributes
    ----------
    config : Config
        Settings that are not varied.
    space : Space
    pool : Pool
    folds : ndarray of int64, (repeats, n)
        In which fold each photograph is judged.
    trials : tuple of Settings
    identity : str
        Hash of photographs, settings and space: the same for the same experiment.
    data, dataset, images : str
        For the record, see :class:`anomaly.experiment.record.Experiment`.
    """

    config: Config
    space: Space
    pool: Pool
    folds: Int64Array
    trials: tuple[Settings, ...]
    identity: str
    data: str
    dataset: str
    images: str

    def folder(self, work: Path) -> Path:
        """Where this experiment is kept."""
        return work / f"experiment-{self.identity}"


def plan(
    config: Config,
    space: Space,
    *,
    bank: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    near: Sequence[DuplicateCluster] = (),
    fixed: Sequence[str] = (),
    data: str,
    dataset: str,
    images: str,
) -> Plan:
    """Decide what to try on which photographs.

    Parameters
    ----------
    config : Config
    space : Space
    bank, validation : sequence of LabelledImage
        The images of these splits; the test split stays out.
    near : sequence of DuplicateCluster
        Near-duplicates, to be kept together.
    fixed : sequence of str
        Settings that are not varied, whatever the space says.
    data, dataset, images : str
        For the record.

    Raises
    ------
    TooFewImagesError, ConfigError, ImageError
    """
    pool = make_pool(bank, validation, near=near, undamaged=space.undamaged, damaged=space.damaged)
    area = median(height * width for height, width in (image_size(i.path, limits=config.image) for i in pool.images))
    trials = draw(space, config, fixed=fixed, image_area=area)
    folds = np.stack([make_folds(pool, folds=space.folds, seed=space.seed + repeat) for repeat in range(space.repeats)])
    facts = [images, dataset, config_to_dict(config), space.to_dict(), sorted(fixed)]
    identity = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    return Plan(config, space, pool, folds, trials, identity, data, dataset, images)


def run(todo: Plan, work: Path, *, device: Device = "auto", progress: Progress = silent) -> Experiment:
    """Run the trials that are not finished yet, choose, and write the record.

    Parameters
    ----------
    todo : Plan
    work : Path
        Folder that keeps experiments.
    device : {"auto", "cpu", "cuda"}
    progress : Progress
        Told about ``experiment`` and ``learning curve``.

    Returns
    -------
    Experiment

    Raises
    ------
    ExperimentError, ImageError, BackboneError, RuntimeUnavailableError, ConfigError, OutputError
    """
    folder = todo.folder(work)
    with _store(todo, folder) as store:
        _run_trials(todo, store, device, progress)
        finished = store.finished()
        stored = [finished[number] for number in range(len(todo.trials))]
        experiment = _conclude(todo, stored, store.importance(), device, progress)
        write_experiment(experiment, folder)
    return experiment


def finished_trials(todo: Plan, work: Path) -> int:
    """How many trials are kept already.

    Raises
    ------
    ExperimentError, RuntimeUnavailableError
    """
    with _store(todo, todo.folder(work)) as store:
        return len(store.finished())


def _store(todo: Plan, folder: Path) -> TrialStore:
    return TrialStore(folder, todo.trials, shape=todo.folds.shape)


def named(settings: Settings, config: Config) -> Config:
    """Return the configuration of a trial, its taps named."""
    changed = apply(settings, config)
    taps = backbone(changed.embedding.backbone).select_taps(changed.embedding.taps)
    return dataclasses.replace(
        changed, embedding=dataclasses.replace(changed.embedding, taps=tuple(tap.name for tap in taps))
    )


def _run_trials(todo: Plan, store: TrialStore, device: Device, progress: Progress) -> None:
    done = store.finished()
    fronts = [
        [number for number in numbers if number not in done]
        for _, numbers in itertools.groupby(range(len(todo.trials)), key=lambda number: front(todo.trials[number]))
    ]
    fronts = [numbers for numbers in fronts if numbers]
    total = sum(_steps(todo, numbers) for numbers in fronts)
    steps = _Steps(total, lambda at: progress("experiment", at, total))
    for numbers in fronts:
        started = time.perf_counter()
        configs = {number: named(todo.trials[number], todo.config) for number in numbers}
        wanted = _wanted(list(configs.values()))
        features = extract(
            configs[numbers[0]],
            todo.pool,
            taps={memory.tap for memory in wanted},
            turns={memory.turns for memory in wanted},
            device=device,
            step=steps.one,
        )
        distances = _all_distances(todo, features, wanted, steps)
        shared = (time.perf_counter() - started) / len(numbers)
        for number in numbers:
            started = time.perf_counter()
            scores = _scores(todo, configs[number], distances)
            judged = todo.pool.judged
            loss = mean_loss(scores[:, judged], todo.pool.damaged[judged], seed=todo.space.seed)
            store.add(StoredTrial(number, scores, loss, shared + time.perf_counter() - started))
            steps.one()


class _Steps:
    """Counts steps and tells."""

    def __init__(self, total: int, tell: Callable[[int], None]) -> None:
        self._done, self._total, self._tell = 0, total, tell

    def one(self, n: int = 1) -> None:
        self._done = min(self._total, self._done + n)
        self._tell(self._done)


def _steps(todo: Plan, numbers: Sequence[int]) -> int:
    wanted = _wanted([named(todo.trials[number], todo.config) for number in numbers])
    searches = len(_kinds(wanted)) * sum(len(fold_numbers(row)) for row in todo.folds)
    seen = looks(todo.pool, {memory.turns for memory in wanted})
    return seen + _FOLD_STEPS * searches + len(numbers)


def _kinds(wanted: Sequence[Memory]) -> set[tuple[str, bool, int, int]]:
    return {(memory.tap, memory.whitening, memory.turns, memory.rows) for memory in wanted}


def _wanted(configs: Sequence[Config]) -> list[Memory]:
    """Return the memories of several trials, each once, in an order that does not depend on which are finished."""
    return sorted({memory for config in configs for memory in memories(config)})


def _all_distances(todo: Plan, features: Features, wanted: Sequence[Memory], steps: _Steps) -> _Distances:
    pool, found = todo.pool, []
    for row in todo.folds:
        of_repeat = []
        for number in fold_numbers(row):
            judged = row == number
            of_repeat.append(
                held_out(
                    features,
                    wanted,
                    judged=judged,
                    remembered=~judged & ~pool.damaged,
                    patches=todo.space.patches,
                    seed=todo.space.seed,
                )
            )
            steps.one(_FOLD_STEPS * len(_kinds(wanted)))
        found.append(of_repeat)
    return found


def _scores(
    todo: Plan,
    config: Config,
    distances: _Distances,
) -> Float64Array:
    scores = np.zeros(todo.folds.shape)
    for repeat, row in enumerate(todo.folds):
        for fold, number in enumerate(fold_numbers(row)):
            numbers = np.flatnonzero(row == number)
            scores[repeat, numbers] = score_fold(
                distances[repeat][fold],
                config,
                numbers=numbers,
                undamaged=~todo.pool.damaged[numbers],
                scale_share=todo.config.scoring.top_share,
            )
    return scores


def _measure(todo: Plan, scores: Float64Array) -> Measures:
    pool, judged = todo.pool, todo.pool.judged
    return measure(scores[:, judged], pool.damaged[judged], pool.unit[judged], seed=todo.space.seed)


def _conclude(
    todo: Plan, stored: Sequence[StoredTrial], importance: dict[str, float], device: Device, progress: Progress
) -> Experiment:
    measures = [_measure(todo, trial.scores) for trial in stored]
    pairs = [(settings, found.losses) for settings, found in zip(todo.trials, measures, strict=True)]
    best, chosen, gap, candidates = choose(pairs, todo.pool.unit[todo.pool.judged])
    pool = todo.pool
    return Experiment(
        identity=todo.identity,
        data=todo.data,
        dataset=todo.dataset,
        images=todo.images,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        config=json.loads(json.dumps(config_to_dict(todo.config))),
        space=todo.space.to_dict(),
        undamaged=int(np.sum(~pool.damaged & pool.judged)),
        damaged=int(np.sum(pool.damaged)),
        units=len(np.unique(pool.unit[pool.judged])),
        kept_together=all(keeps_units(row, pool) for row in todo.folds),
        trials=tuple(_row(todo, trial, found) for trial, found in zip(stored, measures, strict=True)),
        importance=importance,
        best=best,
        chosen=chosen,
        reason=_reason(todo, measures, best, chosen, gap, len(candidates)),
        memory_curve=_memory_curve(todo, todo.trials[chosen], device, progress),
        label_curve=label_curve(stored[chosen].scores[:, pool.judged], pool.damaged[pool.judged], seed=todo.space.seed),
    )


def _row(todo: Plan, trial: StoredTrial, found: Measures) -> TrialRow:
    return TrialRow(
        number=trial.number,
        settings=todo.trials[trial.number],
        loss=found.loss,
        loss_error=standard_error(found.losses, todo.pool.unit[todo.pool.judged]),
        auroc=found.auroc.value,
        low=found.auroc.low,
        high=found.auroc.high,
        found=found.found,
        seconds=trial.seconds,
    )


def _reason(
    todo: Plan, measures: Sequence[Measures], best: int, chosen: int, gap: tuple[float, float], candidates: int
) -> str:
    of = f"of {len(measures)} combinations"
    if len(measures) == 1:
        return f"{describe(todo.trials[chosen])}: the only combination."
    if best == chosen and candidates == 1:
        rival = min((i for i in range(len(measures)) if i != best), key=lambda i: measures[i].loss)
        behind = gap_to(measures[rival].losses, measures[best].losses, todo.pool.unit[todo.pool.judged])
        return (
            f"{describe(todo.trials[chosen])}: the best {of}; every other is worse by more than one standard error of "
            f"the difference (the next: {describe(todo.trials[rival])}, {_behind(*behind)})."
        )
    if best == chosen:
        return (
            f"{describe(todo.trials[chosen])}: the best {of}, and the simplest of the {candidates} that are as good "
            "within one standard error."
        )
    return (
        f"{describe(todo.trials[chosen])}: the simplest of the {candidates} {of} that are as good as the best "
        f"within one standard error (loss {measures[chosen].loss:.3f}, {_behind(*gap)}; the best: "
        f"{describe(todo.trials[best])}, loss {measures[best].loss:.3f})."
    )


def _behind(gap: float, error: float) -> str:
    """Say by how much a loss exceeds the best, with as many digits as it takes to see which of the two is larger.

    The table has three, and shows losses as the same that differ by more than the standard error of the difference.
    """
    if gap <= ROUNDING:
        return "the same loss"
    apart = abs(gap - error) > ROUNDING
    digits = 3
    while digits < 9 and (round(gap, digits) == 0 or (apart and round(gap, digits) == round(error, digits))):
        digits += 1
    return f"worse by {gap:.{digits}f} with a standard error of {error:.{digits}f}"


def _memory_curve(todo: Plan, settings: Settings, device: Device, progress: Progress) -> tuple[CurvePoint, ...]:
    config, fold = named(settings, todo.config), todo.folds[0]
    turns = (config.bank.turns,)
    total = looks(todo.pool, turns) + _FOLD_STEPS * memory_steps(todo.pool.damaged, fold)
    steps = _Steps(total, lambda at: progress("learning curve", at, total))
    features = extract(config, todo.pool, taps=config.embedding.taps, turns=turns, device=device, step=steps.one)
    return memory_curve(
        features,
        config,
        fold,
        patches=todo.space.patches,
        scale_share=todo.config.scoring.top_share,
        seed=todo.space.seed,
        step=lambda: steps.one(_FOLD_STEPS),
    )
