"""``--verdict``: what people found when they looked, to the journal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from anomaly.cli.options import DEFAULT_MODEL, DONE, FAILED
from anomaly.cli.output import emit, say
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.rows import json_line
from anomaly.dataset.wording import counted
from anomaly.errors import DatasetError, ImageError, JournalError, TrainedModelMissingError
from anomaly.imaging.decode import content_hash
from anomaly.imaging.names import printable_name
from anomaly.journal import Journal, OperatorVerdict, time_text

if TYPE_CHECKING:
    from anomaly.calibration import ScoredImage
    from anomaly.detector import Detector


def run(arguments: Arguments) -> int:
    """Record the truth of judged images, all of them or, where one is not in the journal, none.

    Returns
    -------
    int
        0; 1 if an image cannot be read, which then has no verdict.
    """
    assert arguments.journal is not None
    assert arguments.truth is not None
    now = time_text(datetime.now(UTC))
    verdicts, failed = [], []
    for path in arguments.images:
        try:
            sha256 = content_hash(path)
        except ImageError as error:
            failed.append(str(error))
            continue
        verdicts.append(
            OperatorVerdict(now, sha256, path, arguments.truth, arguments.part_type, arguments.reason or "")
        )
    if not arguments.journal.is_file():
        raise JournalError(
            f"there is no journal {arguments.journal}: make one with --predict ... --journal FILE",
            path=arguments.journal,
        )
    with Journal(arguments.journal, inputs=arguments.images) as journal:
        said = journal.judged([verdict.sha256 for verdict in verdicts])
        unknown = [verdict.path for verdict in verdicts if verdict.sha256 not in said]
        if unknown:
            raise JournalError(
                f"{len(unknown)} of {counted(len(arguments.images), 'image')} {'was' if len(unknown) == 1 else 'were'} "
                f"never judged in this journal, the first is {printable_name(unknown[0])}: judge "
                f"{'it' if len(unknown) == 1 else 'them'} with --predict --journal first; nothing was recorded",
                path=arguments.journal,
            )
        if arguments.part_type:
            _check_part_type(arguments, journal, [verdict.sha256 for verdict in verdicts])
        if verdicts:
            journal.record(verdicts)
    for verdict in verdicts:
        label = said[verdict.sha256].label
        if arguments.json:
            emit(json_line({"path": verdict.path, "truth": verdict.truth, "label": label}))
        else:
            emit(f"{printable_name(verdict.path)}  {verdict.truth}  (judged {label or 'score only'})")
    for why in failed:
        say(f"error: {printable_name(why)}")
    return FAILED if failed else DONE


def _check_part_type(arguments: Arguments, journal: Journal, sha256s: list[str]) -> None:
    """Refuse a part type that the trained model does not know, where the model that judged the images is at hand.

    Where it is not, such as at the station of an operator, ``--recalibrate`` leaves such verdicts aside. A model that
    was named has to be there: nobody should believe that it was asked.

    Raises
    ------
    DatasetError, TrainedModelError
    """
    from anomaly.detector import load_detector, training_fingerprint

    named = arguments.model != Path(DEFAULT_MODEL)
    try:
        judged = journal.judged(sha256s, model=training_fingerprint(arguments.model))
    except TrainedModelMissingError:
        if named:
            raise
        return
    if judged:
        _refuse_unknown(load_detector(arguments.model, device="cpu"), arguments.part_type)
    elif named and sha256s:
        say(
            f"the trained model in {printable_name(arguments.model)} has judged none of these images as it stands: the "
            "part type is not checked"
        )


def _refuse_unknown(detector: Detector, part_type: str) -> None:
    """Refuse a part type as ``--predict`` does, unless the trained model knows none: operators may name its first.

    Raises
    ------
    DatasetError
    """
    from anomaly.cli.judging import check_part_type, known_part_types

    if known_part_types(detector):
        check_part_type(detector, part_type, Reporter(quiet=True))


def _knows(detector: Detector, part_type: str) -> bool:
    try:
        _refuse_unknown(detector, part_type)
    except DatasetError:
        return False
    return True


def judged_with_verdicts(
    detector: Detector, journal: Journal, *, model: str
) -> tuple[tuple[ScoredImage, ...], list[str]]:
    """Return the images that people looked at, with the scores that this training gave them.

    Parameters
    ----------
    detector : Detector
    journal : Journal
    model : str
        See :func:`anomaly.detector.training_fingerprint`.

    Returns
    -------
    tuple of ScoredImage
    list of str
        What a reader of the threshold has to know of them.

    Raises
    ------
    JournalError
        There is no verdict on an image that this training has judged and not learnt from.
    """
    from anomaly.types import DAMAGED, NOT_JUDGED, REINSPECT

    verdicts = journal.verdicts()
    entries = journal.judged([verdict.sha256 for verdict in verdicts], model=model)
    used = [verdict for verdict in verdicts if verdict.sha256 in entries]
    judged = [verdict for verdict in used if entries[verdict.sha256].label != NOT_JUDGED]
    bank = {image.sha256 for image in detector.bank_images}
    outside = [verdict for verdict in judged if verdict.sha256 not in bank]
    strange = {name for name in {verdict.part_type for verdict in outside} if not _knows(detector, name)}
    usable = [verdict for verdict in outside if verdict.part_type not in strange]
    names = ", ".join(printable_name(name) for name in sorted(strange))
    unknown = f"part types that the trained model does not know ({names})"
    if not usable:
        raise JournalError(
            f"the journal {journal.path} has {counted(len(verdicts), 'verdict')}, none on an image that this trained "
            f"model, as it stands, has judged and not learnt from{f', but on {unknown}' if strange else ''}: judge "
            "images with --predict --journal, and record what people find with --verdict IMAGE... --truth LABEL "
            "--journal FILE",
            path=journal.path,
        )
    flagged = sum(entries[verdict.sha256].label in (DAMAGED, REINSPECT) for verdict in usable)
    notes = [
        f"{counted(len(usable), 'verdict')} of operators from the journal, {flagged} of them on images that had been "
        "flagged: rates are those of the line only if the images to look at were chosen without regard to their score",
        *_left_aside(len(verdicts) - len(used), "images that another training judged"),
        *_left_aside(len(used) - len(judged), "pictures that were not judged"),
        *_left_aside(len(judged) - len(outside), "images of the memory bank"),
        *_left_aside(len(outside) - len(usable), f"{unknown}: correct them with another --verdict"),
    ]
    return tuple(_scored(verdict, entries[verdict.sha256].score) for verdict in usable), notes


def _scored(verdict: OperatorVerdict, score: float) -> ScoredImage:
    from anomaly.calibration import ScoredImage

    name = PurePath(verdict.path).name
    return ScoredImage(name, verdict.sha256, verdict.truth, score, part_type=verdict.part_type)


def _left_aside(n: int, what: str) -> list[str]:
    return [f"not used: {counted(n, 'verdict')} on {what}"] if n else []
