"""Files that appear whole or not at all, whenever the process is killed."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from anomaly.errors import OutputError


@contextmanager
def replaced_file(target: Path) -> Iterator[Path]:
    """Give a new empty file beside ``target`` to fill; on success it takes its place, otherwise it is removed.

    It is on the disk before it takes its name, and as open to others as the umask says. Its own name has nothing of
    the target's, which may be as long as the file system allows.

    Raises
    ------
    OSError
        Something cannot be written: the caller knows what to advise, see :func:`cannot_write`.
    """
    beside = target.parent / f".{os.urandom(8).hex()}.tmp"
    remove = partial(_remove, beside)
    # A second interrupt may come while the first is being answered: then the end of the process removes it.
    atexit.register(remove)
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            yield beside
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(target)
    finally:
        remove()
        atexit.unregister(remove)


def replace_file(target: Path, content: bytes) -> None:
    """Write a file beside its place and rename it there.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    try:
        with replaced_file(target) as beside:
            beside.write_bytes(content)
    except OSError as error:
        raise cannot_write(target, error) from error


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Map an OSError on writing to the error that a user sees."""
    return OutputError(
        f"cannot write {path} ({error.strerror or error}): free some space or choose a place that can be written",
        path=path,
    )


def _remove(path: Path) -> None:
    with suppress(OSError, ValueError):  # ValueError: not even a name that the system accepts
        path.unlink()
