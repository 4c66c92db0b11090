"""The files of a trained model on the way in: verified, then made into what a detector consists of."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from anomaly.calibration import CalibrationHistory
from anomaly.config import config_from_dict
from anomaly.dataset import parse_splits_csv
from anomaly.detector.bank_versions import plain_name
from anomaly.detector.folder import recover
from anomaly.detector.origin import EmbeddingFiles, Provenance, Source
from anomaly.embedding.openvino_runtime import OpenVINORuntime
from anomaly.embedding.registry import Backbone
from anomaly.embedding.runtime import Device, Runtime, runtime_for
from anomaly.embedding.whitening import Whitening
from anomaly.errors import (
    AnomalyError,
    CalibrationError,
    OutputError,
    RuntimeUnavailableError,
    TrainedModelCorruptError,
    TrainedModelMissingError,
    TrainedModelVersionError,
)

FORMAT = 2
MANIFEST = "manifest.json"
# Readings of a folder that is replaced during each of them, before that is an error.
_READINGS = 5
_Read = TypeVar("_Read")


def sha256_of(content: bytes) -> str:
    """Return 64 lowercase hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def read_unchanged(root: Path, read: Callable[[], _Read]) -> tuple[_Read, str]:
    """Read a folder that other processes may replace meanwhile; return what all comes from one version of it.

    Returns
    -------
    object
        What ``read`` returned, or raised.
    str
        sha256 of the manifest.
    """
    for _ in range(_READINGS):
        before = manifest_sha256(root)
        try:
            found = read()
        except (AnomalyError, OSError):
            if manifest_sha256(root) == before:
                raise
        else:
            if manifest_sha256(root) == before:
                return found, before
    raise corrupt(root, "it was replaced again and again while it was read")


def check_unchanged(root: Path, source: Source | None) -> None:
    """Refuse to write over a folder that is not the one that was read, so that no change of another process is lost.

    Parameters
    ----------
    root : Path
    source : Source or None
        What was read; None: nothing was.

    Raises
    ------
    OutputError
    """
    if source is not None and manifest_sha256(root) != source.manifest_sha256:
        raise _changed(root)


def check_history_kept(root: Path, history: CalibrationHistory | None) -> None:
    """Refuse to write over a folder on which there are calibrations that would be lost, since none ever is.

    Raises
    ------
    OutputError
    TrainedModelCorruptError
        The calibrations of the folder are not what was written.
    """
    there = _history_of(root)
    ours = history.records if history else ()
    if there is not None and ours[: len(there.records)] != there.records:
        raise _changed(root)


def _changed(root: Path) -> OutputError:
    return OutputError(
        f"the trained model in {root} has changed since it was read, by --train or --recalibrate elsewhere: "
        "nothing was written; repeat the command",
        path=root,
    )


def manifest_sha256(root: Path) -> str:
    """Return the sha256 of the manifest, which changes with anything in the folder; empty where there is none."""
    try:
        return sha256_of((root / MANIFEST).read_bytes())
    except OSError:
        return ""


def read_checked_manifest(root: Path) -> dict[str, Any]:
    """Read ``manifest.json`` alone, checked for its format version only.

    Raises
    ------
    TrainedModelMissingError, TrainedModelCorruptError, TrainedModelVersionError
    """
    recover(root)
    try:
        content = (root / MANIFEST).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise TrainedModelMissingError(
            f"there is no trained model in {root}: train one with --train, or name another folder with --model DIR",
            path=root,
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise corrupt(root, f"{MANIFEST} cannot be read ({error})") from error
    try:
        manifest = json.loads(content)
        version = manifest["format"]
    except (ValueError, TypeError, KeyError) as error:
        raise corrupt(root, f"{MANIFEST} is no manifest ({error!r})") from error
    if type(version) is not int or version < 1:
        raise corrupt(root, f"{MANIFEST} states the format {version!r}")
    if version > FORMAT:
        raise TrainedModelVersionError(
            f"the trained model in {root} has format {version}, this goodparts reads up to {FORMAT}: update "
            f"goodparts (pip install -U goodparts) or train again",
            path=root,
        )
    return _as_of_now(manifest)


def _as_of_now(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest of any format with what the present one needs, malformed entries untouched.

    Up to format 1 every distance was proven, and the ordinary pictures that capture limits come from were measured so.
    """
    manifest = dict(manifest)
    config = manifest.get("config")
    if manifest["format"] < 2 and isinstance(config, dict) and isinstance(config.get("scoring", {}), dict):
        manifest["config"] = {**config, "scoring": {**config.get("scoring", {}), "whole_map": True}}
    return manifest


def verified_files(root: Path, hashes: Mapping[str, str]) -> dict[str, bytes]:
    """Contents of the files whose hash is checked here; banks check theirs, thumbnails are checked when shown."""
    contents = {}
    for name, expected in hashes.items():
        path = root / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise corrupt(root, f"{MANIFEST} names a file outside the folder, {name!r}")
        plain = plain_name(name)
        if plain.startswith("thumbnails/") or (plain.startswith("bank/") and plain.endswith(".npy")):
            if not path.is_file():
                raise corrupt(root, f"{name} is missing")
            continue
        try:
            contents[name] = path.read_bytes()
        except OSError as error:
            raise corrupt(root, f"{name} cannot be read ({error.strerror})") from error
        if sha256_of(contents[name]) != expected:
            raise corrupt(root, f"{name} is not the file that was written (sha256 differs)")
    return contents


def read_whitening(files: Mapping[str, bytes], taps: list[str]) -> tuple[Whitening, ...]:
    """Return the whitening of each tap."""

    def array(name: str) -> Any:
        return np.load(io.BytesIO(files[name]), allow_pickle=False)

    return tuple(Whitening(array(f"whitening/{tap}/mean.npy"), array(f"whitening/{tap}/matrix.npy")) for tap in taps)


def read_history(files: Mapping[str, bytes]) -> CalibrationHistory | None:
    """Return every calibration; None before the first."""
    prefix = "calibration/"
    texts = {name.removeprefix(prefix): c.decode() for name, c in files.items() if name.startswith(prefix)}
    return CalibrationHistory.from_texts(texts) if texts else None


@dataclass(frozen=True)
class Standing:
    """Which of how many calibrations of a folder stands."""

    version: int
    calibrations: int


def read_standing(root: Path) -> Standing | None:
    """Look which calibration stands; None before the first.

    Raises
    ------
    TrainedModelCorruptError
        The calibrations are not what was written.
    """
    history = _history_of(root)
    return None if history is None else Standing(history.active_version, len(history.records))


def _history_of(root: Path) -> CalibrationHistory | None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in (root / "calibration").glob("*.json")}
    try:
        return CalibrationHistory.from_texts(texts) if texts else None
    except CalibrationError as error:
        raise corrupt(root, str(error)) from error


def read_provenance(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Provenance:
    """Return what the model was trained on."""
    entry: Mapping[str, Any] = manifest["provenance"]
    return Provenance(
        created=entry["created"],
        data=entry["data"],
        layout=entry["layout"],
        notes=tuple(entry["notes"]),
        selection=tuple(entry.get("selection", ())),  # since 0.2
        splits=parse_splits_csv(files["splits.csv"].decode("utf-8", "surrogateescape")),
    )


def make_runtime(files: EmbeddingFiles, manifest: Mapping[str, Any], entry: Backbone, device: Device) -> Runtime:
    """Return what runs the embedding network on a device.

    Raises
    ------
    RuntimeUnavailableError, BackboneError, TrainedModelCorruptError
        CUDA was asked for by name and cannot be had.
    """
    return runtime_for(
        device,
        on_cpu=lambda: OpenVINORuntime(files.xml, files.weights),
        on_cuda=lambda: _torch_runtime(files, manifest, entry),
    )


def _torch_runtime(files: EmbeddingFiles, manifest: Mapping[str, Any], entry: Backbone) -> Runtime:
    try:
        from anomaly.embedding.network import EmbeddingNetwork
        from anomaly.embedding.torch_runtime import TorchRuntime
        from anomaly.embedding.weights import load_weights
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"judging on CUDA needs torch, which cannot be imported ({error}): pip install 'goodparts[train]', or "
            "leave --device out"
        ) from error
    config = config_from_dict(dict(manifest["config"])).embedding
    weights, digest = load_weights(entry, config.weights)
    if digest != files.backbone_sha256:
        raise TrainedModelCorruptError(
            f"the weights of {entry.name} on this machine are not those it was trained with: use --device cpu",
            path=config.weights or entry.origin,
        )
    return TorchRuntime(EmbeddingNetwork(entry, config, weights=weights, whitening=files.whitening))


def corrupt(root: Path, what: str) -> TrainedModelCorruptError:
    """Return the error for a folder that is not as it was written."""
    return TrainedModelCorruptError(
        f"the trained model in {root} is damaged: {what}; restore the folder from a copy or train again with --train",
        path=root,
    )
