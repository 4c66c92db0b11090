"""The reference as files of the trained model: ``reference.json`` and two arrays, a third where faults were learnt."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.capture.faults import FAULTS, FaultFilter
from anomaly.capture.reference import COLUMNS, CaptureReference
from anomaly.types import CaptureSample, Float32Array

_REFERENCE, _EMBEDDINGS, _STRANGENESS = "reference.json", "embeddings.npy", "strangeness.npy"
_FAULTS = "faults.npy"


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


def read_reference(files: Mapping[str, bytes], *, folder: str) -> CaptureReference | None:
    """Read it from the files of a trained model, by their paths; None where it was not written.

    Raises
    ------
    KeyError, TypeError, ValueError
        As :func:`reference_from_files`.
    """
    prefix = f"{folder}/"
    return reference_from_files({name.removeprefix(prefix): c for name, c in files.items() if name.startswith(prefix)})


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
        CaptureSample(
            measures={str(name): float(value) for name, value in sample["measures"].items()},
            strangeness=strangeness,
            embedding=embedding,
            score=float(sample["score"]),
        )
        for sample, embedding, strangeness in zip(
            read["samples"], _floats(files[_EMBEDDINGS]), _floats(files[_STRANGENESS]), strict=True
        )
    )
    return CaptureReference(samples, centre, scale, limit, _filters(read.get("faults", []), files))


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
