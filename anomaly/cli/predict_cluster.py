"""``--predict --ray``: the same rows, judged by workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from anomaly.cli.judging import check_part_type, listed_images, order_of, say_failures
from anomaly.cli.options import DONE, FAILED, FLAGGED
from anomaly.cli.output import CsvFile, check_file, emit
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.rows import CSV_COLUMNS, Row, csv_row, json_line, json_object, text_line
from anomaly.cluster import KeptRows, check_parquet, judge_on_cluster, write_parquet
from anomaly.detector import Detector, fingerprint, load_detector
from anomaly.errors import ImageError
from anomaly.types import DAMAGED, NOT_JUDGED, REINSPECT

_FLAGS = (DAMAGED, REINSPECT, NOT_JUDGED)


def run_on_cluster(arguments: Arguments) -> int:
    """Judge images on a cluster and tell each as soon as it is known; with a table, go on where a killed run stopped.

    Returns
    -------
    int
        As ``--predict``.
    """
    assert arguments.ray is not None
    listed = listed_images(arguments.images)
    images, table = dict(listed), arguments.csv
    failed = flagged = 0
    if table is not None:
        check_file(table, inputs=images)
        if table.suffix == ".parquet":
            check_parquet()
    with ExitStack() as stack:
        progress = stack.enter_context(Reporter(quiet=arguments.quiet))
        detector = load_detector(arguments.model, device="cpu")
        check_part_type(detector, arguments.part_type, progress)
        kept = stack.enter_context(KeptRows(table, _about(arguments))) if table is not None else None
        if kept:
            progress.remark(f"{len(kept)} images were judged before this run was stopped: going on from there")
        todo = [path for path in images if kept is None or path not in kept]
        rows = _judge(arguments, detector, {path: images[path] for path in todo}, stack)
        for done, row in enumerate(rows, start=1):
            if kept is not None:
                kept.add(row.path, csv_row(row))
            emit(json_line(json_object(row)) if arguments.json else text_line(row))
            failed += row.prediction is None
            flagged += row.prediction is not None and row.prediction.label in _FLAGS
            progress("judging images", done, len(todo))
        if kept is not None and table is not None:
            _write(table, kept, [path for path, _ in listed])
            states = [(row["label"], row["error"]) for row in kept.rows(list(images))]
            failed = sum(error is not None for _, error in states)
            flagged = sum(label in _FLAGS for label, _ in states)
    say_failures(failed, len(images))
    if failed:
        return FAILED
    return FLAGGED if flagged and arguments.exit_code else DONE


def _judge(
    arguments: Arguments, detector: Detector, images: Mapping[str, ImageError | None], stack: ExitStack
) -> Iterator[Row]:
    """Rows of these images, those whose name alone is wrong first."""
    for path, error in images.items():
        if error is not None:
            yield Row(path, None, str(error))
    readable = [path for path, error in images.items() if error is None]
    if not readable:
        return
    assert arguments.ray is not None
    answers = judge_on_cluster(arguments.ray, order_of(arguments, detector), readable)
    for path, found in stack.enter_context(closing(answers)):
        yield Row(path, None, str(found)) if isinstance(found, ImageError) else Row(path, found)


def _about(arguments: Arguments) -> dict[str, object]:
    """Whatever decides a row, besides the image."""
    return {
        "trained model": fingerprint(arguments.model),
        "part_type": arguments.part_type,
        "capture check": not arguments.no_capture_check,
        "columns": list(CSV_COLUMNS),
    }


def _write(table: Path, kept: KeptRows, paths: Sequence[str]) -> None:
    """Write the rows in the order of the images, as a run without Ray does."""
    if table.suffix == ".parquet":
        write_parquet(table, CSV_COLUMNS, lambda: kept.rows(paths))
        return
    with CsvFile(table, CSV_COLUMNS) as file:
        for row in kept.rows(paths):
            file.write(row)
