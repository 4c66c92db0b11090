"""What ``--learn-good`` and ``--forget`` share: the effect on validation is shown before the change is kept."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomaly.calibration import Calibration, ScoredImage
from anomaly.cli.calibrating import calibrated_for, standing_aim
from anomaly.cli.data_folder import folder_trained_on
from anomaly.cli.output import emit, say
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.rows import json_line
from anomaly.dataset import LabelledImage, read_dataset
from anomaly.detector import Detector, save_bank_change
from anomaly.detector.bank_change import recalibrated, stored_scores
from anomaly.errors import DatasetError, ImageError, NotCalibratedError
from anomaly.evaluation.metrics import Confusion, Interval, Undefined, auroc_interval, confusion
from anomaly.imaging.decode import content_hash
from anomaly.imaging.names import printable_name
from anomaly.imaging.numbers import score_text
from anomaly.types import DAMAGED

if TYPE_CHECKING:
    from anomaly.detector.bank_versions import Action


@dataclass(frozen=True)
class Effect:
    """Verdicts and AUROC on the same validation images with one memory bank."""

    counts: Confusion
    auroc: Interval | Undefined

    def line(self, when: str) -> str:
        """Return one line for people."""
        counts = self.counts
        auroc = "" if isinstance(self.auroc, Undefined) else f", image AUROC {100 * self.auroc.value:.1f} %"
        between = f", {counts.reinspected} to be reinspected" if counts.reinspected else ""
        return (
            f"validation {when}: {counts.misses} of {counts.n_damaged} damaged missed, {counts.false_alarms} of "
            f"{counts.n_undamaged} undamaged flagged{between}{auroc}"
        )

    def facts(self) -> dict[str, Any]:
        """Return the same ready for JSON."""
        counts = self.counts
        return {
            "undamaged": counts.n_undamaged,
            "damaged": counts.n_damaged,
            "misses": counts.misses,
            "false_alarms": counts.false_alarms,
            "reinspected": counts.reinspected,
            "auroc": None if isinstance(self.auroc, Undefined) else self.auroc.value,
        }


def effect(scored: Sequence[ScoredImage], calibration: Calibration) -> Effect:
    """Judge scored images by a calibration."""
    judging = [calibration.for_part_type(image.part_type) for image in scored]
    scores, damaged = [image.score for image in scored], [image.label == DAMAGED for image in scored]
    counts = confusion(
        scores,
        damaged,
        threshold=[one.threshold for one in judging],
        reinspect_above=[one.region_threshold for one in judging],
    )
    return Effect(counts, auroc_interval(scores, damaged))


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
    labelled = validation_images(before, arguments.data, progress)
    calibrated = calibrated_for(
        standing_aim(before, progress),
        replace(changed, history=None),
        labelled,
        reason=f"--{action} {', '.join(names)}" + (f": {arguments.reason}" if arguments.reason else ""),
        progress=progress,
    )
    after = recalibrated(before, changed, calibrated)
    assert before.record is not None
    assert after.record is not None
    old = stored_scores(before, {image.sha256 for image in after.record.scores})
    effects = effect(old, before.record.calibration), effect(after.record.scores, after.record.calibration)
    if not arguments.json:
        _tell(before, after, arguments, effects, names)
    progress.stop()
    can_ask = not arguments.json and sys.stdin is not None and sys.stdin.isatty()
    kept = arguments.yes or (can_ask and _wanted())
    if kept:
        save_bank_change(after, arguments.model, action=action, images=names, reason=arguments.reason or "")
    if arguments.json:
        emit(json_line(_facts(before, after, effects, names, kept=kept)))
    elif kept:
        emit(f"calibration {after.record.version} stands; --recalibrate --rollback {before.record.version} goes back")
    if not kept and not can_ask:
        say("error: nothing was kept, since nobody can be asked here: repeat it with --yes")
        return 1
    if not kept:
        say("nothing was changed")
    return 0


def validation_images(detector: Detector, data: str | None, progress: Reporter) -> list[LabelledImage]:
    """Find the images whose scores are stored, by their content, in a folder of images.

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
    images = read_dataset(folder).images
    found: dict[str, LabelledImage] = {}
    for done, image in enumerate(images, start=1):
        try:
            stored = wanted.get(content_hash(image.path))
        except ImageError:
            stored = None
        if stored is not None:
            labelled = LabelledImage(
                image.path, stored.name, stored.label, stored.part_type, stored.group, stored.defect
            )
            found.setdefault(stored.sha256, labelled)
        progress("looking for the validation images", done, len(images))
    for label in sorted({image.label for image in wanted.values()} - {image.label for image in found.values()}):
        n = sum(image.label == label for image in wanted.values())
        raise DatasetError(
            f"none of the {n} {label} validation images is in {printable_name(folder)}: name their folder with --data"
        )
    if len(found) < len(wanted):
        progress.remark(
            f"{len(wanted) - len(found)} of {len(wanted)} validation images are not in {printable_name(folder)}: they "
            "no longer count"
        )
    return [found[sha256] for sha256 in wanted if sha256 in found]


def _tell(
    before: Detector, after: Detector, arguments: Arguments, effects: tuple[Effect, Effect], names: Sequence[str]
) -> None:
    rows = [sum(len(bank) for bank in detector.banks) for detector in (before, after)]
    emit(printable_name(f"{len(names)} images: {', '.join(names)}" if len(names) > 1 else names[0]))
    emit(
        f"memory bank: {len(before.bank_images)} images and {rows[0]} rows before, {len(after.bank_images)} and "
        f"{rows[1]} after"
    )
    for when, found in zip(("before", "after"), effects, strict=True):
        emit(found.line(when))
    assert before.calibration is not None
    assert after.calibration is not None
    emit(f"threshold {before.calibration.threshold:.6g} before, {after.calibration.threshold:.6g} after")
    for path in arguments.images:
        if Path(path).is_file():
            one, other = (detector.predict(path) for detector in (before, after))
            emit(
                f"{printable_name(path)}: score {score_text(one.score)} before, {score_text(other.score)} after; "
                f"{one.label} before, {other.label} after"
            )


def _facts(
    before: Detector, after: Detector, effects: tuple[Effect, Effect], names: Sequence[str], *, kept: bool
) -> dict[str, Any]:
    assert before.record is not None
    assert after.record is not None
    return {
        "images": list(names),
        "bank_images": len(after.bank_images),
        "before": {**effects[0].facts(), "threshold": before.record.calibration.threshold},
        "after": {**effects[1].facts(), "threshold": after.record.calibration.threshold},
        "kept": kept,
        "version": after.record.version if kept else before.record.version,
    }


def _wanted() -> bool:
    say("Keep this? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
