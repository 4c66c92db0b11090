"""Verdicts to stdout, remarks to stderr, rows to a CSV file that appears whole or not at all."""

from __future__ import annotations

import csv
import errno
import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from anomaly.errors import OutputError
from anomaly.files import cannot_write, replaced_file

_DESCRIPTOR = re.compile(r"/dev/(stdin|stdout|stderr)|(?:/dev|/proc/(?:self|thread-self|\d+))/fd/(\d{1,9})")
_STANDARD = {"stdin": 0, "stdout": 1, "stderr": 2}
_LABELS_FILE = "labels.csv"
_FIRST_BYTES = 4096


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


def check_file(path: Path, *, inputs: Iterable[str] = (), picture: bool = False) -> Path:
    """Refuse, before long work, a name that no file can be written under, or one of a file that is not ours.

    Parameters
    ----------
    path : Path
    inputs : iterable of str
        Files that must not be overwritten, nor the table of labels that they or these folders may have.
    picture : bool
        What is written is drawn: it may replace what was drawn before, but no photograph. Otherwise it is a table,
        which replaces no file but another table.

    Returns
    -------
    Path
        What to replace: a link must not be replaced itself.

    Raises
    ------
    OutputError
    """
    target = Path(os.path.realpath(path))
    check_place(target)
    read = [os.path.realpath(name) for name in inputs]
    if str(target) in read:
        raise OutputError(f"cannot write {path}: it is one of the files to be read, name another file", path=path)
    if target.name.casefold() == _LABELS_FILE and any(_belong(target, Path(name)) for name in read):
        raise OutputError(f"cannot write {path}: it is where the images' labels stand, name another file", path=path)
    try:
        if target.exists() and not target.is_file():
            raise OutputError(f"cannot write {path}: it is a folder or a device, name a file", path=path)
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if target.exists():
            _check_replaceable(target, path, picture=picture)
    except OSError as error:
        raise cannot_write(path, error) from error
    return target


def _belong(labels_file: Path, read: Path) -> bool:
    """Tell whether an image lies below the folder of a table of labels, or that table in a folder of images."""
    return labels_file.parent in read.parents or read in labels_file.parents


def _check_replaceable(target: Path, path: Path, *, picture: bool) -> None:
    """Refuse a file that goodparts would not have written there.

    Raises
    ------
    OutputError, OSError
    """
    from anomaly.imaging.listing import is_photograph  # by far not every call writes a file

    if picture:
        if is_photograph(target):
            raise OutputError(f"cannot write {path}: a photograph has that name, name another file", path=path)
        return
    with target.open("rb") as stream:
        start = stream.read(_FIRST_BYTES)
    if target.suffix == ".parquet" and start.startswith(b"PAR1"):
        return
    # Below the header a row may hold whatever a file name holds, but never a null.
    header = start.partition(b"\n")[0]
    if b"\0" in start or start.startswith(b"%PDF") or re.search(rb"[\x01-\x08\x0e-\x1f]", header):
        raise OutputError(f"cannot write {path}: it is a file of another kind than a table, name another", path=path)


def _open_in_place(path: Path) -> TextIO | None:
    """Open a stream or a device, which is written to as it is; None: ``path`` is to become a file.

    A stream that the caller opened is continued where it stands: behind /dev/stdout may be a log that others write to.

    Raises
    ------
    OSError
    """
    name = os.path.normpath(path.absolute())
    for _ in range(40):  # as many links as Linux follows
        found = _DESCRIPTOR.fullmatch(name)
        if found or not Path(name).is_symlink():
            break
        name = os.path.normpath(Path(name).parent / Path(name).readlink())
    if found and not _of_another(name):
        descriptor = os.dup(_STANDARD[found[1]] if found[1] else int(found[2]))
    elif name.startswith(("/dev/", "/proc/")) and _is_stream(name, within_proc=name.startswith("/proc/")):
        descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY)
    else:
        return None
    try:
        return os.fdopen(descriptor, "w", buffering=1, encoding="utf-8", errors="surrogateescape", newline="")
    except OSError:
        os.close(descriptor)
        raise


def _of_another(name: str) -> bool:
    """Tell whether a name in /proc is of another process than this one."""
    process = name.split("/")[2]
    return process.isdecimal() and int(process) != os.getpid()


def _is_stream(name: str, *, within_proc: bool) -> bool:
    """Tell whether there is a terminal, a pipe or the like; files proper in /dev/shm are replaced like any other."""
    try:
        mode = Path(name).stat().st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or (within_proc and stat.S_ISREG(mode))


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

    What has a name in /dev or /proc, such as /dev/stdout, is written to as it is instead. A file proper is opened
    beside its place at once, so that a name that cannot be written is refused before the work.

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
        try:
            with ExitStack() as stack:
                stream = _open_in_place(path)
                if stream is None:
                    beside = stack.enter_context(replaced_file(check_file(path, inputs=inputs)))
                    stream = beside.open("w", encoding="utf-8", errors="surrogateescape", newline="")
                self._writer = csv.DictWriter(stack.enter_context(stream), columns, lineterminator="\n")
                self._writer.writeheader()
                stream.flush()  # a stream that is open for reading alone says so now
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
