"""One call at a time on the folder of an experiment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anomaly.errors import ExperimentError

LOCK = "running.lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder until the end; where the system or its file system knows no locks, do not.

    The kernel gives the lock back when the process ends, however it ends. The empty file stays: a call that removed it
    would take it from the next, which has it open already.

    Raises
    ------
    ExperimentError
        Another call holds the folder.
    OSError
        The file cannot be made.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / LOCK).open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExperimentError(
                f"the experiment in {folder} is being run by another call: wait for it, or name another --work DIR",
                path=folder,
            ) from None
        except OSError:
            pass
        yield
