"""``--report``: a PDF about a trained model, from what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from anomaly.cli.data_folder import folder_trained_on
from anomaly.cli.options import DEFAULT_REPORT, DONE
from anomaly.cli.output import check_named, check_place, emit
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.rows import json_line
from anomaly.detector import Detector, load_detector, training_fingerprint
from anomaly.detector.folder import check_parent, replaced_folder
from anomaly.errors import ReportError
from anomaly.experiment import find_experiment, images_hash
from anomaly.imaging.names import printable_name
from anomaly.installed import refuse_without
from anomaly.report import (
    Evidence,
    TestResults,
    choose_examples,
    compose,
    draw_examples,
    examine,
    find_photographs,
    gather,
    left_out,
    read_results,
    results_folder,
    typeset,
    write_results,
)

_NEEDED = ("typst", "matplotlib", "scipy", "anomalib")


def run(arguments: Arguments) -> int:
    """Judge the test split if nobody has yet, and write the report.

    Returns
    -------
    int
        0.
    """
    output = arguments.output or Path(DEFAULT_REPORT)
    _check_before(output)
    detector = load_detector(arguments.model, device=arguments.device)
    with Reporter(quiet=arguments.quiet) as progress:
        data = _photographs(detector, arguments.data)
        results, record = _results(detector, arguments, data, progress)
        splits = detector.provenance.splits
        experiment = (
            find_experiment(arguments.work, images=images_hash(splits), remark=progress.remark) if splits else None
        )
        evidence = gather(
            detector, arguments.model, results=results, data=data, experiment=experiment, work=arguments.work
        )
        if results is not None and (without := left_out(evidence, folder=printable_name(results.data))):
            progress.remark(without)
        moment = datetime.now(UTC)
        document, pictures = compose(evidence, moment=moment, examples=_examples(results, record))
        pages = typeset(document, pictures, output=output, moment=moment)
    if arguments.json:
        emit(json_line(_facts(evidence, output, pages, record)))
    else:
        emit(f"{printable_name(output)}: {pages} pages on trained model {evidence.fingerprint}")
    return DONE


def _facts(evidence: Evidence, output: Path, pages: int, record: Path) -> dict[str, object]:
    """Return what ``--json`` says; the file of results only where there is one."""
    results = evidence.results
    return {
        "report": str(output),
        "pages": pages,
        "results": None if results is None else str(record / "results.json"),
        "test": {
            "judged": len(results.images) if results else 0,
            "not_found": evidence.absent,
            "failed": len(results.failed) if results else 0,
        },
    }


def _check_before(output: Path) -> None:
    """Refuse, before long work, what could not be done after it."""
    refuse_without("a report needs", _NEEDED)
    check_named(output, ".pdf", option="--output")
    check_place(output)
    check_parent(output)


def _photographs(detector: Detector, given: str | None) -> Path | None:
    """Return the folder of photographs; None where none are on record, or nobody named one and theirs is not here."""
    if not detector.provenance.splits:
        return None
    return folder_trained_on(detector.provenance.data) if given is None else Path(given)


def _results(
    detector: Detector, arguments: Arguments, data: Path | None, progress: Reporter
) -> tuple[TestResults | None, Path]:
    """Return what is recorded for this training and calibration, recording it first where it is missing."""
    training = training_fingerprint(arguments.model)
    record = results_folder(
        arguments.work, training=training, calibration=detector.record.version if detector.record else 0
    )
    results = None if arguments.data is not None else read_results(record)
    if results is None and data is None:
        progress.remark(f"{_unknown(detector, arguments.data)}: the report says what is missing")
    if results is not None or data is None:
        return results, record
    photographs = find_photographs(data, detector.provenance.splits, progress=progress)
    name = arguments.data if arguments.data is not None else detector.provenance.data
    results, judged = examine(detector, photographs, training=training, data=name, progress=progress)
    with replaced_folder(record) as folder:
        examples = draw_examples(detector, choose_examples(results.images), judged, folder)
        results = results.with_examples(examples)
        write_results(results, folder)
    return results, record


def _unknown(detector: Detector, given: str | None) -> str:
    """Say why there are no photographs to judge."""
    if detector.provenance.splits:
        return "the photographs that it was trained on are not here"
    return f"this trained model does not record its photographs{', so --data is not used' if given is not None else ''}"


def _examples(results: TestResults | None, record: Path) -> Mapping[str, bytes]:
    if results is None:
        return {}
    try:
        return {example.file: (record / Path(example.file).name).read_bytes() for example in results.examples}
    except OSError as error:
        raise ReportError(
            f"expected the pictures that {record} names ({error.strerror}): delete that folder, --report makes it anew",
            path=record,
        ) from error
