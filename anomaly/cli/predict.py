"""``--predict``: a verdict on every image."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from anomaly.cli.judging import check_part_type, listed_images, say_failures
from anomaly.cli.output import CsvFile, emit
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.recorder import Recorder
from anomaly.cli.rows import CSV_COLUMNS, Row, csv_row, json_line, json_object, text_line
from anomaly.detector import Detector, load_detector, training_fingerprint
from anomaly.errors import ImageError
from anomaly.journal import Journal
from anomaly.types import DAMAGED, NOT_JUDGED, REINSPECT


def run(arguments: Arguments) -> int:
    """Judge image after image, each told as soon as it is known.

    Returns
    -------
    int
        0; 1 if an image could not be judged; 3 if one is damaged or to be reinspected and the user asked for it.
    """
    images = listed_images(arguments.images)
    with ExitStack() as stack:
        table = None
        if arguments.csv is not None:
            inputs = (path for path, _ in images)
            table = stack.enter_context(CsvFile(arguments.csv, CSV_COLUMNS, inputs=inputs))
        record = None
        if arguments.journal is not None:
            journal = stack.enter_context(Journal(arguments.journal, inputs=(path for path, _ in images)))
            record = Recorder(journal, training_fingerprint(arguments.model))
        detector = load_detector(arguments.model, device=arguments.device)
        if arguments.no_capture_check:
            detector = replace(detector, capture=None)
        progress = stack.enter_context(Reporter(quiet=arguments.quiet))
        check_part_type(detector, arguments.part_type, progress)
        failed = flagged = 0
        for done, (path, error) in enumerate(images, start=1):
            row = judge(detector, path, error, part_type=arguments.part_type)
            if record is not None and row.prediction is not None:
                record.append(row.prediction)
            emit(json_line(json_object(row)) if arguments.json else text_line(row))
            if table is not None:
                table.write(csv_row(row))
            failed += row.prediction is None
            flagged += row.prediction is not None and row.prediction.label in (DAMAGED, REINSPECT, NOT_JUDGED)
            progress("judging images", done, len(images))
    say_failures(failed, len(images))
    if failed:
        return 1
    return 3 if flagged and arguments.exit_code else 0


def judge(detector: Detector, path: str, error: ImageError | None = None, *, part_type: str = "") -> Row:
    """Predict one image; what is wrong with it becomes part of its row."""
    if error is None:
        try:
            return Row(path, detector.predict(path, part_type=part_type))
        except ImageError as unreadable:
            error = unreadable
    return Row(path, None, str(error))
