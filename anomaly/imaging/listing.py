"""Which files below a folder are photographs.

What goodparts wrote itself is none, wherever it was put: heatmaps often lie among the pictures that they are made of,
and a trained model, which holds small pictures of its memory bank, in the folder that it was trained on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from anomaly.errors import ImageUnreadableError
from anomaly.imaging.encode import is_signed
from anomaly.imaging.names import printable_name

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff"} | {".webp"}
)
"""Suffixes, in lower case, of the files that :func:`find_images` lists."""

_OF_TRAINED_MODEL = frozenset({"manifest.json", "bank", "calibration", "thumbnails"})


def find_images(folder: Path | str) -> list[Path]:
    """List the image files below a folder, by suffix, sorted by path.

    Links to folders are followed, but not back to a folder that they lie in. Hidden files and folders (a leading dot),
    trained models, and pictures that goodparts drew (:func:`~anomaly.imaging.encode.is_signed`) are left out. A
    subfolder that cannot be listed stands in the list itself, so that it becomes a row with an error instead of
    silently taking its images along.

    Raises
    ------
    ImageUnreadableError
        The folder is missing, no folder, or cannot be listed.
    """
    root = Path(folder)
    try:
        found = list(_below(root, frozenset()))
    except OSError as error:
        raise ImageUnreadableError(
            f"cannot list {printable_name(root)}: {error.strerror or 'input/output error'}; give a folder of images",
            path=root,
        ) from error
    return sorted(found, key=lambda path: path.relative_to(root).parts)


def _below(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """Yield what is below a folder; ``above`` are those that it lies in, by device and inode.

    Raises
    ------
    OSError
        It cannot be listed itself.
    """
    status = folder.stat()
    place = (status.st_dev, status.st_ino)
    if place in above or is_trained_model(folder):
        return
    with os.scandir(folder) as entries:
        # Most are files, and listed as such: none of them is asked about one by one.
        found = sorted((entry.name, entry.is_file(follow_symlinks=False)) for entry in entries)
    for name, is_file in found:
        path = folder / name
        try:
            if is_file or not path.is_dir():
                if is_photograph(path):
                    yield path
            elif not name.startswith("."):
                yield from _below(path, above | {place})
        except OSError:
            yield path


def is_trained_model(folder: Path) -> bool:
    """Tell whether a folder has what a trained model has."""
    return all((folder / name).exists() for name in _OF_TRAINED_MODEL)


def is_photograph(path: Path) -> bool:
    """Tell whether :func:`find_images` lists this file."""
    return not path.name.startswith(".") and path.suffix.lower() in IMAGE_SUFFIXES and not is_signed(path)
