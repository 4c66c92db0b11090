"""``--recalibrate``: another threshold on the same memory bank, and the way back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anomaly.calibration import CalibrationHistory, CalibrationRecord, ScoredImage
from anomaly.cli.calibrating import calibrated_for, standing_aim
from anomaly.cli.labelled import CheckedImage, read_labelled, recorded_split
from anomaly.cli.options import DONE, FAILED
from anomaly.cli.output import emit, say
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.rows import json_line
from anomaly.dataset import LabelledImage
from anomaly.detector import Detector, load_detector, save_calibration
from anomaly.errors import DatasetError, NotCalibratedError
from anomaly.imaging.names import printable_name


def run(arguments: Arguments) -> int:
    """Calibrate anew, list what there is, or go back.

    Returns
    -------
    int
        0; whatever fails leaves the trained model as it was.
    """
    detector = load_detector(arguments.model, device=arguments.device)
    if arguments.history:
        return _list(detector, arguments)
    if arguments.rollback is not None:
        return _roll_back(detector, arguments.rollback, arguments)
    return _calibrate(detector, arguments)


def _calibrate(detector: Detector, arguments: Arguments) -> int:
    with Reporter(quiet=arguments.quiet) as progress:
        aim = arguments.aim or standing_aim(detector, progress)
        images, unreadable = _new_images(detector, arguments, progress)
        verdicts = _verdicts(detector, arguments, progress)
        calibrated = calibrated_for(
            aim,
            detector,
            images,
            scored=verdicts,
            reason=arguments.reason or _sources(arguments) or "no reason given",
            progress=progress,
        )
    save_calibration(calibrated, arguments.model)
    _tell_change(detector, calibrated, arguments)
    for image in unreadable:
        say(f"error: left out: {printable_name(image.error)}")
    return FAILED if unreadable else DONE


def _sources(arguments: Arguments) -> str:
    """Say in the words of the call where new labels come from."""
    given = {"--data": arguments.data, "--from-journal": arguments.from_journal}
    return ", ".join(f"{flag} {name}" for flag, name in given.items() if name is not None)


def _verdicts(detector: Detector, arguments: Arguments, progress: Reporter) -> tuple[ScoredImage, ...]:
    """Return the images of ``--from-journal`` that somebody has looked at."""
    if arguments.from_journal is None:
        return ()
    from anomaly.cli.verdict import judged_with_verdicts
    from anomaly.journal import Journal

    assert detector.source is not None
    with Journal(arguments.from_journal, read_only=True) as journal:
        scored, notes = judged_with_verdicts(detector, journal, model=detector.source.training)
    for note in notes:
        progress.remark(note)
    _remark_tested(detector, [image.sha256 for image in scored], progress)
    return scored


def _new_images(
    detector: Detector, arguments: Arguments, progress: Reporter
) -> tuple[list[LabelledImage], list[CheckedImage]]:
    """Return the images of ``--data`` and, apart, those of them that cannot be read."""
    if arguments.data is None:
        return [], []
    found = read_labelled(detector, Path(arguments.data), progress)
    unreadable = [image for image in found if image.error]
    if len(unreadable) == len(found):
        raise DatasetError(f"none of the {len(found)} images can be read; first: {unreadable[0].error}")
    _remark_tested(detector, [image.sha256 for image in found], progress)
    return [image.labelled for image in found if not image.error], unreadable


def _remark_tested(detector: Detector, sha256s: Sequence[str], progress: Reporter) -> None:
    tested = recorded_split(detector, "test")
    n = sum(sha256 in tested for sha256 in sha256s)
    if n:
        progress.remark(f"{n} of these images are in the test split: a test on them no longer says anything new")


def _roll_back(detector: Detector, version: int, arguments: Arguments) -> int:
    created = datetime.now(UTC).isoformat(timespec="seconds")
    history = _history(detector, arguments).rollback(
        version, created=created, reason=arguments.reason or "no reason given"
    )
    calibrated = detector.with_history(history)
    save_calibration(calibrated, arguments.model)
    _tell_change(detector, calibrated, arguments)
    return DONE


def _list(detector: Detector, arguments: Arguments) -> int:
    history = _history(detector, arguments)
    if not arguments.json:
        for line in history.lines():
            emit(printable_name(line))
        emit("* stands before the calibration that is in use")
        return DONE
    for record in history.records:
        emit(json_line({"event": "calibration", **_facts(record), "stands": record == history.active}))
    for event in history.rollbacks:
        emit(json_line({"event": "rollback", **dataclasses.asdict(event)}))
    return DONE


def _history(detector: Detector, arguments: Arguments) -> CalibrationHistory:
    if detector.history is None:
        raise NotCalibratedError(
            f"the trained model in {arguments.model} has no calibration yet: make one with --recalibrate --data DIR"
        )
    return detector.history


def _tell_change(before: Detector, after: Detector, arguments: Arguments) -> None:
    old, new = before.record, after.record
    assert new is not None
    if arguments.json:
        previous = {"previous_version": old.version, "previous_threshold": old.calibration.threshold} if old else {}
        emit(json_line({**_facts(new), **previous}))
        return
    was = f"; the threshold was {old.calibration.threshold:.6g} in calibration {old.version}" if old else ""
    emit(f"calibration {new.version} stands{was}")
    for line in new.calibration.lines():
        emit(printable_name(line))


def _facts(record: CalibrationRecord) -> dict[str, Any]:
    names = ("version", "created", "reason", "source")
    return {**{name: getattr(record, name) for name in names}, **record.calibration.to_dict()}
