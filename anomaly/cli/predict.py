"""``--predict``: a verdict on every image."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

from anomaly.cli.judging import check_part_type, listed_images, order_of, say_failures
from anomaly.cli.options import DONE, FAILED, FLAGGED
from anomaly.cli.output import CsvFile, check_place, emit
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.recorder import Recorder
from anomaly.cli.rows import CSV_COLUMNS, Row, csv_row, json_line, json_object, text_line
from anomaly.detector import Detector, load_detector
from anomaly.embedding.runtime import uses_cpu
from anomaly.errors import ImageError
from anomaly.journal import Journal
from anomaly.types import DAMAGED, NOT_JUDGED, REINSPECT, Prediction

_MANY = 32
"""Fewer are never worth two processes (``anomaly.cluster.worthwhile``), which then need not be imported."""


def run(arguments: Arguments) -> int:
    """Judge images, and tell each in its turn as soon as it is known.

    Returns
    -------
    int
        0; 1 if an image could not be read; 3 if one is damaged or to be reinspected and the user asked for it.
    """
    if arguments.ray is not None:
        from anomaly.cli.predict_cluster import run_on_cluster

        return run_on_cluster(arguments)
    images = listed_images(arguments.images)
    with ExitStack() as stack:
        table = None
        if arguments.csv is not None:
            inputs = [*arguments.images, *(path for path, _ in images)]
            if arguments.journal is not None:
                inputs.append(str(arguments.journal))
            table = stack.enter_context(CsvFile(arguments.csv, CSV_COLUMNS, inputs=inputs))
        journal = None
        if arguments.journal is not None:
            check_place(arguments.journal)
            journal = stack.enter_context(Journal(arguments.journal, inputs=(path for path, _ in images)))
        detector = load_detector(arguments.model, device=arguments.device)
        assert detector.source is not None
        record = None if journal is None else Recorder(journal, detector.source.training)
        if arguments.no_capture_check:
            detector = replace(detector, capture=None)
        progress = stack.enter_context(Reporter(quiet=arguments.quiet))
        check_part_type(detector, arguments.part_type, progress)
        failed = flagged = 0
        rows = stack.enter_context(closing(_judge(detector, arguments, images)))
        for done, row in enumerate(rows, start=1):
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
        return FAILED
    return FLAGGED if flagged and arguments.exit_code else DONE


def _judge(
    detector: Detector, arguments: Arguments, images: Sequence[tuple[str, ImageError | None]]
) -> Generator[Row, None, None]:
    """Yield the rows of images in their order; what is wrong with one becomes part of its row."""
    paths = [path for path, error in images if error is None]
    with closing(_verdicts(detector, arguments, paths)) as found:
        for path, error in images:
            result = next(found) if error is None else error
            yield Row(path, None, str(result)) if isinstance(result, ImageError) else Row(path, result)


def _verdicts(
    detector: Detector, arguments: Arguments, paths: Sequence[str]
) -> Generator[Prediction | ImageError, None, None]:
    """Judge a few images one after the other, each on all cores, and many by a process for each core."""
    if len(paths) >= _MANY and uses_cpu(arguments.device) and len(set(paths)) == len(paths):
        from anomaly.cluster import judge_in_processes, worthwhile

        workers = worthwhile(len(paths))
        if workers > 1:
            yield from judge_in_processes(order_of(arguments, detector), paths, workers=workers)
            return
    for path in paths:
        try:
            yield detector.predict(path, part_type=arguments.part_type)
        except ImageError as error:
            yield error
