"""Arrays to image files, whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from anomaly.errors import OutputError
from anomaly.imaging.decode import check_image
from anomaly.imaging.names import printable_name
from anomaly.types import UInt8Array

_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 4}),
    ".jpg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
    ".webp": ("WEBP", {"quality": 92}),
}


def write_image(image: UInt8Array, path: Path | str) -> None:
    """Write an image; the suffix decides the format.

    The file appears complete under its name or not at all: it is written beside its place and renamed, so a
    full disk or a kill leaves whatever was there before.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3)
    path : Path or str
        In an existing folder; an existing file is replaced.

    Raises
    ------
    ImageError
        The array is not an image.
    OutputError
        Unknown suffix, missing folder, no permission, disk full, or the path is a folder or device.
    """
    check_image(image)
    target = Path(path)
    name = printable_name(target)
    if target.suffix.lower() not in _FORMATS:
        raise OutputError(
            f"expected a picture name that ends in {', '.join(_FORMATS)}, got {name}; change its suffix",
            path=path,
        )
    try:
        if target.exists() and not target.is_file():
            raise OutputError(
                f"expected a file name, but {name} is a folder, pipe or device; choose another name",
                path=path,
            )
        _write_beside(image, target)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or printable_name(str(error))
        raise OutputError(
            f"cannot write {name}: {reason}; check that its folder exists, is writable and has space left",
            path=path,
        ) from error


def _write_beside(image: UInt8Array, target: Path) -> None:
    kind, options = _FORMATS[target.suffix.lower()]
    # Not derived from the name, which may be as long as the file system allows.
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            Image.fromarray(image).save(file, format=kind, **options)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
