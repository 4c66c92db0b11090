"""Folders that appear whole or not at all, whenever the process is killed.

A folder is written beside its place and then exchanged with what stands there in one step of the file system
(``renameat2`` with ``RENAME_EXCHANGE``, Linux, https://man7.org/linux/man-pages/man2/rename.2.html). Where that is
not to be had, the old one is moved aside first and :func:`recover` puts it back if the second step never came.
"""

from __future__ import annotations

import ctypes
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from anomaly.errors import OutputError
from anomaly.files import cannot_write

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """Give a new empty folder to fill; on success it takes the place of ``target``, otherwise it is removed.

    Of processes that replace folders in the same place, one after the other has its turn.

    Raises
    ------
    OutputError
        Something cannot be written, for example because the disk is full.
    """
    target = Path(os.path.realpath(target))  # which a loop of links does not stop, as it does Path.resolve
    with ExitStack() as stack:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_turn(target.parent))
            _sweep(target)
            staging = target.parent / f"{_prefix(target, 'new')}-{os.getpid()}-{os.urandom(8).hex()}"
            staging.mkdir()  # as open to others as the umask says
        except OSError as error:
            raise cannot_write(target, error) from error
        try:
            yield staging
            for path in sorted(staging.rglob("*")):
                if not path.is_symlink():
                    _sync(path)
            _swap(staging, target)
        except OSError as error:
            raise cannot_write(target, error) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def check_parent(target: Path) -> None:
    """Try whether something new can be put beside ``target``.

    Raises
    ------
    OutputError
        It cannot, or the target is a mount point, which nothing can take the place of.
    """
    target = Path(os.path.realpath(target))
    if target.is_mount():
        raise OutputError(f"{target} is a mount point, which cannot be replaced: name a folder in it", path=target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryDirectory(prefix=f"{_prefix(target, 'new')}-{os.getpid()}-", dir=target.parent).cleanup()
    except OSError as error:
        raise cannot_write(target, error) from error


def recover(target: Path) -> None:
    """Put the previous folder back where a killed process had moved it aside and not come to the second step.

    A process that lives comes to it in a moment, and is waited for.
    """
    target = Path(os.path.realpath(target))
    if _moved_aside(target):
        with _turn(target.parent):
            _put_back(target)


@contextmanager
def _turn(parent: Path) -> Iterator[None]:
    """Wait until no other process replaces a folder in ``parent``; where its file system knows no locks, do not."""
    descriptor = os.open(parent, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _swap(staging: Path, target: Path) -> None:
    if not target.exists():
        staging.rename(target)
    elif not _exchange(staging, target):
        aside = target.with_name(_prefix(target, "old"))
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
        staging.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
    _sync(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    result: int = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return result == 0


def _moved_aside(target: Path) -> bool:
    return not target.exists() and target.with_name(_prefix(target, "old")).is_dir()


def _put_back(target: Path) -> None:
    if _moved_aside(target):
        target.with_name(_prefix(target, "old")).rename(target)


def _sweep(target: Path) -> None:
    """Remove what killed processes left beside the target; never the folder that :func:`recover` needs."""
    _put_back(target)
    for left in target.parent.glob(glob.escape(_prefix(target, "new")) + "-*"):
        if not _alive(left.name.removeprefix(_prefix(target, "new")).split("-")[1]):
            shutil.rmtree(left, ignore_errors=True)
    shutil.rmtree(target.with_name(_prefix(target, "old")), ignore_errors=True)


def _alive(process: str) -> bool:
    """Whether the process that made a staging folder still runs."""
    return process.isdigit() and Path(f"/proc/{process}").exists()


def _prefix(target: Path, kind: str) -> str:
    return f".{target.name}.{kind}"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
