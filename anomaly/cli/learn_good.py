"""``--learn-good``: good parts that are flagged again and again, into the memory bank."""

from __future__ import annotations

from pathlib import Path

from anomaly.cli.bank_change import propose
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.detector import Detector, load_detector
from anomaly.detector.bank_change import with_image
from anomaly.errors import LeakError
from anomaly.imaging.decode import content_hash
from anomaly.imaging.names import printable_name


def run(arguments: Arguments) -> int:
    """Add undamaged images to the memory bank, if what that does is wanted.

    Returns
    -------
    int
        0; 1 where nobody could be asked and ``--yes`` was not given. Whatever fails leaves the trained model as it was.
    """
    detector = load_detector(arguments.model, device=arguments.device)
    hashes = {content_hash(path): path for path in arguments.images}
    _check(detector, hashes)
    with Reporter(quiet=arguments.quiet) as progress:
        changed = detector
        for done, path in enumerate(hashes.values(), start=1):
            changed = with_image(changed, Path(path))
            progress("learning", done, len(hashes))
        names = [image.name for image in changed.bank_images[len(detector.bank_images) :]]
        return propose(detector, changed, arguments, action="learn-good", names=names, progress=progress)


def _check(detector: Detector, hashes: dict[str, str]) -> None:
    """Refuse what is in the memory bank already, and what a figure rests on.

    Raises
    ------
    LeakError
    """
    places = {image.sha256: "in the memory bank already" for image in detector.bank_images}
    places |= {entry.sha256: "in the test split" for entry in detector.provenance.splits if entry.split == "test"}
    if detector.record is not None:
        places |= {image.sha256: "a validation image" for image in detector.record.scores}
    known = [(path, places[sha256]) for sha256, path in hashes.items() if sha256 in places]
    if known:
        path, place = known[0]
        raise LeakError(
            f"expected images that this trained model does not know, but {printable_name(path)} is {place}: leave it "
            "out, or train again with it in the memory bank",
            paths=[path for path, _ in known],
        )
