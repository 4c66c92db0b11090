"""``--evaluate``: verdicts against labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from anomaly.calibration import Calibration
from anomaly.cli.confusion import check_picture, title_of, write_confusion
from anomaly.cli.labelled import CheckedImage, files_read, read_labelled
from anomaly.cli.options import DONE, FAILED
from anomaly.cli.output import CsvFile, check_file, emit, say
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.rows import CSV_COLUMNS, Row, csv_row, json_line
from anomaly.dataset import LabelledImage
from anomaly.detector import BankImage, Detector, load_detector
from anomaly.errors import DatasetError, ImageError, OutputError
from anomaly.evaluation import EvaluationReport, check_installed, evaluate
from anomaly.imaging.names import printable_name
from anomaly.types import NOT_JUDGED, Prediction

_TRUTH = ("truth", "part_type", "group", "defect")


def run(arguments: Arguments) -> int:
    """Judge labelled images and report.

    Returns
    -------
    int
        0, or 1 if an image could not be read.
    """
    assert arguments.data is not None
    _check_two_names(arguments)
    detector = load_detector(arguments.model, device=arguments.device)
    if arguments.confusion is not None:
        check_picture(arguments.confusion, detector)
    check_installed(detector, masks=False)
    with ExitStack() as stack:
        progress = stack.enter_context(Reporter(quiet=arguments.quiet))
        checked = read_labelled(detector, Path(arguments.data), progress, split=arguments.split)
        _say_overlap(detector, checked, progress)
        images = tuple(image.labelled for image in checked)
        inputs = files_read(Path(arguments.data), images)
        if arguments.confusion is not None:
            check_file(arguments.confusion, inputs=inputs, picture=True)
        table = None
        if arguments.csv is not None:
            table = stack.enter_context(CsvFile(arguments.csv, (*CSV_COLUMNS, *_TRUTH), inputs=inputs))
        recorder = EvaluationRecorder(detector, images, table)
        report = evaluate(recorder, images, progress=progress)
    if len(report.failed) == len(images):
        raise DatasetError(f"none of the {len(images)} images could be read; first: {report.failed[0].error}")
    tell(report, recorder.not_judged(report), as_json=arguments.json)
    if arguments.confusion is not None and detector.calibration is not None:
        failed = {image.name for image in report.failed}
        scored = [(image, score) for image, score in recorder.scored if image.name not in failed]
        title, limits = title_of(arguments.model, arguments.data), detector.config.image
        write_confusion(scored, detector.calibration, arguments.confusion, limits=limits, title=title)
    if report.failed:
        say(f"error: {len(report.failed)} of {len(images)} images could not be read, see the output for why")
    return FAILED if report.failed else DONE


def _check_two_names(arguments: Arguments) -> None:
    """Refuse one name for two files: the second would replace the first.

    Raises
    ------
    OutputError
    """
    table, picture = arguments.csv, arguments.confusion
    if table is not None and picture is not None and os.path.realpath(table) == os.path.realpath(picture):
        raise OutputError(f"cannot write {table}: --csv and --confusion both name it, give two names", path=table)


def tell(report: EvaluationReport, not_judged: Sequence[str], *, as_json: bool) -> None:
    """Print a report, counts first, and below them how many of the images --predict would not judge."""
    if as_json:
        emit(json_line(evaluation_facts(report, not_judged)))
        return
    counts, *others = report.lines()
    n = report.overall.n_damaged + report.overall.n_undamaged
    refused = f"{len(not_judged)} of these {n} images --predict would not judge; here they count by their score"
    for line in (counts, *([refused] if not_judged else []), *others):
        emit(printable_name(line))


def evaluation_facts(report: EvaluationReport, not_judged: Sequence[str]) -> dict[str, Any]:
    """Return the same ready for JSON."""
    return {**report.to_dict(), "not_judged": list(not_judged)}


class EvaluationRecorder:
    """The detector, keeping what is to be said besides the figures, and writing a CSV row beside each prediction."""

    def __init__(self, detector: Detector, images: Sequence[LabelledImage], table: CsvFile | None = None) -> None:
        self._detector = detector
        self._truth = {image.path: image for image in images}
        self._table = table
        self._refused: list[str] = []
        self.scored: list[tuple[LabelledImage, float]] = []

    @property
    def calibration(self) -> Calibration | None:
        """The calibration that stands."""
        return self._detector.calibration

    @property
    def bank_images(self) -> tuple[BankImage, ...]:
        """The images of the memory bank."""
        return self._detector.bank_images

    def predict(self, path: Path, /, *, part_type: str = "") -> Prediction:
        """Return the detector's verdict on one image."""
        try:
            prediction = self._detector.predict(path, part_type=part_type)
        except ImageError as error:
            self._write(path, Row(str(path), None, str(error)))
            raise
        self._write(path, Row(str(path), prediction))
        self.scored.append((self._truth[path], prediction.score))
        if prediction.label == NOT_JUDGED:
            self._refused.append(self._truth[path].name)
        return prediction

    def not_judged(self, report: EvaluationReport) -> tuple[str, ...]:
        """Return the images of a report that are too unlike those of training for --predict to judge."""
        failed = {image.name for image in report.failed}
        return tuple(name for name in self._refused if name not in failed)

    def _write(self, path: Path, row: Row) -> None:
        if self._table is not None:
            image = self._truth[path]
            truth = {"truth": image.label, **{name: getattr(image, name) for name in _TRUTH[1:]}}
            self._table.write({**csv_row(row), **truth})


def _say_overlap(detector: Detector, images: tuple[CheckedImage, ...], progress: Reporter) -> None:
    used = {image.sha256 for image in detector.record.scores} if detector.record else set()
    n = sum(image.sha256 in used for image in images)
    if n:
        progress.remark(f"{n} of {len(images)} images chose the threshold: rates on them are too good to be true")
