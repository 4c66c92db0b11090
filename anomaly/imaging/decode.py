"""Image files to arrays: one way in, with limits, and one error family for whatever is wrong.

What comes out is always upright (EXIF orientation applied) and, but for masks, (H, W, 3) uint8, RGB. The rules for what
goes in:

* 16-bit grey is scaled from its full range, ``round(value / 257)``; a 12-bit camera that stores 0..4095
  without scaling therefore gives a dark picture. 16-bit colour keeps its upper eight bits (Pillow's reading).
* 32-bit integer and floating-point pixels have no agreed full range and are refused.
* Transparency is composited over white, which is what most viewers show.
* CMYK and YCCK are converted without a colour profile; embedded profiles are ignored throughout.
* Files with more than one frame (animated GIF, WebP, PNG; multi-page TIFF) are refused: choosing a frame
  would be guessing which part was photographed. The preview pictures that phones append to a JPEG (MPO)
  are not frames: the main picture is read.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from anomaly.config import ImageConfig
from anomaly.errors import ImageError, ImageTooLargeError, ImageUnreadableError
from anomaly.imaging.names import printable_name
from anomaly.types import UInt8Array

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

# First bytes -> Pillow module and class. ``Image.open`` is avoided on purpose: it tries dozens of formats
# that nobody photographs parts in, and its process-wide pixel limit warns or refuses before ours is asked.
_FORMATS: tuple[tuple[tuple[bytes, ...], str, str], ...] = (
    ((b"\x89PNG\r\n\x1a\n",), "PngImagePlugin", "PngImageFile"),
    ((b"\xff\xd8\xff",), "JpegImagePlugin", "JpegImageFile"),
    ((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"), "TiffImagePlugin", "TiffImageFile"),
    ((b"BM",), "BmpImagePlugin", "BmpImageFile"),
    ((b"RIFF",), "WebPImagePlugin", "WebPImageFile"),
    ((b"GIF87a", b"GIF89a"), "GifImagePlugin", "GifImageFile"),
    ((b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"), "PpmImagePlugin", "PpmImageFile"),
)
_TIFF_WIDTH, _TIFF_HEIGHT, _ORIENTATION = 256, 257, 0x0112

# EXIF 2.32, 4.6.4 A, tag Orientation: what has to be done to stand the picture upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Only the headers are read under it: silencing warnings is process-wide.
_HEADER_LOCK = threading.Lock()


@dataclass(frozen=True)
class _Header:
    """What the header says: upright size, and the orientation that is still to be applied after decoding."""

    height: int
    width: int
    orientation: int


def load_image(path: Path | str, *, limits: ImageConfig | None = None) -> UInt8Array:
    """Read one image file.

    Parameters
    ----------
    path : Path or str
    limits : ImageConfig, optional
        Sizes above which a file is refused before it is decoded (1 megabyte = 10**6 bytes).

    Returns
    -------
    ndarray of uint8, (H, W, 3)
        RGB, upright, in an array of its own.

    Raises
    ------
    ImageUnreadableError
        Missing, forbidden, a folder, a pipe or device, empty, truncated, corrupt, of several frames, of
        pixels without an agreed range, or no image at all.
    ImageTooLargeError
        More bytes or pixels than the limits allow; nothing was decoded.
    """
    limits = limits or ImageConfig()
    with open_file(path, max_megabytes=limits.max_megabytes) as file, _mapped_errors(path):
        return _decode(file, path, limits)


def load_known(path: Path | str, *, limits: ImageConfig | None = None) -> tuple[UInt8Array, str]:
    """Read one image file, and return its :func:`content_hash` beside the pixels: both of one and the same file.

    Asked one after the other, the two may speak of different photographs, where a camera writes over its last one.

    Raises
    ------
    ImageUnreadableError, ImageTooLargeError
        As :func:`load_image`.
    """
    limits = limits or ImageConfig()
    with open_file(path, max_megabytes=limits.max_megabytes) as file, _mapped_errors(path):
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        return _decode(file, path, limits), sha256


def _decode(file: BufferedReader, path: Path | str, limits: ImageConfig) -> UInt8Array:
    image, header = _read_header(file, path, limits)
    image.load()
    pixels = _to_rgb(image, path)
    if header.orientation in _UPRIGHT:
        pixels = pixels.transpose(_UPRIGHT[header.orientation])
    return np.array(pixels, dtype=np.uint8)


def load_upright(path: Path | str) -> Image.Image:
    """Read one image file in its own pixel format, at full depth, under the default limits: for masks.

    Raises
    ------
    ImageUnreadableError, ImageTooLargeError
        As :func:`load_image`, but pixels of any range are read.
    """
    limits = ImageConfig()
    with open_file(path, max_megabytes=limits.max_megabytes) as file, _mapped_errors(path):
        image, header = _read_header(file, path, limits)
        image.load()
        if header.orientation not in _UPRIGHT:
            return image
        upright = image.transpose(_UPRIGHT[header.orientation])
        upright.format = image.format
        return upright


def image_size(path: Path | str, *, limits: ImageConfig | None = None) -> tuple[int, int]:
    """Read (H, W) from the header, after EXIF orientation; no pixel is decoded.

    Raises
    ------
    ImageUnreadableError, ImageTooLargeError
        As :func:`load_image`, as far as the header tells.
    """
    limits = limits or ImageConfig()
    with open_file(path, max_megabytes=limits.max_megabytes) as file, _mapped_errors(path):
        header = _read_header(file, path, limits)[1]
        return header.height, header.width


def content_hash(path: Path | str) -> str:
    """Return the sha256 of a file's bytes as 64 hexadecimal digits.

    Raises
    ------
    ImageUnreadableError
        Missing, forbidden, a folder, a pipe or device, or empty.
    """
    with open_file(path, max_megabytes=None) as file, _mapped_errors(path):
        return hashlib.file_digest(file, "sha256").hexdigest()


def pixel_hash(image: UInt8Array) -> str:
    """Return the sha256 of an image's size and pixels: equal for copies in another lossless file format.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3)

    Raises
    ------
    ImageError
        The array is not an image.
    """
    check_image(image)
    digest = hashlib.sha256(f"{image.shape[0]}x{image.shape[1]}:".encode("ascii"))
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def check_image(image: UInt8Array) -> None:
    """Refuse an array that is not (H, W, 3) uint8 with at least one pixel.

    Raises
    ------
    ImageError
    """
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] != 3
        or image.size == 0
    ):
        got = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ImageError(f"expected an RGB image as uint8 array (H, W, 3), got {got}; convert it first")


@contextmanager
def open_file(path: Path | str, *, max_megabytes: float | None) -> Iterator[BufferedReader]:
    """Open a regular, non-empty file; a pipe or device is never opened, let alone waited for."""
    try:
        _check_file(Path(path).stat(), path, max_megabytes)
        # Should the file be swapped for a pipe in between, O_NONBLOCK keeps the call from hanging.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        raise ImageUnreadableError(
            f"expected a readable image file, but {printable_name(path)} cannot be opened: {_reason(error)}; "
            "check the path and its permissions",
            path=path,
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        _check_file(os.fstat(descriptor), path, max_megabytes)
        yield file


def _check_file(status: os.stat_result, path: Path | str, max_megabytes: float | None) -> None:
    name = printable_name(path)
    if stat.S_ISDIR(status.st_mode):
        raise ImageUnreadableError(f"expected an image file, but {name} is a folder; name a file", path=path)
    if not stat.S_ISREG(status.st_mode):
        raise ImageUnreadableError(
            f"expected an image file, but {name} is a pipe, socket or device; save the image to a file first",
            path=path,
        )
    if status.st_size == 0:
        raise ImageUnreadableError(f"expected an image file, but {name} is empty (0 bytes); copy it again", path=path)
    if max_megabytes is not None and status.st_size > max_megabytes * 1e6:
        raise ImageTooLargeError(
            f"expected at most {max_megabytes:g} MB, but {name} has {status.st_size / 1e6:.1f} MB; "
            "shrink it or raise image.max_megabytes",
            path=path,
        )


@contextmanager
def _mapped_errors(path: Path | str) -> Iterator[None]:
    """Turn whatever Pillow raises into an ImageError; its plugins raise nearly every built-in exception."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise ImageTooLargeError(
            f"expected an image that fits into memory, but {printable_name(path)} does not "
            f"({_reason(error)}); shrink it",
            path=path,
        ) from error
    except Exception as error:
        raise ImageUnreadableError(
            f"expected a complete image, but {printable_name(path)} is truncated or corrupt "
            f"({_reason(error)}); copy or take it again",
            path=path,
        ) from error


def _read_header(file: BufferedReader, path: Path | str, limits: ImageConfig) -> tuple[ImageFile, _Header]:
    """Recognise the format, read its header and check size and frames."""
    start = file.read(16)
    file.seek(0)
    # Pillow's warnings here are about damaged metadata and its own pixel limit; neither concerns the user.
    with _HEADER_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = _plugin(start, path)(file)
        _check_pixels(image, path, limits)
        if getattr(image, "is_animated", False):
            raise ImageUnreadableError(
                f"expected a single picture, but {printable_name(path)} has several frames or pages; "
                "save the one to be judged as a file of its own",
                path=path,
            )
        return image, _header(image, file)


def _check_pixels(image: ImageFile, path: Path | str, limits: ImageConfig) -> None:
    width, height = image.size
    megapixels = height * width / 1e6
    if megapixels > limits.max_megapixels:
        raise ImageTooLargeError(
            f"expected at most {limits.max_megapixels:g} megapixels, but {printable_name(path)} has "
            f"{width}x{height} ({megapixels:.0f} megapixels); shrink it or raise image.max_megapixels",
            path=path,
        )


def _plugin(start: bytes, path: Path | str) -> type[ImageFile]:
    for prefixes, module, name in _FORMATS:
        if start.startswith(prefixes) and (module != "WebPImagePlugin" or start[8:12] == b"WEBP"):
            plugin: type[ImageFile] = getattr(importlib.import_module(f"PIL.{module}"), name)
            return plugin
    raise ImageUnreadableError(
        f"expected a PNG, JPEG, TIFF, BMP, WebP, GIF or PNM image, but {printable_name(path)} is none of "
        "them, whatever its name says; save it in one of these formats",
        path=path,
    )


def _header(image: ImageFile, file: BufferedReader) -> _Header:
    width, height = image.size
    if image.format == "TIFF":
        # Pillow turns TIFFs upright itself while decoding. Only the size has to be told beforehand, and
        # whether ``image.size`` is already swapped depends on the version.
        tags = image.tag_v2  # type: ignore[attr-defined]
        width, height, turn = tags[_TIFF_WIDTH], tags[_TIFF_HEIGHT], tags.get(_ORIENTATION, 1)
        orientation = 1
    else:
        turn = orientation = _orientation(image, file)
    if turn in (5, 6, 7, 8):
        width, height = height, width
    return _Header(height=height, width=width, orientation=orientation)


def _orientation(image: ImageFile, file: BufferedReader) -> int:
    try:
        if image.format == "PNG" and "exif" not in image.info:
            data = _late_png_exif(file)
            if data:
                image.info["exif"] = data
        # Not ``image.getexif()``: for PNG that decodes all pixels first.
        return int(Image.Image.getexif(image).get(_ORIENTATION, 1))
    except Exception:  # damaged metadata beside sound pixels: as if there were none
        return 1


def _late_png_exif(file: BufferedReader) -> bytes | None:
    """Find the eXIf chunk of a PNG behind the pixels (PNG 3rd edition, 5.6), walking from chunk to chunk."""
    place = file.tell()
    try:
        file.seek(8)
        while len(start := file.read(8)) == 8 and start[4:] != b"IEND":
            length = int.from_bytes(start[:4], "big")
            if start[4:] == b"eXIf":
                return file.read(length)
            file.seek(length + 4, os.SEEK_CUR)
        return None
    finally:
        file.seek(place)


def _to_rgb(image: Image.Image, path: Path | str) -> Image.Image:
    """Bring any pixel format to 8-bit RGB by the rules at the head of this module."""
    # Older Pillow reads 16-bit PNG and PGM into mode I.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format != "TIFF"):
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ImageUnreadableError(
            f"expected 8 or 16 bits per channel, but {printable_name(path)} has 32-bit pixels, whose full "
            "range is not defined; save it with 8 or 16 bits",
            path=path,
        )
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        opaque = image.convert("RGBA")
        page = Image.new("RGB", opaque.size, (255, 255, 255))
        page.paste(opaque, mask=opaque.getchannel("A"))
        return page
    return image if image.mode == "RGB" else image.convert("RGB")


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return "there is no such file"
        return error.strerror or errno.errorcode.get(error.errno, "input/output error")
    return printable_name(str(error)) or type(error).__name__
