"""``--evaluate``: verdicts against labels."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from anomaly.calibration import Calibration
from anomaly.cli.confusion import check_picture, title_of, write_confusion
from anomaly.cli.labelled import CheckedImage, read_labelled
from anomaly.cli.output import CsvFile, emit, say
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.rows import CSV_COLUMNS, Row, csv_row, json_line
from anomaly.dataset import LabelledImage
from anomaly.detector import Detector, load_detector
from anomaly.errors import DatasetError, ImageError
from anomaly.evaluation import EvaluationReport, check_installed, evaluate
from anomaly.imaging.names import printable_name
from anomaly.types import Prediction

_TRUTH = ("truth", "part_type", "group", "defect")


def run(arguments: Arguments) -> int:
    """Judge labelled images and report.

    Returns
    -------
    int
        0, or 1 if an image could not be judged.
    """
    assert arguments.data is not None
    if arguments.confusion is not None:
        check_picture(arguments.confusion)
    detector = load_detector(arguments.model, device=arguments.device)
    check_installed(detector, masks=False)
    with ExitStack() as stack:
        progress = stack.enter_context(Reporter(quiet=arguments.quiet))
        checked = read_labelled(detector, Path(arguments.data), progress, split=arguments.split)
        _say_overlap(detector, checked, progress)
        images = tuple(image.labelled for image in checked)
        table = None
        if arguments.csv is not None:
            inputs = (str(image.path) for image in images)
            table = stack.enter_context(CsvFile(arguments.csv, (*CSV_COLUMNS, *_TRUTH), inputs=inputs))
        recorder = _Recorder(detector, images, table)
        report = evaluate(recorder, images, progress=lambda done: progress("judging images", done, len(images)))
    if len(report.failed) == len(images):
        raise DatasetError(f"none of the {len(images)} images could be judged; first: {report.failed[0].error}")
    if arguments.confusion is not None:
        title = title_of(arguments.model, arguments.data)
        write_confusion(recorder.judged, arguments.confusion, limits=detector.config.image, title=title)
    tell(report, as_json=arguments.json)
    if report.failed:
        say(f"error: {len(report.failed)} of {len(images)} images could not be judged, see the output for why")
    return 1 if report.failed else 0


def tell(report: EvaluationReport, *, as_json: bool) -> None:
    """Print a report, counts first."""
    if as_json:
        emit(json_line(report.to_dict()))
        return
    for line in report.lines():
        emit(printable_name(line))


class _Recorder:
    """The detector, writing a CSV row beside each prediction and keeping what the confusion picture shows."""

    def __init__(self, detector: Detector, images: tuple[LabelledImage, ...], table: CsvFile | None) -> None:
        self._detector = detector
        self._truth = {image.path: image for image in images}
        self._table = table
        self.judged: list[tuple[LabelledImage, Prediction]] = []

    @property
    def calibration(self) -> Calibration | None:
        return self._detector.calibration

    def predict(self, path: Path, /, *, part_type: str = "") -> Prediction:
        try:
            prediction = self._detector.predict(path, part_type=part_type)
        except ImageError as error:
            self._write(path, Row(str(path), None, str(error)))
            raise
        self._write(path, Row(str(path), prediction))
        # The map is large, and nobody asks for it again.
        without_map = dataclasses.replace(prediction, anomaly_map=np.zeros((0, 0), dtype=np.float32))
        self.judged.append((self._truth[path], without_map))
        return prediction

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
