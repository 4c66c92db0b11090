"""``--train``: from labelled images to a trained model that has been tested."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomaly.cli.data_folder import folder_to_train_on
from anomaly.cli.evaluate import EvaluationRecorder, evaluation_facts, tell
from anomaly.cli.info import split_counts, split_lines
from anomaly.cli.options import DONE, FAILED
from anomaly.cli.output import emit, say
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.rows import json_line
from anomaly.cli.suspects import draw_suspects, suspect_facts, suspect_lines
from anomaly.config import Config, config_from_dict, load_settings, replace_setting
from anomaly.dataset import Dataset, read_dataset
from anomaly.detector import Detector, fingerprint, save_detector
from anomaly.detector.part_view import describe as describe_parts
from anomaly.detector.trained_model import check_target
from anomaly.errors import ExperimentError, ImageError, OutputError
from anomaly.evaluation import EvaluationReport, evaluate
from anomaly.imaging.names import printable_name
from anomaly.installed import refuse_without

if TYPE_CHECKING:
    from anomaly.detector.embedded import EmbedAll
    from anomaly.detector.training import Training
    from anomaly.experiment import Experiment

_NEEDED = ("torch", "torchvision", "timm", "scipy", "anomalib")


def run(arguments: Arguments) -> int:
    """Train, calibrate, test, save, tell, and name the training images that look damaged."""
    refuse_without("training needs", _NEEDED)
    check_target(arguments.model)
    config, fixed = read_config(arguments)
    folder, name = folder_to_train_on(arguments.data)
    with ExitStack() as stack:
        progress = stack.enter_context(Reporter(quiet=arguments.quiet))
        embed_all = _embedding(arguments, stack)
        dataset = read_dataset(folder)
        progress.remark(f"{printable_name(name)}: {dataset.layout}")
        experiment = None
        if arguments.from_experiment:
            experiment, config = _chosen(dataset, arguments, progress)
        from anomaly.detector.training import train

        device = "cpu" if arguments.ray is not None else arguments.device
        training = train(dataset, config, data=name, fixed=fixed, device=device, embed_all=embed_all, progress=progress)
        if experiment is not None:
            training = _with_reason(training, experiment)
        report, not_judged = _test(training, progress)
        save_detector(training.detector, arguments.model)
        undrawn, drawn = "", {}
        try:
            paths = {image.name: image.path for image in dataset.images}
            drawn = draw_suspects(training, paths, arguments.model, progress)
        except (ImageError, OutputError) as error:  # the trained model stands, and is told of first
            undrawn = str(error)
    if arguments.json:
        facts = _facts(training.detector, report, not_judged, arguments.model)
        emit(json_line({**facts, "suspects": suspect_facts(training, drawn)}))
    else:
        _tell(training.detector, report, not_judged, arguments.model)
        for line in suspect_lines(training, drawn, arguments.model):
            emit(line)
    failed = () if report is None else report.failed
    if failed:
        say(f"error: {len(failed)} of {len(training.test)} test images could not be read, see the output for why")
    if undrawn:
        say(f"error: the training images that look damaged could not be drawn: {printable_name(undrawn)}")
    return FAILED if failed or undrawn else DONE


def _embedding(arguments: Arguments, stack: ExitStack) -> EmbedAll:
    """Return who embeds the images of the memory: a cluster that was named, connected until the stack ends, or we."""
    from anomaly.detector.embedded import embed_here

    if arguments.ray is None:
        return embed_here
    from anomaly.cluster import embedding_on_cluster

    return stack.enter_context(embedding_on_cluster(arguments.ray))


def read_config(arguments: Arguments) -> tuple[Config, frozenset[str]]:
    """Return the settings of a file, changed by those on the command line, and the names of those given.

    Raises
    ------
    ConfigError
    """
    config, given = (Config(), frozenset[str]()) if arguments.config is None else load_settings(arguments.config)
    for name, value in arguments.settings:
        config = replace_setting(config, name, value)
    return config, given | {name for name, _ in arguments.settings}


def _chosen(dataset: Dataset, arguments: Arguments, progress: Reporter) -> tuple[Experiment, Config]:
    """Return the newest experiment on these photographs, and the settings that it chose.

    Raises
    ------
    ExperimentError
        There is none, or it cannot be used.
    """
    from anomaly.experiment import apply, dataset_hash, find_experiment

    experiment = find_experiment(arguments.work, dataset=dataset_hash(dataset), remark=progress.remark)
    if experiment is None:
        raise ExperimentError(
            f"expected an experiment on these photographs in {arguments.work}, and there is none: run --experiment on "
            "the same --data first, or name its folder with --work DIR",
            path=arguments.work,
        )
    config = apply(experiment.trial(experiment.chosen).settings, config_from_dict(dict(experiment.config)))
    return experiment, dataclasses.replace(config, selection=dataclasses.replace(config.selection, automatic=False))


def _with_reason(training: Training, experiment: Experiment) -> Training:
    """Write into the trained model which experiment chose its settings."""
    lines = (f"chosen by experiment {experiment.identity}: {experiment.reason}",)
    provenance = dataclasses.replace(training.detector.provenance, selection=lines)
    return dataclasses.replace(training, detector=dataclasses.replace(training.detector, provenance=provenance))


def _test(training: Training, progress: Reporter) -> tuple[EvaluationReport | None, tuple[str, ...]]:
    """Return what the test split says, and which of its images --predict would not judge."""
    images = training.test
    if not images:
        return None, ()
    recorder = EvaluationRecorder(training.detector, images)
    report = evaluate(recorder, images, progress=lambda _, done, total: progress("testing", done, total))
    return report, recorder.not_judged(report)


def _tell(detector: Detector, report: EvaluationReport | None, not_judged: tuple[str, ...], model: Path) -> None:
    for line in split_lines(split_counts(detector)):
        emit(printable_name(line))
    for note in detector.provenance.notes:
        emit(printable_name(note))
    for reason in detector.provenance.selection:
        emit(f"settings: {reason}")
    for line in describe_parts(detector.part_views):
        emit(printable_name(line))
    record = detector.record
    assert record is not None
    for line in record.calibration.lines():
        emit(printable_name(line))
    if report is None:
        emit("test: no image is in the test split, so nothing is known about images that were not looked at")
    else:
        emit("on the test split, which nothing above has seen:")
        tell(report, not_judged, as_json=False)
    emit(f"saved to {printable_name(model)}, fingerprint {fingerprint(model)}")


def _facts(
    detector: Detector, report: EvaluationReport | None, not_judged: tuple[str, ...], model: Path
) -> dict[str, Any]:
    record = detector.record
    assert record is not None
    calibration = record.calibration
    return {
        "model": str(model),
        "fingerprint": fingerprint(model),
        "data": detector.provenance.data,
        "layout": detector.provenance.layout,
        "notes": list(detector.provenance.notes),
        "selection": list(detector.provenance.selection),
        "parts": describe_parts(detector.part_views),
        "splits": split_counts(detector),
        "threshold": calibration.threshold,
        "part_type_thresholds": {name: own.threshold for name, own in calibration.by_part_type.items()},
        "objective": calibration.objective,
        "validation": {
            "undamaged": calibration.n_undamaged,
            "damaged": calibration.n_damaged,
            "false_alarms": calibration.false_alarms,
            "misses": calibration.misses,
            "notes": list(calibration.notes),
        },
        "test": {"undefined": "no image is in the test split"}
        if report is None
        else evaluation_facts(report, not_judged),
    }
