"""Rows beside the table that they will become: a line each, on the disk as it comes, so that a kill loses none."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from anomaly.errors import OutputError


class KeptRows:
    """The rows known so far, of this run and of one that was killed; use it in a ``with`` block.

    The file is called after the table, with ``.rows`` behind; its first line says what the rows are about, each further
    one holds a path and its row as JSON. A last line that was cut off does not count. Only the places of the rows are
    held in memory.

    Parameters
    ----------
    table : Path
        What the rows will become.
    about : mapping
        What decides them: trained model and options. Rows about something else are refused.

    Raises
    ------
    OutputError
        The file cannot be written, is in use, or is about something else.
    """

    def __init__(self, table: Path, about: Mapping[str, object]) -> None:
        self.path = table.with_name(table.name + ".rows")
        self._about = {"about": dict(about)}
        self._place: dict[str, int] = {}
        try:
            self._file = self.path.open("a+b")
        except OSError as error:
            raise self._refused(f"cannot be written ({error.strerror})", "choose another place") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read()
        except BlockingIOError:
            self._file.close()
            raise self._refused("is being written by another call", "wait for it or name another table") from None
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> KeptRows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None or not self._place:
            self.path.unlink(missing_ok=True)

    def __contains__(self, path: object) -> bool:
        return path in self._place

    def __len__(self) -> int:
        return len(self._place)

    def add(self, path: str, row: Mapping[str, object]) -> None:
        """Keep a row; when this returns, a kill of this process does not take it back.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        self._file.seek(0, 2)
        place = self._file.tell()
        self._write({"path": path, "row": dict(row)})
        self._place[path] = place

    def rows(self, paths: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Return the rows of these paths, in their order; each must be known."""
        for path in paths:
            self._file.seek(self._place[path])
            row: dict[str, Any] = json.loads(self._file.readline())["row"]
            yield row

    def _read(self) -> None:
        self._file.seek(0)
        place = 0
        for number, line in enumerate(self._file):
            entry = _entry(line)
            if entry is None:
                break
            if number == 0 and entry != self._about:
                raise self._refused("holds rows of another trained model or other options", "remove it to begin anew")
            if number:
                self._place[entry["path"]] = place
            place += len(line)
        self._file.truncate(place)  # what was cut off in the middle of a line is judged again
        if not place:
            self._write(self._about)

    def _write(self, entry: Mapping[str, object]) -> None:
        try:
            self._file.write(json.dumps(entry).encode("ascii") + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._refused(f"cannot be written ({error.strerror})", "free some space and run it again") from error

    def _refused(self, what: str, todo: str) -> OutputError:
        return OutputError(f"{self.path} {what}: {todo}", path=self.path)


def _entry(line: bytes) -> dict[str, Any] | None:
    """Return what a whole line holds."""
    try:
        entry = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
