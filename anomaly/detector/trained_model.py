"""The trained model as a folder: written whole, verified when read, no pickle anywhere.

    manifest.json           format version first; versions, configuration, backbone, scales, sha256 of every file
    embedding.xml, .bin     OpenVINO IR: normalisation, backbone, pooling and whitening in one graph
    whitening/TAP/*.npy     the same whitening as arrays, for the torch runtime
    bank/TAP/               one memory bank per tap (see memory_bank)
    bank/images.json        name, sha256 and size of each bank image
    calibration/0001.json … every calibration ever made, and history.json: which one stands
    capture/                what an ordinary picture is (see anomaly.capture.files); missing: pictures are not checked
    parts.json              how parts are told apart (see anomaly.detector.part_view); missing: they are not
    splits.csv              every image with its place in the split
    thumbnails/0000.jpg …   the bank images, small
    card.md                 for the eye; never read

Pickle-free, specified and versioned after safetensors (https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.calibration import CalibrationHistory
from anomaly.capture.files import read_reference, write_reference
from anomaly.config import config_from_dict, config_to_dict
from anomaly.dataset import parse_splits_csv, splits_csv
from anomaly.detector.card import card
from anomaly.detector.detector import Detector, EmbeddingFiles, Provenance
from anomaly.detector.features import BankImage, Extractor
from anomaly.detector.folder import check_parent, recover, replaced_folder
from anomaly.detector.part_view import PartView
from anomaly.detector.thumbnails import StoredThumbnail, Thumbnails
from anomaly.embedding.openvino_runtime import OpenVINORuntime
from anomaly.embedding.registry import Backbone, backbone
from anomaly.embedding.runtime import Device, Runtime, cuda_present
from anomaly.embedding.whitening import Whitening
from anomaly.errors import (
    AnomalyError,
    BackboneError,
    CalibrationError,
    ConfigError,
    OutputError,
    TrainedModelCorruptError,
    TrainedModelMissingError,
    TrainedModelVersionError,
)
from anomaly.imaging.geometry import Geometry
from memory_bank import MemoryBank, MemoryBankError

FORMAT = 1
MANIFEST = "manifest.json"
_PARTS = "parts.json"
_LIBRARIES = ("goodparts", "numpy", "pillow", "faiss-cpu", "openvino", "torch", "timm")


def check_target(folder: Path | str) -> None:
    """Refuse, before long work, a folder that :func:`save_detector` would refuse after it.

    Raises
    ------
    OutputError
        The folder cannot be written, or holds something that is no trained model.
    """
    check_parent(_replaceable(Path(folder)))


def save_detector(detector: Detector, folder: Path | str) -> None:
    """Write a trained model; what stood there before is replaced in one step.

    Raises
    ------
    OutputError
        The folder cannot be written, or holds something that is no trained model.
    """
    target = _replaceable(Path(folder))
    with replaced_folder(target) as new:
        _write_embedding(detector, new)
        _write_bank(detector, new)
        _write_thumbnails(detector.thumbnails, new)
        _write_calibration(detector, new)
        write_reference(detector.capture, new / "capture")
        if detector.part_view is not None:
            (new / _PARTS).write_text(detector.part_view.to_text(), encoding="utf-8")
        (new / "splits.csv").write_bytes(splits_csv(detector.provenance.splits).encode("utf-8", "surrogateescape"))
        (new / "card.md").write_text(card(detector), encoding="utf-8")
        _write_manifest(detector, new)


def save_calibration(detector: Detector, folder: Path | str) -> None:
    """Write only what a calibration changes; every other file stays the one that was written by training.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    target = _replaceable(Path(folder))
    with replaced_folder(target) as new:
        shutil.copytree(target, new, dirs_exist_ok=True, copy_function=_link)
        written = _read_manifest(target)["files"]
        for path in [path for path in new.rglob("*") if path.is_file()]:
            if not _kept(path.relative_to(new).as_posix()):
                path.unlink()  # never write through a hard link into the model that stands
        _write_calibration(detector, new)
        (new / "card.md").write_text(card(detector), encoding="utf-8")
        _write_manifest(detector, new, known={name: sha256 for name, sha256 in written.items() if _kept(name)})


def load_detector(folder: Path | str, *, device: Device = "auto") -> Detector:
    """Read and verify a trained model.

    Parameters
    ----------
    folder : path
    device : {"auto", "cpu", "cuda"}

    Raises
    ------
    TrainedModelMissingError, TrainedModelCorruptError, TrainedModelVersionError, RuntimeUnavailableError
    """
    root = Path(folder)
    manifest = _read_manifest(root)
    try:
        files = _verified(root, manifest["files"])
        config = config_from_dict(manifest["config"])
        entry = backbone(config.embedding.backbone)
        taps = [tap.name for tap in entry.select_taps(config.embedding.taps)]
        embedding = EmbeddingFiles(
            xml=files["embedding.xml"],
            weights=files["embedding.bin"],
            backbone_sha256=str(manifest["backbone"]["sha256"]),
            whitening=_read_whitening(files, taps) if config.embedding.whitening else (),
        )
        images = json.loads(files["bank/images.json"])
        detector = Detector(
            config=config,
            extractor=Extractor(
                Geometry(config.geometry.size, entry.multiple, entry.least_multiples),
                _runtime(embedding, manifest, entry, device),
            ),
            embedding=embedding,
            banks=tuple(MemoryBank.load(root / "bank" / tap) for tap in taps),
            scales=tuple(float(manifest["scales"][tap]) for tap in taps),
            bank_images=tuple(BankImage(**image) for image in images),
            thumbnails=Thumbnails(
                {
                    image["name"]: StoredThumbnail(root / _thumbnail_name(i), manifest["files"][_thumbnail_name(i)])
                    for i, image in enumerate(images)
                }
            ),
            provenance=_provenance(manifest, files),
            history=_read_history(files),
            capture=read_reference(files, folder="capture"),
            part_view=PartView.from_text(files[_PARTS].decode()) if _PARTS in files else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise _corrupt(root, f"an entry is missing or malformed ({error})") from error
    except (MemoryBankError, ConfigError, BackboneError, CalibrationError) as error:
        raise _corrupt(root, str(error)) from error
    return detector


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """Read ``manifest.json`` alone, checked for its format version only.

    Raises
    ------
    TrainedModelMissingError, TrainedModelCorruptError, TrainedModelVersionError
    """
    return _read_manifest(Path(folder))


def fingerprint(folder: Path | str) -> str:
    """First 12 digits of the manifest's sha256: changes whenever anything in the trained model does."""
    return hashlib.sha256((Path(folder) / MANIFEST).read_bytes()).hexdigest()[:12]


def training_fingerprint(folder: Path | str) -> str:
    """First 12 digits of a hash that changes with the training and never with a calibration."""
    files = _read_manifest(Path(folder))["files"]
    kept = json.dumps({name: sha256 for name, sha256 in sorted(files.items()) if _kept(name)})
    return _sha256(kept.encode())[:12]


# --- writing --------------------------------------------------------------------------------------------------------


def _replaceable(target: Path) -> Path:
    if target.is_dir() and any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise OutputError(
            f"{target} holds files that are no trained model and would be lost: name an empty or new folder "
            f"with --model DIR",
            path=target,
        )
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file: name a folder with --model DIR", path=target)
    return target


def _write_embedding(detector: Detector, root: Path) -> None:
    (root / "embedding.xml").write_bytes(detector.embedding.xml)
    (root / "embedding.bin").write_bytes(detector.embedding.weights)
    for tap, whitening in zip(_tap_names(detector), detector.embedding.whitening, strict=False):
        folder = root / "whitening" / tap
        folder.mkdir(parents=True)
        np.save(folder / "mean.npy", whitening.mean, allow_pickle=False)
        np.save(folder / "matrix.npy", whitening.matrix, allow_pickle=False)


def _write_bank(detector: Detector, root: Path) -> None:
    for tap, bank in zip(_tap_names(detector), detector.banks, strict=True):
        bank.save(root / "bank" / tap)
    images = [dataclasses.asdict(image) for image in detector.bank_images]
    (root / "bank" / "images.json").write_text(json.dumps(images, indent=1) + "\n", encoding="utf-8")


def _write_thumbnails(thumbnails: Thumbnails, root: Path) -> None:
    (root / "thumbnails").mkdir()
    for i, name in enumerate(thumbnails):
        (root / _thumbnail_name(i)).write_bytes(thumbnails[name])


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
        "scales": dict(zip(_tap_names(detector), detector.scales, strict=True)),
        "files": {
            name: known.get(name) or _sha256((root / name).read_bytes())
            for name in sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
            if name != MANIFEST
        },
    }
    (root / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _kept(name: str) -> bool:
    """Whether a calibration leaves this file of the folder as it is."""
    return name not in (MANIFEST, "card.md") and not name.startswith("calibration/")


def _tap_names(detector: Detector) -> list[str]:
    config = detector.config.embedding
    return [tap.name for tap in backbone(config.backbone).select_taps(config.taps)]


def _thumbnail_name(number: int) -> str:
    return f"thumbnails/{number:04d}.jpg"


def _link(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # takes as long to import as a model to load

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- reading --------------------------------------------------------------------------------------------------------


def _read_manifest(root: Path) -> dict[str, Any]:
    recover(root)
    try:
        content = (root / MANIFEST).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise TrainedModelMissingError(
            f"there is no trained model in {root}: train one with --train, or name another folder with --model DIR",
            path=root,
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _corrupt(root, f"{MANIFEST} cannot be read ({error})") from error
    try:
        manifest = json.loads(content)
        version = manifest["format"]
    except (ValueError, TypeError, KeyError) as error:
        raise _corrupt(root, f"{MANIFEST} is no manifest ({error!r})") from error
    if type(version) is not int or version < 1:
        raise _corrupt(root, f"{MANIFEST} states the format {version!r}")
    if version > FORMAT:
        raise TrainedModelVersionError(
            f"the trained model in {root} has format {version}, this goodparts reads up to {FORMAT}: update "
            f"goodparts (pip install -U goodparts) or train again",
            path=root,
        )
    return dict(manifest)


def _verified(root: Path, hashes: Mapping[str, str]) -> dict[str, bytes]:
    """Contents of the files whose hash is checked here; banks check theirs, thumbnails are checked when shown."""
    contents = {}
    for name, expected in hashes.items():
        path = root / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise _corrupt(root, f"{MANIFEST} names a file outside the folder, {name!r}")
        if name.startswith("thumbnails/") or (name.startswith("bank/") and name.endswith(".npy")):
            if not path.is_file():
                raise _corrupt(root, f"{name} is missing")
            continue
        try:
            contents[name] = path.read_bytes()
        except OSError as error:
            raise _corrupt(root, f"{name} cannot be read ({error.strerror})") from error
        if _sha256(contents[name]) != expected:
            raise _corrupt(root, f"{name} is not the file that was written (sha256 differs)")
    return contents


def _read_whitening(files: Mapping[str, bytes], taps: list[str]) -> tuple[Whitening, ...]:
    def array(name: str) -> Any:
        import io

        return np.load(io.BytesIO(files[name]), allow_pickle=False)

    return tuple(Whitening(array(f"whitening/{tap}/mean.npy"), array(f"whitening/{tap}/matrix.npy")) for tap in taps)


def _read_history(files: Mapping[str, bytes]) -> CalibrationHistory | None:
    prefix = "calibration/"
    texts = {name.removeprefix(prefix): c.decode() for name, c in files.items() if name.startswith(prefix)}
    return CalibrationHistory.from_texts(texts) if texts else None


def _provenance(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Provenance:
    entry: Mapping[str, Any] = manifest["provenance"]
    return Provenance(
        created=entry["created"],
        data=entry["data"],
        layout=entry["layout"],
        notes=tuple(entry["notes"]),
        selection=tuple(entry.get("selection", ())),  # since 0.2
        splits=parse_splits_csv(files["splits.csv"].decode("utf-8", "surrogateescape")),
    )


def _runtime(files: EmbeddingFiles, manifest: Mapping[str, Any], entry: Backbone, device: Device) -> Runtime:
    if device == "cpu" or (device == "auto" and not cuda_present()):
        return OpenVINORuntime(files.xml, files.weights)
    try:
        return _torch_runtime(files, manifest, entry)
    except (ImportError, AnomalyError):
        if device == "cuda":
            raise
        return OpenVINORuntime(files.xml, files.weights)


def _torch_runtime(files: EmbeddingFiles, manifest: Mapping[str, Any], entry: Backbone) -> Runtime:
    from anomaly.embedding.network import EmbeddingNetwork
    from anomaly.embedding.torch_runtime import TorchRuntime
    from anomaly.embedding.weights import load_weights

    config = config_from_dict(dict(manifest["config"])).embedding
    weights, digest = load_weights(entry, config.weights)
    if digest != files.backbone_sha256:
        raise TrainedModelCorruptError(
            f"the weights of {entry.name} on this machine are not those it was trained with: use --device cpu",
            path=config.weights or entry.origin,
        )
    return TorchRuntime(EmbeddingNetwork(entry, config, weights=weights, whitening=files.whitening))


def _corrupt(root: Path, what: str) -> TrainedModelCorruptError:
    return TrainedModelCorruptError(
        f"the trained model in {root} is damaged: {what}; restore the folder from a copy or train again with --train",
        path=root,
    )
