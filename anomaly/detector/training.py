"""From a labelled folder to a calibrated detector: check, split, choose settings, fit on the bank split, calibrate.

The test split is returned untouched: nothing here scores it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from anomaly.calibration import ScoredImage
from anomaly.config import Config
from anomaly.dataset import Dataset, LabelledImage, SplitAssignment, find_duplicates, split_dataset
from anomaly.dataset.wording import counted, listed
from anomaly.detector.detector import Detector
from anomaly.detector.embedded import EmbedAll, embed_here
from anomaly.detector.leave_out import choose_to_leave_out
from anomaly.detector.memory import Memory, Remember, fill, remember_by
from anomaly.detector.origin import Provenance
from anomaly.detector.patchcore import PatchCore, complete
from anomaly.detector.progress import Progress, silent
from anomaly.detector.selection import Selection, select_settings
from anomaly.detector.suspects import Suspect, find_suspects
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
    embed_all: EmbedAll = embed_here,
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
    embed_all : EmbedAll
        Who embeds the images that the memory is made of; see :class:`anomaly.PatchCore`.
    progress : Progress
        Told about ``checking images``, ``trying settings``, ``looking for mislabelled images``, ``trying the
        memory``, ``looking for suspects`` and the stages of :meth:`anomaly.PatchCore.fit` and
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
    selection = select_settings(config, bank=bank, validation=validation, fixed=fixed, device=device, progress=progress)
    core = PatchCore(selection.config, device=device)
    remember = remember_by(device, embed_all)
    memory, left_out = _first_memory(selection, core, remember, bank, validation, progress)
    kept = [image for number, image in enumerate(bank) if number not in left_out]
    selection, memory = choose_turns(
        selection, memory, bank=kept, validation=validation, remember=remember, fixed=fixed, progress=progress
    )
    detector = complete(memory.detector, [image.path for image in kept], progress=progress)
    suspects = find_suspects(detector, kept, left_out=[bank[number] for number in left_out], progress=progress)
    notes = (*dataset.notes, *split.notes, *_left_out_notes(suspects))
    provenance = _provenance(dataset, data, notes=notes, selection=selection, split=split)
    detector = _calibrated(replace(detector, provenance=provenance), memory.scored, validation, progress)
    return Training(detector, split, selection, split.select("test"), suspects)


def _provenance(
    dataset: Dataset, data: str, *, notes: tuple[str, ...], selection: Selection, split: SplitAssignment
) -> Provenance:
    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=data,
        layout=dataset.layout,
        notes=notes,
        selection=selection.reasons,
        splits=split.entries,
    )


def _first_memory(
    selection: Selection,
    core: PatchCore,
    remember: Remember,
    bank: Sequence[LabelledImage],
    validation: Sequence[LabelledImage],
    progress: Progress,
) -> tuple[Memory, tuple[int, ...]]:
    """Fill the memory without the images that the validation images speak against, and return the places of those.

    They are not looked for where the labels are told apart with them: then none does harm that could be seen.
    """

    def filled(left_out: tuple[int, ...], how: str = "") -> Memory:
        kept = [image for number, image in enumerate(bank) if number not in left_out]
        return fill(remember, selection.config, kept, validation, how=how, progress=progress)

    if not selection.tells_apart:
        left_out = _mislabelled(core, bank, validation, progress)
        return filled(left_out), left_out
    memory = filled(())
    if memory.tells_apart:
        return memory, ()
    left_out = _mislabelled(core, bank, validation, progress)
    return (filled(left_out, "mislabelled images left out") if left_out else memory), left_out


def _mislabelled(
    core: PatchCore, bank: Sequence[LabelledImage], validation: Sequence[LabelledImage], progress: Progress
) -> tuple[int, ...]:
    """Places of the bank images that the validation images speak against, seen by the network without whitening."""
    if not core.config.selection.leave_out:
        return ()
    extractor, _ = core.prepare().build()
    return choose_to_leave_out(extractor, core.config, bank, validation, progress=progress)


def _calibrated(
    detector: Detector, scored: tuple[ScoredImage, ...], validation: Sequence[LabelledImage], progress: Progress
) -> Detector:
    """Calibrate on all validation images, some of which the same memory has scored before."""
    known = {image.name for image in scored}
    others = [image for image in validation if image.name not in known]
    return detector.calibrate(others, scored=scored, reason="training", progress=progress)


def _left_out_notes(suspects: Sequence[Suspect]) -> list[str]:
    names = [printable_name(suspect.name) for suspect in suspects if suspect.left_out]
    if not names:
        return []
    return [
        f"{counted(len(names), 'undamaged image')} left out of the memory bank, because in it damaged validation "
        f"images would look more ordinary, and undamaged ones would not: {listed(names)}."
    ]
