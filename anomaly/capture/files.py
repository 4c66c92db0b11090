"""The reference as files of the trained model: ``reference.json`` and two arrays."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from anomaly.capture.reference import COLUMNS, CaptureReference
from anomaly.types import CaptureSample, Float32Array

_REFERENCE, _EMBEDDINGS, _STRANGENESS = "reference.json", "embeddings.npy", "strangeness.npy"


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
    text = json.dumps({"columns": limits, "samples": samples}, indent=1, allow_nan=False)
    return {
        _REFERENCE: (text + "\n").encode(),
        _EMBEDDINGS: _array(np.stack([sample.embedding for sample in reference.samples])),
        _STRANGENESS: _array(np.stack([sample.strangeness for sample in reference.samples])),
    }


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
    return CaptureReference(
        samples,
        *(np.array([float(column[part]) for column in columns]) for part in ("centre", "scale", "limit")),
    )


def _array(values: Float32Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values.astype(np.float32), allow_pickle=False)
    return buffer.getvalue()


def _floats(content: bytes) -> Float32Array:
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False), dtype=np.float32)
