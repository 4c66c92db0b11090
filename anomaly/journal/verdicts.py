"""What people found when they looked at a judged image, in the same file as the journal.

A table of its own that journals made before do not have; it is added when the first verdict is written, and older
versions of goodparts do not look at it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from anomaly.journal._text import from_column, to_column
from anomaly.types import Label

TABLE = "verdicts"
_COLUMNS = ("time", "sha256", "path", "truth", "part_type", "note")
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    path NOT NULL,
    truth TEXT NOT NULL CHECK (truth IN ('undamaged', 'damaged')),
    part_type TEXT NOT NULL,
    note TEXT NOT NULL
)
"""


@dataclass(frozen=True)
class OperatorVerdict:
    """What somebody who looked says of an image.

    Attributes
    ----------
    time : str
        When it was recorded, ISO 8601, UTC.
    sha256 : str
        Of the file's content: by this the image is known, whatever it is called.
    path : str
        As the user named it.
    truth : {"undamaged", "damaged"}
    part_type, note : str
        Empty where not given.
    """

    time: str
    sha256: str
    path: str
    truth: Label
    part_type: str = ""
    note: str = ""


def write_verdicts(connection: sqlite3.Connection, verdicts: tuple[OperatorVerdict, ...]) -> None:
    """Add verdicts in one transaction: all of them are on the disk, or none."""
    marks = ", ".join("?" * len(_COLUMNS))
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_SCHEMA)
        connection.executemany(
            f"INSERT INTO {TABLE} ({', '.join(_COLUMNS)}) VALUES ({marks})", [_row(verdict) for verdict in verdicts]
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def read_verdicts(connection: sqlite3.Connection) -> tuple[OperatorVerdict, ...]:
    """Return the last verdict on each image, in the order they were given; none where the table is missing."""
    there = connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = ?", (TABLE,)).fetchone()[0]
    if not there:
        return ()
    rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM {TABLE} ORDER BY id").fetchall()
    last: dict[str, OperatorVerdict] = {}
    for row in rows:
        verdict = _verdict(row)
        last.pop(verdict.sha256, None)
        last[verdict.sha256] = verdict
    return tuple(last.values())


def _row(verdict: OperatorVerdict) -> tuple[Any, ...]:
    path, part_type, note = map(to_column, (verdict.path, verdict.part_type, verdict.note))
    return verdict.time, verdict.sha256, path, verdict.truth, part_type, note


def _verdict(row: tuple[Any, ...]) -> OperatorVerdict:
    time, sha256, path, truth, part_type, note = row
    return OperatorVerdict(time, sha256, from_column(path), truth, from_column(part_type), from_column(note))
