"""Arrays to image files, whole or not at all, and signed: what is drawn here is never taken for a photograph."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from PIL import Image

from anomaly.errors import ImageError, OutputError
from anomaly.files import replaced_file
from anomaly.imaging.decode import check_image, open_file
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
_NAME = "goodparts"
_SOFTWARE = 305  # the tag of TIFF and EXIF that names the program (TIFF 6.0, p. 39)
# Before the pixels: a text chunk (PNG 3rd edition, 11.3.3) and a comment segment (ITU-T T.81, B.2.4.5).
_AT_THE_START = (b"tEXtSoftware\0" + _NAME.encode(), b"\xff\xfe\x00\x0b" + _NAME.encode())
# After them: where Pillow puts the tag of a TIFF and of a WebP.
_AT_THE_END = _NAME.encode() + b"\0"
_WITHIN = 256
# A BMP has four bytes for the program that wrote it, from here (Microsoft, BITMAPFILEHEADER, bfReserved1 and 2).
_IN_BMP, _BMP_MARK = 6, b"good"


def write_image(image: UInt8Array, path: Path | str) -> None:
    """Write a picture that was drawn; the suffix decides the format.

    It is signed, and :func:`~anomaly.imaging.listing.find_images` leaves it aside: this is not for photographs.

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
        with replaced_file(target) as beside:
            _write(image, beside, target.suffix.lower())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or printable_name(str(error))
        raise OutputError(
            f"cannot write {name}: {reason}; check that its folder exists, is writable and has space left",
            path=path,
        ) from error


def is_signed(path: Path) -> bool:
    """Tell whether :func:`write_image` wrote a file.

    False where it cannot be read: that is for whoever decodes it to say.
    """
    try:
        with open_file(path, max_megabytes=None) as file:
            start = file.read(_WITHIN)
            if start.startswith(b"BM"):
                return start[_IN_BMP:].startswith(_BMP_MARK)
            if not start.startswith((b"II*\0", b"RIFF")):
                return any(signature in start for signature in _AT_THE_START)
            file.seek(max(0, file.seek(0, os.SEEK_END) - _WITHIN))
            return _AT_THE_END in file.read()
    except (ImageError, OSError):
        return False


def _signature(kind: str) -> dict[str, Any]:
    """Return what makes Pillow sign a picture; nothing for a BMP, which has no place for a text."""
    if kind == "PNG":
        from PIL.PngImagePlugin import PngInfo  # most calls draw nothing

        text = PngInfo()
        text.add_text("Software", _NAME)
        return {"pnginfo": text}
    if kind == "WEBP":
        exif = Image.Exif()
        exif[_SOFTWARE] = _NAME
        return {"exif": exif}
    if kind == "TIFF":
        return {"tiffinfo": {_SOFTWARE: _NAME}}
    return {"comment": _NAME} if kind == "JPEG" else {}


def _write(image: UInt8Array, path: Path, suffix: str) -> None:
    kind, options = _FORMATS[suffix]
    with path.open("wb") as file:
        Image.fromarray(image).save(file, format=kind, **options, **_signature(kind))
        if kind == "BMP":
            file.seek(_IN_BMP)
            file.write(_BMP_MARK)
