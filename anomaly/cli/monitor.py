"""``--monitor``: whether pictures still come as they did in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anomaly.cli.options import DONE, FLAGGED
from anomaly.cli.output import check_file, check_named, emit
from anomaly.cli.parser import Arguments
from anomaly.cli.rows import json_line
from anomaly.dataset.wording import counted
from anomaly.detector import Detector, load_detector
from anomaly.drift import DriftReport, monitor, usual_share
from anomaly.drift.monitor import USUAL_SHARE
from anomaly.drift.streams import stream_words
from anomaly.errors import JournalError, TrainedModelError
from anomaly.files import replace_file
from anomaly.imaging.names import printable_name
from anomaly.journal import Journal, JournalEntry
from anomaly.types import DAMAGED, CaptureSample


def run(arguments: Arguments) -> int:
    """Read the journal, say whether something changed, when and why; change nothing.

    Returns
    -------
    int
        0; 3 if there is a change and the user asked for that status.
    """
    assert arguments.journal is not None
    if arguments.chart is not None:
        check_file(arguments.chart, inputs=[str(arguments.journal)], picture=True)
        check_named(arguments.chart, ".png", option="--chart")
    detector = load_detector(arguments.model, device="cpu")
    assert detector.source is not None
    reference = detector.capture
    if reference is None:
        raise TrainedModelError(
            f"the trained model in {arguments.model} does not know what an ordinary picture is: train again with "
            "capture.check = true and at least 3 undamaged images",
            path=arguments.model,
        )
    with Journal(arguments.journal, read_only=True) as journal:
        entries = journal.read(model=detector.source.training, since=arguments.since)
    if not entries:
        raise JournalError(
            f"the journal {arguments.journal} has no row of this trained model"
            f"{f' since {arguments.since}' if arguments.since else ''}: judge images with --predict --journal first",
            path=arguments.journal,
        )
    samples = [CaptureSample(dict(e.measures), e.strangeness, e.embedding, e.score) for e in entries]
    flagged = [entry.label == DAMAGED for entry in entries]
    report = monitor(reference, samples, flagged=flagged, usual=_usual(detector, arguments))
    if arguments.chart is not None:
        from anomaly.drift.chart import draw_chart

        replace_file(arguments.chart, draw_chart(report, reference, title=_title(arguments, entries)))
    if arguments.json:
        emit(json_line(_facts(report, entries)))
    else:
        for line in _lines(report, entries):
            emit(printable_name(line))
    return FLAGGED if report.alarm is not None and arguments.exit_code else DONE


def _usual(detector: Detector, arguments: Arguments) -> float:
    calibration = detector.calibration
    if arguments.usual_share is not None:
        return arguments.usual_share
    if calibration is None:
        return USUAL_SHARE
    return usual_share(false_alarms=calibration.false_alarms, n_undamaged=calibration.n_undamaged)


def _lines(report: DriftReport, entries: Sequence[JournalEntry]) -> list[str]:
    span = f"{counted(report.pictures, 'picture')}, {entries[0].time} to {entries[-1].time}"
    bound = f"at most one false alarm in {report.level:,.0f} ordinary pictures on average"
    if report.alarm is None or report.start is None or report.cause is None or report.stream is None:
        strongest = float(report.evidence.max())
        return [
            f"no change found so far: {span}",
            f"evidence of a change: {_readable(strongest)} at most, and an alarm at {report.level:,.0f} ({bound})",
        ]
    return [
        f"changed: {report.cause.words}",
        f"since about picture {report.start + 1} of {report.pictures}, {entries[report.start].path}, "
        f"{entries[report.start].time}; certain at picture {report.alarm + 1} ({bound})",
        f"first seen in: {stream_words(report.stream)}",
        f"what to do: {report.cause.advice}",
        *_other_cause(report),
        # Not the time of the alarm: the pictures between it and the mending are as bad as those before it.
        f"nothing was changed; when it is mended, begin anew with --since {_last_time(entries)} (only pictures judged "
        "after the last one read here count then; if more are judged before it is mended, give the time of the "
        "mending, in UTC)",
    ]


def _readable(value: float) -> str:
    """Write a number that may be small or very large without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3f}" if value < 1 else f"{value:.3g}"


def _title(arguments: Arguments, entries: Sequence[JournalEntry]) -> str:
    """Say over the chart which pictures it shows."""
    assert arguments.journal is not None
    first, last = (time(entry.time for entry in entries)[:16].replace("T", " ") for time in (min, max))
    span = first if first == last else f"{first} to {last}"
    return printable_name(
        f"{arguments.model.name or arguments.model}, journal {arguments.journal.name}: "
        f"{counted(len(entries), 'picture')}, {span} UTC"
    )


def _other_cause(report: DriftReport) -> list[str]:
    return [] if report.also is None else [f"or else: {report.also.words}; {report.also.advice}"]


def _last_time(entries: Sequence[JournalEntry]) -> str:
    """Return the time after which no row was read; several processes may write rows in another order than of time."""
    return max(entry.time for entry in entries)


def _facts(report: DriftReport, entries: Sequence[JournalEntry]) -> dict[str, Any]:
    cause, start, alarm = report.cause, report.start, report.alarm
    return {
        "pictures": report.pictures,
        "changed": alarm is not None,
        "cause": cause.name if cause else None,
        "words": cause.words if cause else None,
        "advice": cause.advice if cause else None,
        "also": report.also.name if report.also else None,
        "stream": report.stream,
        "stream_words": None if report.stream is None else stream_words(report.stream),
        "start": None if start is None else {"number": start + 1, "time": entries[start].time},
        "alarm": None if alarm is None else {"number": alarm + 1, "time": entries[alarm].time},
        "last": {"number": report.pictures, "time": _last_time(entries)},
        "level": report.level,
    }
