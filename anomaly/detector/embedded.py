"""What fitting takes from a photograph, and who takes it: this process, or others that are handed to the fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from anomaly.config import ImageConfig
from anomaly.detector.features import Extractor
from anomaly.detector.origin import EmbeddingFiles
from anomaly.detector.thumbnails import make_thumbnail
from anomaly.imaging.decode import content_hash, load_image
from anomaly.imaging.geometry import View
from anomaly.types import Float32Array


@dataclass(frozen=True, eq=False)
class Embedded:
    """One photograph.

    Attributes
    ----------
    sha256 : str
        Of the file.
    width, height : int
        Pixels of the photograph.
    thumbnail : bytes
    view : View
        The part of the photograph that the grids cover.
    grids : tuple of ndarray of float32, (gh, gw, d)
        One per tap.
    """

    sha256: str
    width: int
    height: int
    thumbnail: bytes
    view: View
    grids: tuple[Float32Array, ...]


EmbedAll: TypeAlias = Callable[[Extractor, EmbeddingFiles, Sequence[Path], ImageConfig], Iterable[Embedded]]
"""Embeds photographs and returns them in their order; a photograph that cannot be read is an ``ImageError``."""


def embed_one(extractor: Extractor, path: Path, limits: ImageConfig) -> Embedded:
    """Read and embed one photograph.

    Raises
    ------
    ImageError
    """
    image = load_image(path, limits=limits)
    view, grids = extractor.embed(image)
    return Embedded(content_hash(path), image.shape[1], image.shape[0], make_thumbnail(image), view, grids)


def embed_here(
    extractor: Extractor, files: EmbeddingFiles, paths: Sequence[Path], limits: ImageConfig
) -> Iterator[Embedded]:
    """Embed one photograph after the other in this process."""
    return (embed_one(extractor, path, limits) for path in paths)
