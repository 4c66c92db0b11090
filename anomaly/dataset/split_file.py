"""``splits.csv``: which image served what, file by file, as part of the trained model."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, fields
from typing import cast, get_args

from anomaly.dataset.splits import SplitEntry
from anomaly.types import Label, Split

COLUMNS = tuple(field.name for field in fields(SplitEntry))
_SPECIAL = frozenset(',"\r\n')
_HEXADECIMAL = frozenset("0123456789abcdef")


def splits_csv(entries: Iterable[SplitEntry]) -> str:
    r"""Write ``name,sha256,label,split,part_type,group,defect``, one record for each image, as text.

    Equal entries give equal text on every machine: ``\n``, sorted by name, quotes only where needed.
    A file name that is no UTF-8 keeps its bytes as surrogates: encode with ``errors="surrogateescape"``.
    """
    lines = [COLUMNS, *(astuple(entry) for entry in sorted(entries, key=lambda entry: entry.name))]
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines)


def _quoted(cell: str) -> str:
    # csv.writer leaves a bare carriage return unquoted when lines end in \n alone, and csv.reader then splits there.
    return '"' + cell.replace('"', '""') + '"' if _SPECIAL.intersection(cell) else cell


def parse_splits_csv(text: str) -> tuple[SplitEntry, ...]:
    """Read what :func:`splits_csv` wrote.

    Raises
    ------
    ValueError
        It was not written by :func:`splits_csv`.
    """
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(f"no CSV: {error}") from error
    if not rows or tuple(rows[0]) != COLUMNS:
        raise ValueError(f"the header is not {','.join(COLUMNS)}")
    return tuple(_entry(row, number) for number, row in enumerate(rows[1:], start=1))


def _entry(row: list[str], number: int) -> SplitEntry:
    if len(row) != len(COLUMNS):
        raise ValueError(f"record {number} has {len(row)} cells, not {len(COLUMNS)}")
    name, sha256, label, split, part_type, group, defect = row
    if label not in get_args(Label) or split not in get_args(Split):
        raise ValueError(f"record {number} has label {label!r} and split {split!r}")
    if len(sha256) != 64 or not _HEXADECIMAL.issuperset(sha256):
        raise ValueError(f"record {number} has no sha256")
    return SplitEntry(name, sha256, cast(Label, label), cast(Split, split), part_type, group, defect)
