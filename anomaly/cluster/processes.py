"""Workers on this machine: a process for each core, which shares nothing with the others.

Threads were slower than one image after the other, since the many short steps in NumPy wait for the interpreter's lock
(docs/decisions/0023-several-images-at-a-time.md).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType

from anomaly.cluster.hand_out import WorkerLost, hand_out, in_order
from anomaly.cluster.judge import Judge, Judgement, Order

_IMAGES_EACH = 16
"""Images that pay for starting a process: about half a second."""
_MOST = 8
"""Processes, each of which takes some 200 MiB."""
_PATIENCE = 5.0
"""Seconds to wait for a process that was told to end."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def worthwhile(images: int) -> int:
    """How many processes should share so many images; 1: none but this one."""
    return max(1, min(cores(), images // _IMAGES_EACH, _MOST))


def judge_in_processes(order: Order, paths: Sequence[str], *, workers: int) -> Generator[Judgement, None, None]:
    """Judge images, several at a time, and hand over each verdict in the order of the images.

    Close the iterator, or use it up: no process is left then.

    Parameters
    ----------
    order : Order
    paths : sequence of str
        All different.
    workers : int

    Yields
    ------
    Judgement
        One for each path, without its map: the verdict, or what is wrong with the file.

    Raises
    ------
    RuntimeUnavailableError
        Every process was lost before its first answer.
    TrainedModelError
        The trained model cannot be used: what a process raises, this or a fault of the program, is raised here.
    """
    with Processes(order) as processes:
        yield from in_order(hand_out(processes, paths, count=workers), paths)


@dataclass(frozen=True, eq=False)
class _Worker:
    process: BaseProcess
    connection: Connection


@dataclass(frozen=True)
class _Raised:
    """In the place of an answer: a fault of the program."""

    error: Exception


class Processes:
    """See :class:`anomaly.cluster.hand_out.Workers`: fresh processes, gone when the ``with`` block ends."""

    def __init__(self, order: Order) -> None:
        self._order = order
        # Not forked: this process has threads by now.
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._running: list[_Worker] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.process.terminate()  # they write nothing
        for worker in self._workers:
            worker.connection.close()
            worker.process.join(_PATIENCE)

    def start(self) -> _Worker:
        """Start a process."""
        # What starts it may let SIGINT through again where it has to be started first, as CPython 3.11 does.
        resource_tracker.ensure_running()
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._order), name="judging", daemon=True)
        # Ctrl-C goes to all processes of a terminal, and is answered by this one: a new one inherits what is blocked.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
            self._workers.append(_Worker(process, ours))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()  # so that ours ends when the process does
        return self._workers[-1]

    def give(self, worker: _Worker, name: str) -> None:
        """Give it an image; that it is gone shows in its answer."""
        self._running.append(worker)
        with suppress(OSError):
            worker.connection.send(name)

    def next_answer(self) -> tuple[_Worker, object]:
        """Return the next answer."""
        ready = wait([worker.connection for worker in self._running])
        worker = next(worker for worker in self._running if worker.connection in ready)
        self._running.remove(worker)
        try:
            found = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(_PATIENCE)
            return worker, WorkerLost(f"exit status {worker.process.exitcode}")
        if isinstance(found, _Raised):
            raise found.error
        return worker, found


def _serve(connection: Connection, order: Order) -> None:
    """Judge what comes until nothing comes any more: the whole life of a process."""
    # Whoever started it answers Ctrl-C; a traceback from here would only be in the way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        judge = Judge(order)
        while True:
            connection.send(judge.work(connection.recv()))
    except (EOFError, BrokenPipeError):  # the caller is gone
        return
    except Exception as error:
        with suppress(OSError):
            connection.send(_Raised(error))
