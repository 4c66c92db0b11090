"""The data set on disk: one picture after another, resumable, and ``labels.csv`` put together from the records."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from .law import PART_TYPES, PartType, place

COLUMNS = ("path", "label", "part_type", "group", "mask", "defect", "n_parts", "severity")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it exists whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def record_path(output: Path, part_type: PartType, index: int) -> Path:
    """Where the record of a picture lies; it is written last, so it says that the picture is done."""
    return output / "records" / f"{place(part_type, index).name}.json"


def pending(output: Path, part_types: Iterable[PartType], indices: Iterable[int]) -> Iterator[tuple[PartType, int]]:
    """Yield what is still to be rendered, part types taking turns."""
    kinds = tuple(part_types)
    for index in indices:
        for part_type in kinds:
            if not record_path(output, part_type, index).exists():
                yield part_type, index


def save(output: Path, jpeg: bytes, mask: np.ndarray | None, record: dict[str, object]) -> None:
    """Write picture, mask and record, the record last."""
    write_atomically(output / str(record["path"]), jpeg)
    if mask is not None:
        file = io.BytesIO()
        Image.fromarray(mask.astype(np.uint8) * 255).convert("1").save(file, "PNG", optimize=True)
        write_atomically(output / str(record["mask"]), file.getvalue())
    name = Path(str(record["path"])).stem
    write_atomically(output / "records" / f"{name}.json", (json.dumps(record) + "\n").encode())


def write_labels(output: Path) -> int:
    """Assemble ``labels.csv`` from the records of ``output`` and return the number of its rows."""
    records = [json.loads(path.read_text()) for path in (output / "records").glob("*.json")]
    order = {name: i for i, name in enumerate(PART_TYPES)}
    records.sort(key=lambda r: (order[r["part_type"]], r["label"] != "undamaged", r["index"]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in records:
        writer.writerow(["" if record[column] is None else record[column] for column in COLUMNS])
    write_atomically(output / "labels.csv", text.getvalue().encode())
    return len(records)
