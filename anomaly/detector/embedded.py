"""What fitting takes from a photograph, and who takes it: this process, or others that are handed to the fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from anomaly.config import Config
from anomaly.detector.beside import one_ahead
from anomaly.detector.features import Extractor
from anomaly.detector.origin import EmbeddingFiles
from anomaly.detector.thumbnails import make_thumbnail
from anomaly.detector.turned import BankRows, bank_rows
from anomaly.imaging.decode import load_known
from anomaly.imaging.turning import Turn
from anomaly.types import UInt8Array


@dataclass(frozen=True)
class Wanted:
    """A photograph, and the angles at which it is to be embedded."""

    path: Path
    turns: tuple[Turn, ...]


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
    copies : tuple of tuple of BankRows
        One for each angle; in each, one per tap.
    """

    sha256: str
    width: int
    height: int
    thumbnail: bytes
    copies: tuple[tuple[BankRows, ...], ...]


EmbedAll: TypeAlias = Callable[[Extractor, EmbeddingFiles, Sequence[Wanted], Config], Iterable[Embedded]]
"""Embeds photographs and returns them in their order; a photograph that cannot be read is an ``ImageError``."""


def embed_one(extractor: Extractor, wanted: Wanted, config: Config) -> Embedded:
    """Read and embed one photograph.

    Raises
    ------
    ImageError
    """
    return _embed(extractor, load_known(wanted.path, limits=config.image), wanted, config)


def embed_here(
    extractor: Extractor, files: EmbeddingFiles, wanted: Sequence[Wanted], config: Config
) -> Iterator[Embedded]:
    """Embed one photograph after the other in this process."""
    known = one_ahead(load_known(one.path, limits=config.image) for one in wanted)  # as anomaly.detector.ahead does
    return (_embed(extractor, photograph, one, config) for photograph, one in zip(known, wanted, strict=True))


def _embed(extractor: Extractor, known: tuple[UInt8Array, str], wanted: Wanted, config: Config) -> Embedded:
    """Embed a photograph, (H, W, 3), of which the sha256 of the file is known."""
    image, sha256 = known
    window = config.embedding.neighbourhood
    copies = tuple(bank_rows(extractor, image, turn, neighbourhood=window) for turn in wanted.turns)
    return Embedded(sha256, image.shape[1], image.shape[0], make_thumbnail(image), copies)
