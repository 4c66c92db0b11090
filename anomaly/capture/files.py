"""The reference as files of the trained model: ``reference.json`` and two arrays, a third where faults were learnt.

Pictures that were learnt after training are in a file of their own, ``learnt.json``, beside the memory bank that they
were learnt into: it comes and goes with that bank, and ``capture/`` stays what training wrote. One JSON file, since
arrays in the folder of a bank are held against the bank's own record alone.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.capture.faults import FAULTS, FaultFilter
from anomaly.capture.reference import COLUMNS, CaptureReference
from anomaly.types import CaptureSample, Float32Array

_REFERENCE, _EMBEDDINGS, _STRANGENESS = "reference.json", "embeddings.npy", "strangeness.npy"
_FAULTS = "faults.npy"
_LEARNT = "learnt.json"


def write_reference(reference: CaptureReference | None, folder: Path) -> None:
    """Write the files into a new folder; none of it without a reference.

    Raises
    ------
    OSError
    """
    if reference is None:
        return
    folder.mkdir()
    for name, content in reference_to_files(reference).items():
        (folder / name).write_bytes(content)


def write_learnt(reference: CaptureReference | None, folder: Path) -> None:
    """Write what was learnt after training into the folder of the memory bank; nothing where there is nothing.

    Raises
    ------
    OSError
    """
    if reference is None or not reference.learnt:
        return
    pictures = [
        {
            "sha256": sha256,
            "score": sample.score,
            "measures": sample.measures,
            "strangeness": sample.strangeness.tolist(),
            "embedding": sample.embedding.tolist(),
        }
        for sha256, sample in reference.learnt.items()
    ]
    (folder / _LEARNT).write_text(json.dumps(pictures, allow_nan=False) + "\n", encoding="utf-8")


def read_reference(files: Mapping[str, bytes], *, folder: str, bank: str) -> CaptureReference | None:
    """Read it from the files of a trained model, by their paths; None where it was not written.

    Parameters
    ----------
    files : mapping of str to bytes
    folder, bank : str
        Those of :func:`write_reference` and of :func:`write_learnt`.

    Raises
    ------
    KeyError, TypeError, ValueError
        As :func:`reference_from_files`.
    """
    prefix = f"{folder}/"
    own = {name.removeprefix(prefix): c for name, c in files.items() if name.startswith(prefix)}
    reference, learnt = reference_from_files(own), files.get(f"{bank}/{_LEARNT}")
    if reference is None or learnt is None:
        return reference
    entries = json.loads(learnt)
    return replace(reference, learnt={str(entry["sha256"]): _learnt_sample(entry) for entry in entries})


def reference_to_files(reference: CaptureReference) -> dict[str, bytes]:
    """Contents of the files by name."""
    limits = {
        name: {"centre": float(centre), "scale": float(scale), "limit": float(limit)}
        for name, centre, scale, limit in zip(COLUMNS, reference.centre, reference.scale, reference.limit, strict=True)
    }
    samples = [{"score": sample.score, "measures": sample.measures} for sample in reference.samples]
    faults = [{"fault": one.fault, "offset": one.offset, "limit": one.limit} for one in reference.filters]
    text = json.dumps({"columns": limits, "faults": faults, "samples": samples}, indent=1, allow_nan=False)
    files = {
        _REFERENCE: (text + "\n").encode(),
        _EMBEDDINGS: _array(np.stack([sample.embedding for sample in reference.samples])),
        _STRANGENESS: _array(np.stack([sample.strangeness for sample in reference.samples])),
    }
    if reference.filters:
        files[_FAULTS] = _array(np.stack([one.weights for one in reference.filters]))
    return files


def reference_from_files(files: Mapping[str, bytes]) -> CaptureReference | None:
    """Read what :func:`reference_to_files` wrote; None where it was not written.

    Raises
    ------
    KeyError, TypeError, ValueError
        Something is missing or malformed.
    """
    if _REFERENCE not in files:
        return None
    read = json.loads(files[_REFERENCE])
    columns = [read["columns"][name] for name in COLUMNS]
    centre, scale, limit = (
        np.array([float(column[part]) for column in columns]) for part in ("centre", "scale", "limit")
    )
    samples = tuple(
        _sample(sample, strangeness, embedding)
        for sample, embedding, strangeness in zip(
            read["samples"], _floats(files[_EMBEDDINGS]), _floats(files[_STRANGENESS]), strict=True
        )
    )
    return CaptureReference(samples, centre, scale, limit, _filters(read.get("faults", []), files))


def _sample(entry: Mapping[str, Any], strangeness: Float32Array, embedding: Float32Array) -> CaptureSample:
    measures = {str(name): float(value) for name, value in entry["measures"].items()}
    return CaptureSample(measures, strangeness, embedding, float(entry["score"]))


def _learnt_sample(entry: Mapping[str, Any]) -> CaptureSample:
    return _sample(entry, *(np.array(entry[name], dtype=np.float32) for name in ("strangeness", "embedding")))


def _filters(entries: Sequence[Mapping[str, Any]], files: Mapping[str, bytes]) -> tuple[FaultFilter, ...]:
    """Return the filters of the faults that this version knows."""
    if not entries:
        return ()
    weights = _floats(files[_FAULTS])
    return tuple(
        FaultFilter(str(entry["fault"]), row, float(entry["offset"]), float(entry["limit"]))
        for entry, row in zip(entries, weights, strict=True)
        if entry["fault"] in FAULTS
    )


def _array(values: Float32Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values.astype(np.float32), allow_pickle=False)
    return buffer.getvalue()


def _floats(content: bytes) -> Float32Array:
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False), dtype=np.float32)
