"""Which files below a folder are photographs.

What goodparts wrote itself is none, wherever it was put: heatmaps often lie among the pictures that they are made of,
and a trained model, which holds small pictures of its memory bank, in the folder that it was trained on.
"""

from __future__ import annotations

import os
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

    Hidden files and folders (a leading dot), trained models, and pictures that goodparts drew
    (:func:`~anomaly.imaging.encode.is_signed`) are left out, links to folders are not followed. A subfolder that
    cannot be listed stands in the list itself, so that it becomes a row with an error instead of silently
    taking its images along.

    Raises
    ------
    ImageUnreadableError
        The folder is missing, no folder, or cannot be listed.
    """
    root = Path(folder)
    found: list[Path] = []

    def refused(error: OSError) -> None:
        if error.filename is None or Path(error.filename) == root:
            raise ImageUnreadableError(
                f"cannot list {printable_name(root)}: {error.strerror or 'input/output error'}; "
                "give a folder of images",
                path=root,
            ) from error
        found.append(Path(error.filename))

    for place, subfolders, files in os.walk(root, onerror=refused):
        if {*subfolders, *files} >= _OF_TRAINED_MODEL:
            subfolders.clear()
            continue
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found += [path for path in (Path(place, name) for name in files) if is_photograph(path)]
    return sorted(found, key=lambda path: path.relative_to(root).parts)


def is_photograph(path: Path) -> bool:
    """Tell whether :func:`find_images` lists this file."""
    return not path.name.startswith(".") and path.suffix.lower() in IMAGE_SUFFIXES and not is_signed(path)
