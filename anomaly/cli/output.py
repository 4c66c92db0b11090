"""Verdicts to stdout, remarks to stderr, rows to a CSV file that appears whole or not at all."""

from __future__ import annotations

import csv
import errno
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from anomaly.errors import OutputError
from anomaly.files import cannot_write, replaced_file


def emit(line: str) -> None:
    """Print one line of the result at once.

    Raises
    ------
    BrokenPipeError
        Nobody reads any more.
    OutputError
        Standard output is closed or full.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed: leave it open, the result goes there", path="standard output")
    try:
        print(line, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write to standard output ({error.strerror or error}): free some space or send it elsewhere",
            path="standard output",
        ) from error


def say(line: str) -> None:
    """Print one line to stderr; that it cannot be written is no reason to stop."""
    if sys.stderr is None:  # closed when the process started; print would take stdout instead
        return
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def fill_closed_streams() -> None:
    """Let nothing that is opened later become the stdin, stdout or stderr that the process was started without."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def soften_streams() -> None:
    """Print what the terminal's encoding does not have as escapes, instead of stopping."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def drop_stdout(*, only_if_broken: bool = False) -> None:
    """Send what is still buffered for stdout to nowhere, or the interpreter would complain of it on leaving."""
    if only_if_broken and _flushes(sys.stdout):
        return
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _flushes(stream: TextIO | None) -> bool:
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        return False
    return True


def check_file(path: Path, *, inputs: Iterable[str] = ()) -> Path:
    """Refuse, before long work, a name that no file can be written under.

    Parameters
    ----------
    path : Path
    inputs : iterable of str
        Files that must not be overwritten.

    Returns
    -------
    Path
        What to replace: a link, such as /dev/stdout, must not be replaced itself.

    Raises
    ------
    OutputError
    """
    target = Path(os.path.realpath(path))
    check_place(target)
    if any(os.path.realpath(name) == str(target) for name in inputs):
        raise OutputError(f"cannot write {path}: it is one of the files to be read, name another file", path=path)
    try:
        if target.exists() and not target.is_file():
            raise OutputError(f"cannot write {path}: it is a folder or a device, name a file", path=path)
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise cannot_write(path, error) from error
    return target


def check_named(path: Path, suffix: str, *, option: str) -> None:
    """Refuse, before long work, a name without the suffix of what is written, or in a folder that is not there.

    Raises
    ------
    OutputError
    """
    from anomaly.imaging.names import printable_name  # NumPy comes with it, and by far not every call writes a file

    if path.suffix.lower() != suffix or path.is_dir() or not path.absolute().parent.is_dir():
        raise OutputError(
            f"expected the name of a {suffix[1:].upper()} file in a folder that is there for {option}, got "
            f"{printable_name(path)}: name one that ends in {suffix}, and make its folder first",
            path=path,
        )


def check_place(path: Path) -> None:
    """Refuse a name in the folder of a trained model: it belongs to that, and goes with it.

    Raises
    ------
    OutputError
    """
    from anomaly.imaging.listing import is_trained_model  # by far not every call writes a file

    if any(is_trained_model(folder) for folder in Path(os.path.realpath(path)).parents):
        raise OutputError(f"cannot write {path}: it is in a trained model, name another folder", path=path)


class CsvFile:
    """A CSV file (UTF-8, RFC 4180) that takes its name when the ``with`` block ends without an exception.

    It is opened beside its place at once, so that a name that cannot be written is refused before the work.

    Parameters
    ----------
    path : Path
    columns : sequence of str
    inputs : iterable of str
        Files that must not be overwritten.

    Raises
    ------
    OutputError
        It cannot be written.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, inputs: Iterable[str] = ()) -> None:
        self._name = path
        target = check_file(path, inputs=inputs)
        try:
            with ExitStack() as stack:
                beside = stack.enter_context(replaced_file(target))
                stream = beside.open("w", encoding="utf-8", errors="surrogateescape", newline="")
                self._writer = csv.DictWriter(stack.enter_context(stream), columns, lineterminator="\n")
                self._writer.writeheader()
                self._opened = stack.pop_all()
        except OSError as error:
            raise cannot_write(path, error) from error

    def __enter__(self) -> CsvFile:
        return self

    def write(self, row: Mapping[str, object]) -> None:
        """Add one row; None becomes an empty field."""
        try:
            self._writer.writerow(row)
        except OSError as error:
            raise cannot_write(self._name, error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._opened.__exit__(kind, error, trace)
        except OSError as failure:
            if kind is None:  # otherwise what went wrong first is told
                raise cannot_write(self._name, failure) from failure
