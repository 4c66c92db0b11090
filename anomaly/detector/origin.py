"""What a detector was made of and from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anomaly.dataset import SplitEntry
from anomaly.detector.bank_versions import BankVersions
from anomaly.embedding.whitening import Whitening


@dataclass(frozen=True, eq=False)
class EmbeddingFiles:
    """The exported embedding network and what it was made of.

    Attributes
    ----------
    xml, weights : bytes
        OpenVINO IR.
    backbone_sha256 : str
        Of the file that the backbone's weights were read from.
    whitening : tuple of Whitening
        One per tap, or none.
    """

    xml: bytes
    weights: bytes
    backbone_sha256: str
    whitening: tuple[Whitening, ...]


@dataclass(frozen=True)
class Provenance:
    """What a detector was trained on; empty where it was fitted on bare images.

    Attributes
    ----------
    created : str
        ISO 8601, UTC.
    data : str
        The folder, so that it is found from elsewhere; see :mod:`anomaly.cli.data_folder`.
    layout : str
        How that folder was understood.
    notes : tuple of str
        What was noticed about the data and the split, one sentence each.
    selection : tuple of str
        How the settings were chosen, one sentence each.
    splits : tuple of SplitEntry
        Every image with its place in the split.
    """

    created: str = ""
    data: str = ""
    layout: str = ""
    notes: tuple[str, ...] = ()
    selection: tuple[str, ...] = ()
    splits: tuple[SplitEntry, ...] = ()


@dataclass(frozen=True)
class Source:
    """The trained model that a detector was read from.

    Attributes
    ----------
    folder : Path
        Whole, links resolved.
    manifest_sha256 : str
        Changes with anything in the folder.
    training : str
        Fingerprint of training and memory bank; see :func:`anomaly.detector.training_fingerprint`.
    versions : BankVersions or None
        Its memory banks; None where the bank was never changed.
    """

    folder: Path
    manifest_sha256: str
    training: str
    versions: BankVersions | None = None
