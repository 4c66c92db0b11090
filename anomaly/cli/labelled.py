"""Labelled images for ``--recalibrate`` and ``--evaluate``: read, told apart from the memory bank, counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomaly.cli.progress import Reporter
from anomaly.dataset import LabelledImage, find_duplicates, read_dataset, refuse_bank_images
from anomaly.dataset.labels import LABELS_FILE
from anomaly.dataset.wording import counted
from anomaly.detector import Detector
from anomaly.errors import DatasetError
from anomaly.imaging.names import printable_name
from anomaly.types import Split


@dataclass(frozen=True)
class CheckedImage:
    """A labelled image that is not in the memory bank.

    Attributes
    ----------
    labelled : LabelledImage
    sha256 : str
        Of its file; empty where that cannot be read.
    error : str
        Why it cannot be read; empty where it can.
    """

    labelled: LabelledImage
    sha256: str
    error: str


def read_labelled(
    detector: Detector, folder: Path, progress: Reporter, *, split: Split | None = None
) -> tuple[CheckedImage, ...]:
    """Read labelled images and refuse those that the detector has learnt from.

    Copies of one picture count once; that some were left out is said. With a split only the images count that
    training put there, known by their content, or by their name where they cannot be read; how many are missing is
    said.

    Raises
    ------
    DatasetError
        As :func:`anomaly.dataset.read_dataset`, or none of the images is in the split.
    LabelConflictError
        The same picture carries two labels.
    LeakError
        Some images are in the memory bank.
    """
    dataset = read_dataset(folder)
    progress.remark(f"{printable_name(folder)}: {dataset.layout}")
    for note in dataset.notes:
        progress.remark(note)
    report = find_duplicates(
        dataset.images,
        limits=detector.config.image,
        near=False,
        progress=lambda done, total: progress("checking images", done, total),
    )
    copies = {name for cluster in report.exact for name in cluster.names[1:]}
    if copies:
        progress.remark(f"exact copies left out: {len(copies)}")
    found = tuple(
        CheckedImage(image, report.sha256.get(image.name, ""), report.unreadable.get(image.name, ""))
        for image in dataset.images
        if image.name not in copies
    )
    if split is not None:
        return _of_split(detector, found, split, folder, progress)
    refuse_bank_images(report.sha256.items(), [(image.name, image.sha256) for image in detector.bank_images])
    return found


def files_read(folder: Path, images: Sequence[LabelledImage]) -> list[str]:
    """Return what of a labelled folder must not be written over: images, masks and the table of labels."""
    masks = [image.mask for image in images if image.mask is not None]
    return [str(path) for path in (*(image.path for image in images), *masks, folder, folder / LABELS_FILE)]


def recorded_split(detector: Detector, split: Split) -> frozenset[str]:
    """Return the sha256 of every image that training put into a split."""
    return frozenset(entry.sha256 for entry in detector.provenance.splits if entry.split == split)


def missing_images(gone: int, total: int, split: Split, folder: Path) -> str:
    """Say how many images of a split are not in a folder: ``"1 of 26 validation images is not in data"``."""
    return (
        f"{gone} of {counted(total, f'{split} image')} {'is' if gone == 1 else 'are'} not in {printable_name(folder)}"
    )


def _of_split(
    detector: Detector, images: tuple[CheckedImage, ...], split: Split, folder: Path, progress: Reporter
) -> tuple[CheckedImage, ...]:
    members = recorded_split(detector, split)
    names = {entry.name for entry in detector.provenance.splits if entry.split == split}
    chosen = tuple(i for i in images if i.sha256 in members or (i.error and i.labelled.name in names))
    if not chosen:
        raise DatasetError(
            f"none of the {len(images)} images is in the {split} split of this trained model ({len(members)} images): "
            "name the folder that it was trained on, or leave --split out"
        )
    gone = len(members) - len(chosen)
    if gone > 0:
        progress.remark(
            f"{missing_images(gone, len(members), split, folder)} as training saw {'it' if gone == 1 else 'them'}: "
            f"the figures are without {'it' if gone == 1 else 'them'}"
        )
    return chosen
