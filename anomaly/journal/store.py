"""The journal as a file: SQLite in write-ahead mode.

A row is acknowledged when :meth:`Journal.append` returns, and then stands on the disk: every append is a transaction
of its own with ``synchronous=FULL`` (https://www.sqlite.org/pragma.html#pragma_synchronous), so neither a kill nor a
loss of power takes it back. Writers wait for each other (https://www.sqlite.org/wal.html#concurrency). The file has to
be on a local disk: write-ahead mode needs shared memory.
"""

from __future__ import annotations

import json
import math
import operator
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

import numpy as np

from anomaly.errors import JournalError
from anomaly.journal._text import from_column, to_column
from anomaly.journal.entry import JournalEntry, Judged
from anomaly.journal.verdicts import OperatorVerdict, read_verdicts, write_verdicts
from anomaly.types import Float32Array, Label, Verdict

SCHEMA_VERSION = 1
STRANGENESS_SHAPE = (4, 4)
_APPLICATION_ID = 0x676F6F64  # "good"
_PATIENCE_S = 30.0
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
"""What SQLite answers where it can make no file beside a journal in write-ahead mode, even to read it."""
_COLUMNS = (
    "time", "path", "sha256", "model", "calibration_version", "label", "score", "threshold", "probability",
    "measures", "warnings", "strangeness", "embedding",
)  # fmt: skip
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    path NOT NULL,
    sha256 TEXT NOT NULL,
    model TEXT NOT NULL,
    calibration_version INTEGER,
    label TEXT,
    score REAL NOT NULL,
    threshold REAL,
    probability REAL,
    measures TEXT NOT NULL,
    warnings TEXT NOT NULL,
    strangeness BLOB NOT NULL,
    embedding BLOB NOT NULL
)
"""


class Journal:
    """An open journal; use it in a ``with`` block, and in the thread that opened it.

    Threads and processes that write at the same time each open one of their own on the same file.

    Parameters
    ----------
    path : Path or str
        Made where it is missing, unless it is opened for reading only.
    read_only : bool
        Nothing is written, so its folder may be one that cannot be, and a missing file is an error.
    inputs : iterable of str
        Files that must not become the journal.

    Raises
    ------
    JournalError
        It cannot be opened, is no journal, or was written by a newer goodparts.
    """

    def __init__(self, path: Path | str, *, read_only: bool = False, inputs: Iterable[str] = ()) -> None:
        self.path = Path(path)
        real = os.path.realpath(self.path)
        if any(os.path.realpath(name) == real for name in inputs):
            raise JournalError(f"cannot write {path}: it is one of the images, name another journal", path=path)
        if read_only and not self.path.is_file():
            raise JournalError(
                f"there is no journal {path}: make one with --predict ... --journal FILE, or name another", path=path
            )
        if not read_only and self.path.is_file() and not os.access(self.path, os.W_OK):
            raise JournalError(f"cannot write the journal {path} (no permission): name another file", path=path)
        with self._mapped():
            self._connection = sqlite3.connect(real, timeout=_PATIENCE_S, isolation_level=None)
        try:
            with self._mapped():
                self._prepare_or_freeze(real, read_only=read_only)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; every row that was appended is in it."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def append(self, entry: JournalEntry) -> int:
        """Add one row; when this returns, the row is on the disk.

        Returns
        -------
        int
            The row's number.

        Raises
        ------
        JournalError
            It could not be written, or holds a number that is not finite, a label that no verdict has, or anything
            else than :class:`JournalEntry` says; the journal is as it was.
        """
        marks = ", ".join("?" * len(_COLUMNS))
        statement = f"INSERT INTO entries ({', '.join(_COLUMNS)}) VALUES ({marks})"
        try:
            values = _row(entry)
        except (TypeError, ValueError) as error:
            raise JournalError(f"cannot write a row into the journal {self.path}: {error}", path=self.path) from error
        with self._mapped():
            row = self._connection.execute(statement, values).lastrowid
        assert row is not None
        return row

    def record(self, verdicts: Sequence[OperatorVerdict]) -> None:
        """Add what people found; when this returns, all of it is on the disk.

        Raises
        ------
        JournalError
            It could not be written, or a truth is neither undamaged nor damaged; the journal is as it was.
        """
        verdicts = tuple(verdicts)
        for truth in (verdict.truth for verdict in verdicts if verdict.truth not in get_args(Label)):
            raise JournalError(
                f"cannot write a verdict into the journal {self.path}: expected undamaged or damaged, got {truth!r}",
                path=self.path,
            )
        with self._mapped():
            write_verdicts(self._connection, verdicts)

    def verdicts(self) -> tuple[OperatorVerdict, ...]:
        """Return the last verdict on each image that somebody looked at, in the order they were given.

        Raises
        ------
        JournalError
            The file is damaged.
        """
        with self._mapped():
            return read_verdicts(self._connection)

    def read(self, *, model: str | None = None, since: str | None = None) -> tuple[JournalEntry, ...]:
        """Read rows, oldest first.

        Parameters
        ----------
        model : str, optional
            Only what this model judged.
        since : str, optional
            Only rows after this time, written by :func:`anomaly.journal.time_text`.

        Raises
        ------
        JournalError
            The file is damaged.
        """
        conditions = [("model = ?", model), ("time > ?", since)]
        where = " AND ".join(text for text, value in conditions if value is not None)
        where = f" WHERE {where}" if where else ""
        values = [value for value in (model, since) if value is not None]
        statement = f"SELECT {', '.join(_COLUMNS)} FROM entries{where} ORDER BY id"
        with self._mapped():
            rows = self._connection.execute(statement, values).fetchall()
        try:
            return tuple(_entry(row) for row in rows)
        except (ValueError, TypeError, AttributeError) as error:
            raise JournalError(
                f"the journal {self.path} holds a row that cannot be read ({error}): restore it from a copy",
                path=self.path,
            ) from error

    def judged(self, sha256s: Collection[str], *, model: str | None = None) -> dict[str, Judged]:
        """Return what was said last of these images, without those that are not in the journal.

        However long the journal is, no more of it is held at a time than one row and the answer.

        Parameters
        ----------
        sha256s : collection of str
            Of the images' content.
        model : str, optional
            Only what this model said.

        Raises
        ------
        JournalError
            The file is damaged.
        """
        wanted = frozenset(sha256s)
        where, values = ("", ()) if model is None else (" WHERE model = ?", (model,))
        with self._mapped():
            rows = self._connection.execute(f"SELECT sha256, label, score FROM entries{where} ORDER BY id", values)
            return {sha256: Judged(label, score) for sha256, label, score in rows if sha256 in wanted}

    def _prepare_or_freeze(self, real: str, *, read_only: bool) -> None:
        """Prepare it, or read it as a file that nobody changes where SQLite cannot keep its own files beside it."""
        try:
            self._prepare(read_only)
            return
        except sqlite3.OperationalError as error:
            if not read_only or error.sqlite_errorcode & 0xFF not in _UNWRITABLE:
                raise
        # Nobody may be writing: a writer has files beside the journal, and then SQLite gets by without writing any
        # (https://www.sqlite.org/wal.html#readonly). What rests in one of them, immutable=1 would not see.
        rest = Path(f"{real}-wal")
        if rest.is_file() and rest.stat().st_size:
            raise JournalError(
                f"cannot read the journal {self.path}: some of its rows are still in {self.path}-wal, and its folder "
                "cannot be written: copy both files into a folder that can be written, and name the copy",
                path=self.path,
            )
        self._connection.close()
        self._connection = sqlite3.connect(
            f"{Path(real).as_uri()}?mode=ro&immutable=1", uri=True, timeout=_PATIENCE_S, isolation_level=None
        )
        self._prepare(read_only)

    def _prepare(self, read_only: bool) -> None:
        execute = self._connection.execute
        execute("BEGIN")  # so that what is asked here is of one moment: another process may be making this journal
        found = self._pragma("application_id"), self._pragma("user_version")
        tables = execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        execute("COMMIT")
        if found[0] != _APPLICATION_ID and (tables or read_only):
            raise JournalError(f"{self.path} is a database but no journal: name another file", path=self.path)
        if found[1] > SCHEMA_VERSION:
            raise JournalError(
                f"the journal {self.path} has format {found[1]}, this goodparts knows up to {SCHEMA_VERSION}: "
                "update goodparts or name another file",
                path=self.path,
            )
        if read_only:
            execute("PRAGMA query_only = ON")
            return
        self._use_write_ahead()
        execute("PRAGMA synchronous = FULL")
        execute("BEGIN IMMEDIATE")
        execute(_SCHEMA)
        execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        execute("COMMIT")

    def _use_write_ahead(self) -> None:
        """Switch the mode; SQLite does not wait by itself when two processes do so at once."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                (mode,) = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        if mode != "wal":
            raise JournalError(f"{self.path} cannot be written safely there: put the journal on a local disk",
                               path=self.path)  # fmt: skip

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Map what SQLite raises to the error that a user sees."""
        try:
            yield
        except sqlite3.ProgrammingError as error:  # the file is sound, the call is not
            raise JournalError(
                f"cannot use the journal {self.path} like this ({error}): open a Journal in the thread that uses it, "
                "and use it before it is closed",
                path=self.path,
            ) from error
        except sqlite3.Error as error:
            raise JournalError(
                f"cannot use the journal {self.path} ({error}): name a file on a local disk that can be written, or "
                "restore it from a copy",
                path=self.path,
            ) from error


def _row(entry: JournalEntry) -> tuple[Any, ...]:
    """Return what is written of an entry; SQLite itself keeps infinity, and takes NaN for NULL, NumPy's ints for bytes.

    Raises
    ------
    TypeError, ValueError
        A field is not what :class:`JournalEntry` says.
    """
    for name in ("time", "path", "sha256", "model"):
        if not isinstance(getattr(entry, name), str):
            raise TypeError(f"expected a str as {name}, got {type(getattr(entry, name)).__name__}")
    if entry.label is not None and entry.label not in get_args(Verdict):
        raise ValueError(f"expected a label among {', '.join(get_args(Verdict))}, got {entry.label!r}")
    if np.shape(entry.strangeness) != STRANGENESS_SHAPE:
        raise ValueError(f"expected strangeness of shape {STRANGENESS_SHAPE}, got {np.shape(entry.strangeness)}")
    return (
        entry.time,
        to_column(entry.path),
        entry.sha256,
        entry.model,
        None if entry.calibration_version is None else operator.index(entry.calibration_version),
        entry.label,
        _finite("score", entry.score),
        None if entry.threshold is None else _finite("threshold", entry.threshold),
        None if entry.probability is None else _finite("probability", entry.probability),
        json.dumps({name: _finite(name, value) for name, value in dict(entry.measures).items()}),
        json.dumps(list(entry.warnings)),
        _bytes("strangeness", entry.strangeness),
        _bytes("embedding", entry.embedding),
    )


def _finite(name: str, value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number as {name}, got {number}")
    return number


def _entry(row: tuple[Any, ...]) -> JournalEntry:
    values = dict(zip(_COLUMNS, row, strict=True))
    return JournalEntry(
        path=from_column(values.pop("path")),
        measures={str(name): float(value) for name, value in json.loads(values.pop("measures")).items()},
        warnings=tuple(json.loads(values.pop("warnings"))),
        strangeness=_floats(values.pop("strangeness")).reshape(STRANGENESS_SHAPE),
        embedding=_floats(values.pop("embedding")),
        **values,
    )


def _bytes(name: str, values: Float32Array) -> bytes:
    content = np.ascontiguousarray(values, dtype="<f4")
    if not np.isfinite(content).all():
        raise ValueError(f"expected finite numbers as {name}, got others among them")
    return content.tobytes()


def _floats(content: bytes) -> Float32Array:
    return np.frombuffer(content, dtype="<f4").astype(np.float32)
