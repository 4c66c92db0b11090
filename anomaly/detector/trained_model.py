"""The trained model as a folder: written whole, verified when read, no pickle anywhere.

    manifest.json           format version first; versions, configuration, backbone, scales, sha256 of every file
    embedding.xml, .bin     OpenVINO IR: normalisation, backbone, pooling and whitening in one graph
    whitening/TAP/*.npy     the same whitening as arrays, for the torch runtime
    bank/TAP/               one memory bank per tap (see memory_bank)
    bank/images.json        name, sha256 and size of each bank image
    bank/learnt.json        which of them came after training, as ordinary pictures; not there where none did
    calibration/0001.json … every calibration ever made, and history.json: which one stands
    capture/                what an ordinary picture is (see anomaly.capture.files); missing: pictures are not checked
    parts.json              how parts are told apart (see anomaly.detector.part_view); missing: they are not
    splits.csv              every image with its place in the split
    thumbnails/0000.jpg …   the bank images, small
    versions.json, earlier/ memory banks before and after a change (see anomaly.detector.bank_versions); not there
                            before the first
    card.md                 for the eye; never read

Pickle-free, specified and versioned after safetensors (https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anomaly.calibration import CalibrationHistory
from anomaly.capture.files import read_reference, write_reference
from anomaly.config import config_from_dict
from anomaly.dataset import splits_csv
from anomaly.detector import part_view
from anomaly.detector.bank_versions import (
    EARLIER,
    Action,
    BankVersion,
    BankVersions,
    bring_back,
    plain_name,
    put_aside,
    read_versions,
)
from anomaly.detector.bank_versions import FILE as VERSIONS
from anomaly.detector.detector import Detector
from anomaly.detector.features import BankImage, Extractor
from anomaly.detector.folder import check_parent, replaced_folder
from anomaly.detector.model_reading import (
    MANIFEST,
    Standing,
    check_history_kept,
    check_unchanged,
    corrupt,
    make_runtime,
    manifest_sha256,
    read_checked_manifest,
    read_history,
    read_provenance,
    read_standing,
    read_unchanged,
    read_whitening,
    sha256_of,
    verified_files,
)
from anomaly.detector.model_writing import (
    finish,
    tap_names,
    thumbnail_name,
    write_bank,
    write_embedding,
    write_thumbnails,
)
from anomaly.detector.origin import EmbeddingFiles, Source
from anomaly.detector.thumbnails import StoredThumbnail, Thumbnails
from anomaly.embedding.registry import backbone
from anomaly.embedding.runtime import Device, check_device
from anomaly.errors import BackboneError, CalibrationError, ConfigError, OutputError
from anomaly.imaging.geometry import Geometry
from memory_bank import MemoryBank, MemoryBankError

_PARTS = "parts.json"


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

    Where the detector was read from a trained model whose memory bank was changed, the banks of its other calibrations
    are taken along, so that a rollback brings them back here, too.

    Raises
    ------
    OutputError
        The folder cannot be written, or holds something that is no trained model. It is the one that the detector was
        read from, and has got calibrations since; or other banks are to be taken along, and what was read has changed.
    """
    target, source = _replaceable(Path(folder)), detector.source
    with replaced_folder(target) as new:
        if source is not None and source.folder == target.resolve():
            check_history_kept(target, detector.history)
        if source is not None and source.versions is not None:
            check_unchanged(source.folder, source)
        write_embedding(detector, new)
        write_bank(detector, new)
        write_thumbnails(detector.thumbnails, new)
        write_reference(detector.capture, new / "capture")
        if detector.part_views:
            (new / _PARTS).write_text(part_view.to_text(detector.part_views), encoding="utf-8")
        (new / "splits.csv").write_bytes(splits_csv(detector.provenance.splits).encode("utf-8", "surrogateescape"))
        known: dict[str, str] = {}
        if source is not None and source.versions is not None and detector.history is not None:
            known = _link_other_banks(source.folder, new)
            standing = read_standing(source.folder)
            assert standing is not None
            detector, known = _with_its_bank(detector, detector.history, source.versions, standing, new, known)
        finish(detector, new, known=known)


def save_calibration(detector: Detector, folder: Path | str) -> None:
    """Write only what a calibration changes; every other file stays the one that was written by training.

    Where another calibration was made to stand whose memory bank is not the standing one, that bank comes back.

    Raises
    ------
    OutputError
        The folder cannot be written, or has changed since the detector was read from it.
    TrainedModelCorruptError
        What is to be kept is not what was written.
    """
    target = _replaceable(Path(folder))
    with replaced_folder(target) as new:
        check_unchanged(target, detector.source)
        known = _copy_kept(target, new)
        standing = read_standing(target)
        versions = None if standing is None else read_versions(target, standing.calibrations)
        if standing is not None and versions is not None and detector.history is not None:
            detector, known = _with_its_bank(detector, detector.history, versions, standing, new, known)
        finish(detector, new, known=known)
        _carry_over(target, new)


def save_bank_change(
    detector: Detector, folder: Path | str, *, action: Action, images: Sequence[str], reason: str
) -> None:
    """Write a detector with another memory bank and one more calibration, which stands; the old bank is kept.

    Parameters
    ----------
    detector : Detector
        See :func:`anomaly.detector.bank_change.recalibrated`.
    folder : path
        The trained model that it was made of.
    action : {"learn-good", "forget"}
    images : sequence of str
        Names of the bank images that came or went.
    reason : str

    Raises
    ------
    OutputError
        The folder cannot be written, or has changed since the detector was read from it.
    TrainedModelCorruptError
        What is to be kept is not what was written.
    """
    target = _replaceable(Path(folder))
    record = detector.record
    assert record is not None
    with replaced_folder(target) as new:
        check_unchanged(target, detector.source)
        known = _copy_kept(target, new)
        standing = read_standing(target)
        assert standing is not None
        versions = read_versions(target, standing.calibrations) or BankVersions.of_one(standing.calibrations)
        change = BankVersion(len(versions.versions) + 1, action, tuple(images), record.created, reason)
        known = put_aside(new, versions.of(standing.version), known)
        write_bank(detector, new)
        write_thumbnails(detector.thumbnails, new)
        known = _write_versions(versions.changed(change), new, known)
        finish(detector, new, known=known)
        _carry_over(target, new)


def load_detector(folder: Path | str, *, device: Device = "auto") -> Detector:
    """Read and verify a trained model.

    Parameters
    ----------
    folder : path
    device : {"auto", "cpu", "cuda"}

    Raises
    ------
    TrainedModelMissingError, TrainedModelCorruptError, TrainedModelVersionError, RuntimeUnavailableError, ConfigError
    """
    check_device(device)
    root = Path(folder)
    (detector, training, versions), sha256 = read_unchanged(root, lambda: _read(root, device))
    return dataclasses.replace(detector, source=Source(root.resolve(), sha256, training, versions))


def _read(root: Path, device: Device) -> tuple[Detector, str, BankVersions | None]:
    """Return the detector, the fingerprint of its training, and which memory banks there are."""
    manifest = read_checked_manifest(root)
    with _malformed(root):
        files = verified_files(root, manifest["files"])
        config = config_from_dict(manifest["config"])
        entry = backbone(config.embedding.backbone)
        taps = [tap.name for tap in entry.select_taps(config.embedding.taps)]
        embedding = EmbeddingFiles(
            xml=files["embedding.xml"],
            weights=files["embedding.bin"],
            backbone_sha256=str(manifest["backbone"]["sha256"]),
            whitening=read_whitening(files, taps) if config.embedding.whitening else (),
        )
    runtime = make_runtime(embedding, manifest, entry, device)  # what goes wrong here says nothing about the folder
    with _malformed(root):
        images = json.loads(files["bank/images.json"])
        detector = Detector(
            config=config,
            extractor=Extractor(Geometry(config.geometry.size, entry.multiple, entry.least_multiples), runtime),
            embedding=embedding,
            banks=tuple(MemoryBank.load(root / "bank" / tap) for tap in taps),
            scales=tuple(float(manifest["scales"][tap]) for tap in taps),
            bank_images=tuple(BankImage(**image) for image in images),
            thumbnails=Thumbnails(
                {
                    image["name"]: StoredThumbnail(root / thumbnail_name(i), manifest["files"][thumbnail_name(i)])
                    for i, image in enumerate(images)
                }
            ),
            provenance=read_provenance(manifest, files),
            history=read_history(files),
            capture=read_reference(files, folder="capture", bank="bank"),
            part_views=part_view.from_text(files[_PARTS].decode()) if _PARTS in files else {},
        )
    versions = None if detector.history is None else read_versions(root, len(detector.history.records))
    return detector, _training_of(manifest), versions


@contextmanager
def _malformed(root: Path) -> Iterator[None]:
    """Take whatever parsing trips over for what it is: a folder that is not as it was written."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise corrupt(root, f"an entry is missing or malformed ({error})") from error
    except (MemoryBankError, ConfigError, BackboneError, CalibrationError) as error:
        raise corrupt(root, str(error)) from error


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """Read ``manifest.json`` alone, checked for its format version only.

    Raises
    ------
    TrainedModelMissingError, TrainedModelCorruptError, TrainedModelVersionError
    """
    return read_checked_manifest(Path(folder))


def fingerprint(folder: Path | str) -> str:
    """First 12 digits of the manifest's sha256: changes whenever anything in the trained model does."""
    return manifest_sha256(Path(folder))[:12]


def training_fingerprint(folder: Path | str) -> str:
    """First 12 digits of a hash that changes with training and memory bank, and never with a calibration.

    A memory bank that was brought back has its old one again.
    """
    return _training_of(read_checked_manifest(Path(folder)))


def _training_of(manifest: Mapping[str, Any]) -> str:
    files = manifest["files"]
    own = {name: sha256 for name, sha256 in sorted(files.items()) if _kept(name) and plain_name(name) == name}
    kept = json.dumps({name: sha256 for name, sha256 in own.items() if name != VERSIONS})
    return sha256_of(kept.encode())[:12]


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


def _copy_kept(target: Path, new: Path) -> dict[str, str]:
    """Link all that a calibration leaves as it is into a new folder; return the hashes of that."""
    kept = {name: sha256 for name, sha256 in read_checked_manifest(target)["files"].items() if _kept(name)}
    for name in kept:
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        _link(str(target / name), str(new / name))
    return kept


def _carry_over(target: Path, new: Path) -> None:
    """Take along what somebody else put into the folder: it is not of the trained model, and nobody's to lose."""
    named = {MANIFEST, *read_checked_manifest(target)["files"]}
    for path in target.rglob("*"):
        place = new / path.relative_to(target)
        if path.relative_to(target).as_posix() in named or os.path.lexists(place):
            continue
        if path.is_symlink() or path.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place, follow_symlinks=False)


def _write_versions(versions: BankVersions, root: Path, known: Mapping[str, str]) -> dict[str, str]:
    """Write ``versions.json`` anew, and return the hashes without its."""
    (root / VERSIONS).unlink(missing_ok=True)
    (root / VERSIONS).write_text(versions.to_json(), encoding="utf-8")
    return {name: sha256 for name, sha256 in known.items() if name != VERSIONS}


def _link_other_banks(target: Path, new: Path) -> dict[str, str]:
    """Link the banks that do not stand into a new folder; return the hashes of that."""
    shutil.copytree(target / EARLIER, new / EARLIER, copy_function=_link)
    files = read_checked_manifest(target)["files"]
    return {name: sha256 for name, sha256 in files.items() if name.startswith(f"{EARLIER}/")}


def _with_its_bank(
    detector: Detector,
    history: CalibrationHistory,
    versions: BankVersions,
    standing: Standing,
    new: Path,
    known: Mapping[str, str],
) -> tuple[Detector, dict[str, str]]:
    """Let the bank stand of the calibration that stands now; return the detector with it, and the hashes.

    Parameters
    ----------
    detector : Detector
    history : CalibrationHistory
        Its own.
    versions : BankVersions
    standing : Standing
        The calibration whose bank stands in ``new``.
    new : Path
        A folder with that bank, and the others below ``earlier/``.
    known : mapping of str to str
        Hashes of what is there.
    """
    versions = versions.calibrated(len(history.records), standing=standing.version)
    before, after = versions.of(standing.version), versions.of(history.active_version)
    if before != after:
        known = bring_back(new, after, put_aside(new, before, known))
        detector = _with_bank(detector, new)
    return detector, _write_versions(versions, new, known)


def _with_bank(detector: Detector, root: Path) -> Detector:
    """Return the detector with the memory bank of a folder, for the card."""
    images = json.loads((root / "bank" / "images.json").read_text(encoding="utf-8"))
    try:
        banks = tuple(MemoryBank.load(root / "bank" / tap) for tap in tap_names(detector))
    except MemoryBankError as error:
        raise corrupt(root, str(error)) from error
    return dataclasses.replace(detector, banks=banks, bank_images=tuple(BankImage(**image) for image in images))


def _kept(name: str) -> bool:
    """Whether a calibration leaves this file of the folder as it is."""
    return name not in (MANIFEST, "card.md") and not name.startswith("calibration/")


def _link(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)
