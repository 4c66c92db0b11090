"""What ``--predict`` and ``--heatmap`` share: from the names on the command line to images, errors kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomaly.cli.output import say
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.detector import Detector
from anomaly.errors import DatasetError, ImageError, ImageUnreadableError
from anomaly.imaging.listing import find_images
from anomaly.imaging.names import printable_name

if TYPE_CHECKING:
    from anomaly.cluster import Order


def listed_images(names: Sequence[str]) -> list[tuple[str, ImageError | None]]:
    """Return every image that the names stand for, with what is wrong with the name where something is.

    Parameters
    ----------
    names : sequence of str
        Files stay as they are; folders are replaced by the images below them.
    """
    found: list[tuple[str, ImageError | None]] = []
    for name in names:
        if not is_folder(name):
            found.append((name, None))
            continue
        try:
            images = find_images(name)
        except ImageError as error:
            found.append((name, error))
            continue
        found += [(str(path), None) for path in images]
        if not images:
            nothing = f"expected images in the folder {printable_name(name)}, found none; check the name and suffixes"
            found.append((name, ImageUnreadableError(nothing, path=name)))
    return found


def order_of(arguments: Arguments, detector: Detector) -> Order:
    """Return what workers must know to judge as this command line says."""
    from anomaly.cluster import Order  # by far not every call has workers

    assert detector.source is not None
    return Order(
        model=str(arguments.model.resolve()),
        folder=str(Path.cwd()),
        device=arguments.device,
        part_type=arguments.part_type,
        check_capture=not arguments.no_capture_check,
        manifest_sha256=detector.source.manifest_sha256,
    )


def known_part_types(detector: Detector) -> frozenset[str]:
    """Return the part types that the training or the standing calibration names; empty where they name none."""
    known = {entry.part_type for entry in detector.provenance.splits}
    known |= {image.part_type for image in (detector.record.scores if detector.record else ())}
    return frozenset(known - {""})


def check_part_type(detector: Detector, part_type: str, progress: Reporter) -> None:
    """Refuse a part type that training did not know, and say whose threshold counts where that is not plain.

    Parameters
    ----------
    part_type : str
        Empty: none was named.

    Raises
    ------
    DatasetError
    """
    own = detector.calibration.by_part_type if detector.calibration else {}
    known = known_part_types(detector)
    names = ", ".join(printable_name(name) for name in sorted(known))
    if not part_type:
        if own:
            progress.remark(
                f"the common threshold is used: part types {', '.join(map(printable_name, own))} have their own, "
                "name one with --part-type"
            )
    elif part_type not in known:
        raise DatasetError(
            f"expected a part type that this trained model knows ({names or 'it knows none'}), got "
            f"{printable_name(part_type)}: correct --part-type or leave it out"
        )
    elif part_type not in own:
        progress.remark(f"part type {printable_name(part_type)} has no threshold of its own: the common one is used")


def say_failures(failed: int, total: int) -> None:
    """Sum up on stderr why the exit status is 1."""
    if failed:
        noun = "image" if total == 1 else "images"
        say(f"error: {failed} of {total} {noun} could not be read, see the output for why")


def is_folder(name: Path | str) -> bool:
    """Tell whether there is a folder of that name; a name that the system does not even accept is none."""
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):  # reading it says so
        return False
