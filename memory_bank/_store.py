"""A bank on disk: three ``.npy`` files and ``bank.json``, which says what they are; in larger banks also its cells.

``bank.json`` holds ``version`` (of this format, first), ``index``, ``auto`` (true where that suits the number of rows
and changes with it, not there otherwise), and for each of ``vectors.npy``, ``groups.npy`` and ``tags.npy`` its
``dtype``, ``shape`` and ``sha256``. Where the bank is divided into cells, ``cells`` holds the same for
``cells_NAME.npy``; whoever does not know them gets the same answers without, or makes others. No pickle, no time, no
path: equal banks are equal bytes. File names are fixed, none is taken from the manifest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from memory_bank import _cells
from memory_bank._checks import check_vectors
from memory_bank.errors import (
    BankCorruptError,
    BankFileError,
    BankMissingError,
    BankVersionError,
    MemoryBankError,
)
from memory_bank.index import FORMER, check_kind
from memory_bank.types import Float32Array, Int64Array

VERSION = 1
MANIFEST = "bank.json"
_DTYPES = {"vectors": "<f4", "groups": "<i8", "tags": "<i8"}
# Of the cells of every kind of index; no two kinds use a name for different things.
_CELL_DTYPES = _cells.DTYPES | _cells.PROBING_DTYPES
_PREFIX = "cells_"
# Readers of version 1 that know no other name for it give the same answers under this one.
_WRITTEN = {new: former for former, new in FORMER.items()}


@dataclass(frozen=True, eq=False)
class Saved:
    """What was read, all verified; ``cells`` by name, empty where there are none."""

    vectors: Float32Array
    groups: Int64Array
    tags: Int64Array
    index: str
    auto: bool
    cells: dict[str, npt.NDArray[Any]]


def write(
    folder: Path,
    *,
    vectors: Float32Array,
    groups: Int64Array,
    tags: Int64Array,
    index: str,
    auto: bool,
    cells: Mapping[str, npt.NDArray[Any]],
) -> None:
    """Write the files of a bank, the manifest last; then cells of the bank before go that this one has none of."""
    arrays: dict[str, npt.NDArray[Any]] = {"vectors": vectors, "groups": groups, "tags": tags}
    manifest: dict[str, object] = {"version": VERSION, "index": _WRITTEN.get(index, index)}
    if auto:
        manifest["auto"] = True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manifest["files"] = {
            f"{name}.npy": _write_array(folder / f"{name}.npy", arrays[name], _DTYPES[name]) for name in _DTYPES
        }
        if cells:
            manifest["cells"] = {
                _cell_file(name): _write_array(folder / _cell_file(name), array, _CELL_DTYPES[name])
                for name, array in cells.items()
            }
        _put(folder / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
    except (OSError, ValueError) as error:  # ValueError: not even a name that the system accepts
        raise BankFileError(
            f"{folder}: expected a folder that can be written, got {_reason(error)}; choose another",
            path=folder,
        ) from error
    _remove_cells(folder, set(_CELL_DTYPES) - set(cells))


def read(folder: Path) -> Saved:
    """Return a saved bank, all verified."""
    index, auto, files, cell_files = _read_manifest(folder)
    vectors, groups, tags = (_read_array(folder / f"{name}.npy", files, _DTYPES[name]) for name in _DTYPES)
    cells = {
        name: _read_array(folder / _cell_file(name), cell_files, dtype)
        for name, dtype in _CELL_DTYPES.items()
        if _cell_file(name) in cell_files
    }
    try:
        index = check_kind(index)
        check_vectors(vectors)
    except MemoryBankError as error:
        raise _corrupt(folder, str(error)) from error
    rows = vectors.shape[0]
    if groups.shape != (rows,) or tags.ndim != 2 or tags.shape[0] != rows:
        raise _corrupt(folder, f"{rows} vectors, groups {groups.shape}, tags {tags.shape}")
    if cells and not _cells.fit(index, cells, rows=rows, dim=vectors.shape[1]):
        raise _corrupt(folder, f"cells of other than {rows} rows")
    return Saved(vectors, groups, tags, index, auto, cells)


def _cell_file(name: str) -> str:
    """Return what the file of one array of the cells is called."""
    return f"{_PREFIX}{name}.npy"


def _remove_cells(folder: Path, names: Collection[str]) -> None:
    """Remove cells that the manifest does not name: a kill before costs room on the disk, and no answer."""
    for name in names:
        with suppress(OSError):
            (folder / _cell_file(name)).unlink()


def _write_array(path: Path, array: npt.NDArray[Any], dtype: str) -> dict[str, object]:
    """Write one array; return its entry in the manifest."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array, dtype=dtype), allow_pickle=False)
    content = buffer.getvalue()
    _put(path, content)
    return {"dtype": dtype, "shape": list(array.shape), "sha256": hashlib.sha256(content).hexdigest()}


def _read_manifest(folder: Path) -> tuple[str, bool, dict[str, Any], dict[str, Any]]:
    """Return ``index``, ``auto``, ``files`` and ``cells`` of the manifest."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BankMissingError(
            f"{folder}: expected a saved memory bank, got no {MANIFEST}; save one there first",
            path=folder,
        ) from error
    except OSError as error:
        raise _corrupt(path, _reason(error)) from error
    except (ValueError, RecursionError) as error:
        raise _corrupt(path, "no JSON") from error
    version = manifest.get("version") if isinstance(manifest, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise _corrupt(path, "no format version")
    if version > VERSION:
        raise BankVersionError(
            f"{folder}: expected format version {VERSION} or older, got {version}; update this program",
            path=folder,
        )
    index, files, cells = manifest.get("index"), manifest.get("files"), manifest.get("cells", {})
    if not isinstance(index, str) or not isinstance(files, dict) or not isinstance(cells, dict):
        raise _corrupt(path, "no index or no files")
    return index, manifest.get("auto") is True, files, cells


def _read_array(path: Path, files: dict[str, Any], dtype: str) -> npt.NDArray[Any]:
    """Return the array in ``path``, when it is the one the manifest describes."""
    entry = files.get(path.name)
    if not isinstance(entry, dict):
        raise _corrupt(path, f"no entry in {MANIFEST}")
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != entry.get("sha256"):
            raise _corrupt(path, "other bytes than were written")
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except OSError as error:
        raise _corrupt(path, _reason(error)) from error
    except (ValueError, EOFError, MemoryError) as error:
        raise _corrupt(path, "no array") from error
    if not isinstance(array, np.ndarray):
        raise _corrupt(path, "no array")
    said = (entry.get("dtype"), entry.get("shape"))
    if said != (dtype, list(array.shape)) or array.dtype != np.dtype(dtype):
        raise _corrupt(path, f"{array.dtype} of shape {array.shape}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _put(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path``, on the disk, and rename, so that the file is never half there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")  # each writer its own
    try:
        with beside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _corrupt(path: Path, came: str) -> BankCorruptError:
    """Return the error for a file that is not what was written."""
    return BankCorruptError(
        f"{path}: expected the file as it was saved, got {came}; restore it or build the bank again",
        path=path,
    )


def _reason(error: OSError | ValueError) -> str:
    """Return what the system says, without the path."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)
