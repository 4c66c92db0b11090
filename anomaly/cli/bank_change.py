"""What ``--learn-good`` and ``--forget`` share: the effect on validation is shown before the change is kept."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomaly.calibration import Calibration, CalibrationRecord, ScoredImage
from anomaly.cli.calibrating import calibrated_for, standing_aim
from anomaly.cli.data_folder import folder_trained_on
from anomaly.cli.labelled import missing_images
from anomaly.cli.options import DONE, FAILED
from anomaly.cli.output import emit, say
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.rows import json_line
from anomaly.dataset import LabelledImage
from anomaly.dataset.labels import LABELS_FILE, read_labels
from anomaly.dataset.wording import counted
from anomaly.detector import Detector, save_bank_change
from anomaly.detector.bank_change import recalibrated, stored_scores
from anomaly.errors import DatasetError, ImageError, NotCalibratedError, PromiseNotPossibleError
from anomaly.evaluation.metrics import Confusion, Interval, Undefined, auroc_interval, confusion
from anomaly.imaging.decode import content_hash
from anomaly.imaging.listing import find_images
from anomaly.imaging.names import printable_name
from anomaly.imaging.numbers import score_text
from anomaly.types import DAMAGED

if TYPE_CHECKING:
    from anomaly.detector.bank_versions import Action

_NAME_IT = "name a folder that holds all of them with --data, one above theirs where they are in several"


@dataclass(frozen=True)
class Effect:
    """Verdicts on the same validation images under one calibration, and the AUROC of their scores.

    Attributes
    ----------
    threshold : float
        The common one.
    counts : Confusion
        Of the verdicts by the common threshold, or the common two.
    own : mapping of str to float
        Thresholds of the part types that have their own.
    own_counts : Confusion
        Of the verdicts by those, and by the common one for all other images.
    auroc : Interval or Undefined
    """

    threshold: float
    counts: Confusion
    own: Mapping[str, float]
    own_counts: Confusion
    auroc: Interval | Undefined

    def line(self, when: str) -> str:
        """Return what people are told of the verdicts by the common threshold."""
        auroc = "" if isinstance(self.auroc, Undefined) else f", image AUROC {100 * self.auroc.value:.1f} %"
        return f"validation {when}: {_in_words(self.counts)}{auroc}"

    def line_by_type(self, when: str) -> str:
        """Return what people are told of thresholds by part type."""
        if not self.own:
            return f"thresholds by part type {when}: none, the common one holds for all"
        own = ", ".join(f"{name} {threshold:.6g}" for name, threshold in self.own.items())
        return printable_name(f"thresholds by part type {when}: {own}; with these {_in_words(self.own_counts)}")

    def facts(self) -> dict[str, Any]:
        """Return the same ready for JSON."""
        return {
            **_counts(self.counts),
            "auroc": None if isinstance(self.auroc, Undefined) else self.auroc.value,
            "threshold": self.threshold,
            "part_type_thresholds": dict(self.own),
            "by_part_type": _counts(self.own_counts) if self.own else None,
        }


def effect(scored: Sequence[ScoredImage], calibration: Calibration) -> Effect:
    """Judge scored images by a calibration, without regard to their part types and with it."""
    scores, damaged = [image.score for image in scored], [image.label == DAMAGED for image in scored]

    def counts(judging: Sequence[Calibration]) -> Confusion:
        return confusion(
            scores,
            damaged,
            threshold=[one.threshold for one in judging],
            reinspect_above=[one.region_threshold for one in judging],
        )

    return Effect(
        calibration.threshold,
        counts([calibration for _ in scored]),
        {name: own.threshold for name, own in calibration.by_part_type.items()},
        counts([calibration.for_part_type(image.part_type) for image in scored]),
        auroc_interval(scores, damaged),
    )


@dataclass(frozen=True)
class Found:
    """The labelled images of the standing calibration, and those of them that are at hand.

    Attributes
    ----------
    images : tuple of LabelledImage
        At hand, in the order of the record.
    standing : CalibrationRecord
    folder : Path
        Where they were looked for.
    """

    images: tuple[LabelledImage, ...]
    standing: CalibrationRecord
    folder: Path

    @property
    def missing(self) -> int:
        """Labelled images of the standing calibration that the next one would be without."""
        return len(self.standing.scores) - len(self.images)

    @property
    def gap(self) -> str:
        """How many are missing, and where, in words."""
        return missing_images(self.missing, len(self.standing.scores), "validation", self.folder)

    def line(self) -> str:
        """Return one line for people."""
        total = counted(len(self.standing.scores), "labelled image")
        if not self.missing:
            return f"calibration {self.standing.version} has {total}, all found and counted for the new one"
        return (
            f"calibration {self.standing.version} has {total}: {len(self.images)} found and counted for the new one, "
            f"{self.missing} no longer {'counts' if self.missing == 1 else 'count'}, not in "
            f"{printable_name(self.folder)}; {_NAME_IT}"
        )

    def facts(self) -> dict[str, int]:
        """Return the same ready for JSON."""
        return {"standing": len(self.standing.scores), "found": len(self.images), "missing": self.missing}


def propose(
    before: Detector,
    changed: Detector,
    arguments: Arguments,
    *,
    action: Action,
    names: Sequence[str],
    progress: Reporter,
) -> int:
    """Score the validation images with the changed bank, show what that does, and keep the change if it is wanted.

    Parameters
    ----------
    before, changed : Detector
    names : sequence of str
        Bank images that came or went.

    Returns
    -------
    int
        0; 1 where nobody could be asked and ``--yes`` was not given.
    """
    found = validation_images(before, arguments.data, progress)
    reason = f"--{action} {', '.join(names)}" + (f": {arguments.reason}" if arguments.reason else "")
    after = _calibrated(before, changed, found, reason=reason, progress=progress)
    assert after.record is not None
    old = stored_scores(before, {image.sha256 for image in after.record.scores})
    effects = effect(old, found.standing.calibration), effect(after.record.scores, after.record.calibration)
    if not arguments.json:
        _tell(before, after, arguments, effects, found, names)
    progress.stop()
    can_ask = not arguments.json and sys.stdin is not None and sys.stdin.isatty()
    kept = arguments.yes or (can_ask and _wanted(found))
    if kept:
        save_bank_change(after, arguments.model, action=action, images=names, reason=arguments.reason or "")
    if arguments.json:
        emit(json_line(_facts(after, effects, found, names, kept=kept)))
    elif kept:
        emit(f"calibration {after.record.version} stands; --recalibrate --rollback {found.standing.version} goes back")
    if not kept and not can_ask:
        say("error: nothing was kept, since nobody can be asked here: repeat it with --yes")
        return FAILED
    if not kept:
        say("nothing was changed")
    return DONE


def _calibrated(before: Detector, changed: Detector, found: Found, *, reason: str, progress: Reporter) -> Detector:
    """Calibrate the changed bank for what the standing calibration was chosen for.

    Raises
    ------
    DatasetError
        The images at hand cannot carry what all of them could.
    PromiseNotPossibleError
    """
    try:
        calibrated = calibrated_for(
            standing_aim(before, progress),
            replace(changed, history=None),
            found.images,
            reason=reason,
            progress=progress,
        )
    except PromiseNotPossibleError as error:
        if not found.missing:
            raise
        raise DatasetError(
            f"{found.gap}, and without {'it' if found.missing == 1 else 'them'} the rate that calibration "
            f"{found.standing.version} promises cannot be kept: {_NAME_IT}"
        ) from error
    return recalibrated(before, changed, calibrated)


def validation_images(detector: Detector, data: str | None, progress: Reporter) -> Found:
    """Find the images whose scores are stored, by their content, below a folder.

    How they are arranged there does not matter, since their labels are on record: several data sets may lie in it.

    Parameters
    ----------
    data : str or None
        None: the folder that the detector was trained on.

    Raises
    ------
    NotCalibratedError
        No score is stored.
    DatasetError
        The folder is not there, or holds none of them, or none of a label.
    """
    if detector.record is None:
        raise NotCalibratedError("a change of the memory bank is shown on validation images: first --recalibrate")
    wanted = {image.sha256: image for image in detector.record.scores}
    trained_on = detector.provenance.data
    folder = folder_trained_on(trained_on) if data is None else Path(data)
    if folder is None:
        raise DatasetError(
            "the validation images are needed, and the folder of the training "
            f"({printable_name(trained_on or 'not recorded')}) is not here: name it with --data DIR"
        )
    paths = _below(folder)
    at: dict[str, Path] = {}
    for done, path in enumerate(paths, start=1):
        with suppress(ImageError):  # a validation image that cannot be read is missing, any other is of no concern
            sha256 = content_hash(path)
            if sha256 in wanted:
                at.setdefault(sha256, path)
        progress("looking for the validation images", done, len(paths))
    images = tuple(
        LabelledImage(at[image.sha256], image.name, image.label, image.part_type, image.group, image.defect)
        for image in wanted.values()
        if image.sha256 in at
    )
    for label in sorted({image.label for image in wanted.values()} - {image.label for image in images}):
        n = sum(image.label == label for image in wanted.values())
        raise DatasetError(f"none of the {n} {label} validation images is in {printable_name(folder)}: {_NAME_IT}")
    found = Found(images, detector.record, folder)
    if found.missing:
        progress.remark(f"{found.gap}: {'it' if found.missing == 1 else 'they'} would no longer count")
    return found


def _below(folder: Path) -> list[Path]:
    """Return the photographs below a folder, and what a table of labels in it calls one.

    Raises
    ------
    DatasetError
        It is no folder that can be listed, or its table of labels cannot be used.
    """
    try:
        photographs = find_images(folder)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    table = folder / LABELS_FILE
    named = [image.path for image in read_labels(table)] if table.is_file() else []
    return list(dict.fromkeys([*photographs, *named]))


def _tell(
    before: Detector,
    after: Detector,
    arguments: Arguments,
    effects: tuple[Effect, Effect],
    found: Found,
    names: Sequence[str],
) -> None:
    rows = [sum(len(bank) for bank in detector.banks) for detector in (before, after)]
    emit(printable_name(f"{len(names)} images: {', '.join(names)}" if len(names) > 1 else names[0]))
    emit(
        f"memory bank: {len(before.bank_images)} images and {rows[0]} rows before, {len(after.bank_images)} and "
        f"{rows[1]} after"
    )
    one, other = effects
    by_type = bool(one.own or other.own)
    common = "common threshold" if by_type else "threshold"
    emit(one.line(f"before{', by the common threshold' if by_type else ''}"))
    emit(other.line(f"after{', by the common threshold' if by_type else ''}"))
    emit(f"{common} {one.threshold:.6g} before, {other.threshold:.6g} after")
    if by_type:
        emit(one.line_by_type("before"))
        emit(other.line_by_type("after"))
    emit(found.line())
    for path in arguments.images:
        if Path(path).is_file():
            was, now = (detector.predict(path) for detector in (before, after))
            emit(
                f"{printable_name(path)}: score {score_text(was.score)} before, {score_text(now.score)} after; "
                f"{was.label} before, {now.label} after"
            )


def _facts(
    after: Detector, effects: tuple[Effect, Effect], found: Found, names: Sequence[str], *, kept: bool
) -> dict[str, Any]:
    assert after.record is not None
    return {
        "images": list(names),
        "bank_images": len(after.bank_images),
        "labelled": found.facts(),
        "before": effects[0].facts(),
        "after": effects[1].facts(),
        "kept": kept,
        "version": after.record.version if kept else found.standing.version,
    }


def _wanted(found: Found) -> bool:
    say(f"{f'{found.gap} and would no longer count. ' if found.missing else ''}Keep this? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _in_words(counts: Confusion) -> str:
    between = f", {counts.reinspected} to be reinspected" if counts.reinspected else ""
    return (
        f"{counts.misses} of {counts.n_damaged} damaged missed, {counts.false_alarms} of {counts.n_undamaged} "
        f"undamaged flagged{between}"
    )


def _counts(counts: Confusion) -> dict[str, int]:
    return {
        "undamaged": counts.n_undamaged,
        "damaged": counts.n_damaged,
        "misses": counts.misses,
        "false_alarms": counts.false_alarms,
        "reinspected": counts.reinspected,
    }
