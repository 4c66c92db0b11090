"""Small pictures of the bank images: what "nearest good patch" shows when the originals are long gone."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from anomaly.errors import TrainedModelCorruptError
from anomaly.types import UInt8Array

LONG_SIDE = 512
_QUALITY = 85


@dataclass(frozen=True)
class StoredThumbnail:
    """A file that is read when it is needed; ``sha256`` is what it has to be."""

    path: Path
    sha256: str

    def read(self) -> bytes:
        """Return the file's bytes.

        Raises
        ------
        TrainedModelCorruptError
            It cannot be read, or is not the file that was written.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise self._corrupt(error.strerror or str(error)) from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise self._corrupt("it is not the file that was written, sha256 differs")
        return content

    def _corrupt(self, what: str) -> TrainedModelCorruptError:
        return TrainedModelCorruptError(
            f"the thumbnail {self.path} cannot be used ({what}): restore the trained model or train again",
            path=self.path,
        )


class Thumbnails(Mapping[str, bytes]):
    """JPEG bytes by image name; a :class:`StoredThumbnail` is read, and verified, when it is asked for.

    Parameters
    ----------
    entries : mapping of str to bytes or StoredThumbnail
    """

    def __init__(self, entries: Mapping[str, bytes | StoredThumbnail]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> bytes:
        entry = self._entries[name]
        return entry if isinstance(entry, bytes) else entry.read()

    def entry(self, name: str) -> bytes | StoredThumbnail:
        """Return what is known of one picture, without reading it."""
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def picture(self, name: str) -> UInt8Array:
        """Decode one thumbnail.

        Returns
        -------
        ndarray of uint8, (H, W, 3)
            At most ``LONG_SIDE`` pixels long.

        Raises
        ------
        TrainedModelCorruptError
            The file is missing or not the JPEG that was written.
        """
        try:
            with Image.open(io.BytesIO(self[name]), formats=["JPEG"]) as picture:
                return np.asarray(picture.convert("RGB"))
        except (OSError, SyntaxError) as error:
            raise TrainedModelCorruptError(
                f"the thumbnail of {name!r} is damaged: restore the trained model or train again", path=name
            ) from error


def make_thumbnail(image: UInt8Array) -> bytes:
    """Shrink an image of shape (H, W, 3) to at most ``LONG_SIDE`` and encode it as JPEG."""
    picture = Image.fromarray(image)
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
