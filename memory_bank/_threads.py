"""How many threads a search uses, and how they share its work.

The work is many products of matrices, each too small to be worth dividing: so each thread does all of them for its
share of the queries, and the BLAS of NumPy is kept on one thread meanwhile. That takes threadpoolctl; where it is not
installed, the calling thread does everything and the BLAS divides each product as it likes. Answers are the same either
way.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_own = threading.local()
_blas_lock = threading.Lock()
_blas: list[Any] = []
_blas_users = 0
_blas_limit: Any = None


def set_threads(count: int) -> None:
    """Let what the calling thread starts use so many threads."""
    _own.count = count


def threads() -> int:
    """Threads that the calling thread may use: as many as this process has cores, unless it said otherwise."""
    count: int = getattr(_own, "count", 0) or len(os.sched_getaffinity(0))
    return count


@contextmanager
def one_blas_thread() -> Iterator[bool]:
    """Keep the BLAS of NumPy on one thread, whoever else does so at the same time; False where that cannot be.

    On a busy machine the threads of OpenBLAS wait for each other up to 15 ms at each product, many times what it takes.
    """
    global _blas_users, _blas_limit
    controllers = _controllers()
    if not controllers:
        yield False
        return
    with _blas_lock:
        _blas_users += 1
        if _blas_users == 1:
            _blas_limit = controllers[0].limit(limits=1)
    try:
        yield True
    finally:
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0:
                _blas_limit.restore_original_limits()
                _blas_limit = None


def each(work: Callable[[Any], None], tasks: Iterable[Any], *, most: int) -> None:
    """Do ``work`` with each of the tasks, in no order, on at most ``most`` threads, this one among them.

    An error of any of them is raised here, when all have stopped.
    """
    waiting = iter(list(tasks))
    errors: list[BaseException] = []

    def take() -> None:
        try:
            for task in waiting:  # the iterator of a list hands out each task once, whoever asks
                if errors:
                    return
                work(task)
        except BaseException as error:  # raised below
            errors.append(error)

    others = [threading.Thread(target=take, name="searching", daemon=True) for _ in range(most - 1)]
    for other in others:
        other.start()
    take()
    for other in others:
        other.join()
    if errors:
        raise errors[0]


def _controllers() -> list[Any]:
    """Return the BLAS that NumPy came with, as threadpoolctl controls it; found once."""
    with _blas_lock:
        if not _blas:
            try:
                from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]
            except ImportError:
                _blas.append(None)
            else:
                # A BLAS on OpenMP, such as that of FAISS, obeys the number of OpenMP threads of the thread that calls.
                found = ThreadpoolController().select(user_api="blas")
                others = [one for one in found.lib_controllers if getattr(one, "threading_layer", "") != "openmp"]
                paths = [one.filepath for one in others]
                _blas.append(found.select(filepath=paths) if paths else None)
        return [one for one in _blas if one is not None]
