"""From a labelled folder to a calibrated detector: check, split, choose settings, fit on the bank split, calibrate.

The test split is returned untouched: nothing here scores it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from anomaly.config import Config
from anomaly.dataset import Dataset, LabelledImage, SplitAssignment, find_duplicates, split_dataset
from anomaly.dataset.wording import counted, listed
from anomaly.detector.bank_change import without_images
from anomaly.detector.detector import Detector
from anomaly.detector.leave_out import choose_to_leave_out
from anomaly.detector.origin import Provenance
from anomaly.detector.patchcore import PatchCore
from anomaly.detector.progress import Progress, silent
from anomaly.detector.selection import Selection, select_settings
from anomaly.detector.suspects import Suspect, name_suspects, own_scores
from anomaly.detector.turn_choice import choose_turns
from anomaly.embedding.runtime import Device
from anomaly.imaging.names import printable_name


@dataclass(frozen=True, eq=False)
class Training:
    """What training made.

    Attributes
    ----------
    detector : Detector
        Calibrated on the validation split.
    split : SplitAssignment
    selection : Selection
        The settings it was trained with, and why.
    test : tuple of LabelledImage
        The images that nothing has looked at; may be empty.
    suspects : tuple of Suspect
        Undamaged images that look damaged among the others or were left out of the memory bank, strangest first.
    """

    detector: Detector
    split: SplitAssignment
    selection: Selection
    test: tuple[LabelledImage, ...]
    suspects: tuple[Suspect, ...] = ()


def train(
    dataset: Dataset,
    config: Config,
    *,
    data: str,
    fixed: Collection[str] = (),
    device: Device = "auto",
    progress: Progress = silent,
) -> Training:
    """Split, fit and calibrate.

    Parameters
    ----------
    dataset : Dataset
    config : Config
    data : str
        What the caller calls the data; recorded.
    fixed : collection of str
        Settings, as ``section.name``, that somebody chose on purpose; only the others are tried out
        (:mod:`anomaly.detector.selection`).
    device : {"auto", "cpu", "cuda"}
    progress : Progress
        Told about ``checking images``, ``trying settings``, ``trying turned copies``, ``looking for suspects``,
        ``looking for mislabelled images`` and the stages of :meth:`anomaly.PatchCore.fit` and
        :meth:`anomaly.Detector.calibrate`.

    Returns
    -------
    Training

    Raises
    ------
    DatasetError, ImageError, BackboneError, RuntimeUnavailableError, ConfigError, CalibrationError
    """
    PatchCore(config, device=device).prepare()  # what cannot be had should fail now, not after the images
    duplicates = find_duplicates(
        dataset.images,
        limits=config.image,
        progress=lambda done, total: progress("checking images", done, total),
    )
    split = split_dataset(dataset, config.split, seed=config.seed, duplicates=duplicates)
    bank, validation = split.select("bank"), split.select("validation")
    selection = _choose(config, bank, validation, fixed, device, progress)
    core = PatchCore(selection.config, device=device)
    detector = core.fit(
        [image.path for image in bank],
        names=[image.name for image in bank],
        part_types=[image.part_type for image in bank],
        progress=progress,
    )
    detector, suspects = _look_for_mislabelled(detector, bank, validation, progress)
    provenance = Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=data,
        layout=dataset.layout,
        notes=(*dataset.notes, *split.notes, *_left_out_notes(suspects)),
        selection=selection.reasons,
        splits=split.entries,
    )
    detector = replace(detector, provenance=provenance).calibrate(validation, reason="training", progress=progress)
    return Training(detector, split, selection, split.select("test"), suspects)


def _choose(
    config: Config,
    bank: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    fixed: Collection[str],
    device: Device,
    progress: Progress,
) -> Selection:
    """Choose the settings, and for these whether the bank gets turned copies."""
    found = select_settings(config, bank=bank, validation=validation, fixed=fixed, device=device, progress=progress)
    return choose_turns(found, bank=bank, validation=validation, fixed=fixed, device=device, progress=progress)


def _look_for_mislabelled(
    detector: Detector, bank: Sequence[LabelledImage], validation: Sequence[LabelledImage], progress: Progress
) -> tuple[Detector, tuple[Suspect, ...]]:
    """Leave out of the bank what the validation images speak against; name it and all that looks damaged."""
    scores = own_scores(detector, [image.path for image in bank], progress=progress)
    left_out: tuple[int, ...] = ()
    if detector.config.selection.leave_out:
        left_out = choose_to_leave_out(detector, scores, validation, progress=progress)
    suspects = name_suspects(detector, scores, left_out=left_out)
    return without_images(detector, left_out) if left_out else detector, suspects


def _left_out_notes(suspects: Sequence[Suspect]) -> list[str]:
    names = [printable_name(suspect.name) for suspect in suspects if suspect.left_out]
    if not names:
        return []
    return [
        f"{counted(len(names), 'undamaged image')} left out of the memory bank, because the validation images are told "
        f"apart better without: {listed(names)}."
    ]
