"""``--forget``: images out of the memory bank."""

from __future__ import annotations

from pathlib import Path

from anomaly.cli.bank_change import propose
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.detector import Detector, load_detector
from anomaly.detector.bank_change import without_images
from anomaly.errors import DatasetError
from anomaly.imaging.decode import content_hash
from anomaly.imaging.names import printable_name


def run(arguments: Arguments) -> int:
    """Take images out of the memory bank, if what that does is wanted.

    Returns
    -------
    int
        0; 1 where nobody could be asked and ``--yes`` was not given. Whatever fails leaves the trained model as it was.
    """
    detector = load_detector(arguments.model, device=arguments.device)
    numbers = sorted({_number(detector, name) for name in arguments.images})
    changed = without_images(detector, numbers)
    names = [detector.bank_images[number].name for number in numbers]
    with Reporter(quiet=arguments.quiet) as progress:
        return propose(detector, changed, arguments, action="forget", names=names, progress=progress)


def _number(detector: Detector, name: str) -> int:
    """Return the place of a bank image: known by its content, or by its name where there is no such file.

    Raises
    ------
    DatasetError
        It is not in the memory bank.
    """
    sha256 = content_hash(name) if Path(name).is_file() else ""
    for number, image in enumerate(detector.bank_images):
        if sha256 == image.sha256 or (not sha256 and name == image.name):
            return number
    why = ", by its file or its name in splits.csv, but {} is not one"
    for entry in detector.provenance.splits:
        if entry.split == "bank" and (sha256 == entry.sha256 or (not sha256 and name == entry.name)):
            forgotten = entry.name in _forgotten(detector)
            why = f", but {{}} was {'taken out of it before' if forgotten else 'left out of it in training'}"
    raise DatasetError(f"expected an image of the memory bank{why.format(printable_name(name))}: nothing was changed")


def _forgotten(detector: Detector) -> set[str]:
    """Return the names of all images that were ever taken out of the memory bank."""
    assert detector.source is not None
    changes = detector.source.versions.versions if detector.source.versions else ()
    return {name for change in changes if change.action == "forget" for name in change.images}
