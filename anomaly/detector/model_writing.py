"""The files of a trained model on the way out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from anomaly.capture.files import write_learnt
from anomaly.config import config_to_dict
from anomaly.detector.card import card
from anomaly.detector.detector import Detector
from anomaly.detector.model_reading import FORMAT, MANIFEST, sha256_of
from anomaly.detector.thumbnails import Thumbnails
from anomaly.embedding.registry import backbone

_LIBRARIES = ("goodparts", "numpy", "pillow", "faiss-cpu", "openvino", "torch", "timm")


def write_embedding(detector: Detector, root: Path) -> None:
    """Write the network, and the whitening beside it as arrays."""
    (root / "embedding.xml").write_bytes(detector.embedding.xml)
    (root / "embedding.bin").write_bytes(detector.embedding.weights)
    for tap, whitening in zip(tap_names(detector), detector.embedding.whitening, strict=False):
        folder = root / "whitening" / tap
        folder.mkdir(parents=True)
        np.save(folder / "mean.npy", whitening.mean, allow_pickle=False)
        np.save(folder / "matrix.npy", whitening.matrix, allow_pickle=False)


def write_bank(detector: Detector, root: Path) -> None:
    """Write the memory bank of each tap, what its images are, and which of them were learnt after training."""
    for tap, bank in zip(tap_names(detector), detector.banks, strict=True):
        bank.save(root / "bank" / tap)
    images = [dataclasses.asdict(image) for image in detector.bank_images]
    (root / "bank" / "images.json").write_text(json.dumps(images, indent=1) + "\n", encoding="utf-8")
    write_learnt(detector.capture, root / "bank")


def write_thumbnails(thumbnails: Thumbnails, root: Path) -> None:
    """Write the bank images, small, in their order."""
    (root / "thumbnails").mkdir()
    for i, name in enumerate(thumbnails):
        (root / thumbnail_name(i)).write_bytes(thumbnails[name])


def finish(detector: Detector, root: Path, *, known: Mapping[str, str] | None = None) -> None:
    """Write what every new version of the folder has anew: calibrations, card and, last, the manifest."""
    _write_calibration(detector, root)
    (root / "card.md").write_text(card(detector), encoding="utf-8")
    _write_manifest(detector, root, known=known)


def tap_names(detector: Detector) -> list[str]:
    """Return what the folders of the taps are called, in their order."""
    config = detector.config.embedding
    return [tap.name for tap in backbone(config.backbone).select_taps(config.taps)]


def thumbnail_name(number: int) -> str:
    """Return the file of a bank image by its place, from the top of the folder."""
    return f"thumbnails/{number:04d}.jpg"


def _write_calibration(detector: Detector, root: Path) -> None:
    folder = root / "calibration"
    folder.mkdir(exist_ok=True)
    for name, text in (detector.history.to_texts() if detector.history else {}).items():
        (folder / name).write_text(text, encoding="utf-8")


def _write_manifest(detector: Detector, root: Path, *, known: Mapping[str, str] | None = None) -> None:
    """Write what the folder holds; the hash of a file that was not written now is taken over, never made anew."""
    known = known or {}
    entry = backbone(detector.config.embedding.backbone)
    provenance = dataclasses.asdict(dataclasses.replace(detector.provenance, splits=()))
    del provenance["splits"]
    manifest = {
        "format": FORMAT,
        "libraries": {name: version for name in _LIBRARIES if (version := _version(name))},
        "provenance": provenance,
        "config": config_to_dict(detector.config),
        "backbone": {
            "name": entry.name,
            "origin": entry.origin,
            "sha256": detector.embedding.backbone_sha256,
            "licence": entry.licence,
        },
        "scales": dict(zip(tap_names(detector), detector.scales, strict=True)),
        "files": {
            name: known.get(name) or sha256_of((root / name).read_bytes())
            for name in sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
            if name != MANIFEST
        },
    }
    (root / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # takes as long to import as a model to load

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
