"""``--experiment``: which settings to train with, on the photographs of memory and validation."""

from __future__ import annotations

import dataclasses

from anomaly.cli.data_folder import folder_to_train_on
from anomaly.cli.options import DONE
from anomaly.cli.output import emit, say
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.rows import json_line
from anomaly.cli.train import read_config
from anomaly.commands import data_option, work_option
from anomaly.dataset import find_duplicates, read_dataset, split_dataset
from anomaly.detector.folder import check_parent
from anomaly.experiment import Plan, Space, dataset_hash, finished_trials, images_hash, lines, plan, read_space
from anomaly.experiment import run as run_experiment
from anomaly.imaging.names import printable_name
from anomaly.installed import refuse_without

_NEEDED = ("torch", "torchvision", "timm", "scipy", "sklearn", "optuna")


def run(arguments: Arguments) -> int:
    """Plan, run what is not finished, tell.

    Returns
    -------
    int
        0.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C; what is finished is kept, and that is said.
    """
    refuse_without("an experiment needs", _NEEDED)
    check_parent(arguments.work / "experiment")
    with Reporter(quiet=arguments.quiet) as progress:
        todo = _plan(arguments, progress)
        folder = todo.folder(arguments.work)
        finished = finished_trials(todo, arguments.work)
        if finished:
            progress.remark(f"{finished} of {len(todo.trials)} trials are finished already: {printable_name(folder)}")
        try:
            experiment = run_experiment(todo, arguments.work, device=arguments.device, progress=progress)
        except KeyboardInterrupt:
            finished = finished_trials(todo, arguments.work)
            say(
                f"{finished} of {len(todo.trials)} trials are kept in {printable_name(folder)}; the same "
                "command goes on"
            )
            raise
    if arguments.json:
        emit(json_line(dataclasses.asdict(experiment)))
        return DONE
    for line in lines(experiment):
        emit(printable_name(line))
    emit(f"saved in {printable_name(folder)}; train with --train --from-experiment{_where(arguments)}")
    return DONE


def _where(arguments: Arguments) -> str:
    """Return the options that another call needs to find the same photographs and this experiment."""
    data = "" if arguments.data is None else data_option(arguments.data, always=True)
    return printable_name(f"{data}{work_option(str(arguments.work))}")


def _plan(arguments: Arguments, progress: Reporter) -> Plan:
    config, fixed = read_config(arguments)
    space = Space() if arguments.space is None else read_space(arguments.space)
    folder, name = folder_to_train_on(arguments.data)
    dataset = read_dataset(folder)
    progress.remark(f"{printable_name(name)}: {dataset.layout}")
    duplicates = find_duplicates(
        dataset.images, limits=config.image, progress=lambda done, total: progress("checking images", done, total)
    )
    split = split_dataset(dataset, config.split, seed=config.seed, duplicates=duplicates)
    return plan(
        config,
        space,
        bank=split.select("bank"),
        validation=split.select("validation"),
        near=duplicates.near,
        fixed=sorted(fixed),
        data=name,
        dataset=dataset_hash(dataset),
        images=images_hash(split.entries),
    )
