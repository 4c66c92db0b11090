"""Threads that an interrupt cannot make wait for ever.

Ctrl-C raises ``KeyboardInterrupt`` between any two steps of the main thread, also inside a ``with lock:`` whose lock is
written in Python (``threading.Condition``, and so ``Future.result``): the lock is then never released, or released
twice, and the thread that wants to deliver its result waits for it for ever, and the executor for the thread
(https://github.com/python/cpython/issues/74174). So here threads and caller share nothing but ``queue.SimpleQueue``,
which is one step in C, and flags that one side writes and the other reads.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

Task = TypeVar("Task")
Found = TypeVar("Found")

_PATIENCE = 60.0
"""Seconds that a task which was begun is waited for in the end; a thread that takes longer is left behind."""
_LOOK = 0.002
"""Seconds between two looks at threads that are ending."""


@dataclass(frozen=True)
class _Raised:
    error: BaseException


class Crew(Generic[Task, Found]):
    """A few threads that do tasks and hand over what they found in the order of the tasks.

    Parameters
    ----------
    work : callable
        Does one task.
    workers : int
    ahead : int
        Tasks in hand for each worker.
    prepare : callable
        Called once in every thread before its first task.
    """

    def __init__(
        self, work: Callable[[Task], Found], *, workers: int, ahead: int, prepare: Callable[[], None] = lambda: None
    ) -> None:
        self._work, self._prepare = work, prepare
        self._most = ahead * workers
        self._tasks: SimpleQueue[tuple[int, Task] | None] = SimpleQueue()
        self._found: SimpleQueue[tuple[int, Found | _Raised]] = SimpleQueue()
        self._stopped = False
        self._at_work = [False] * workers
        self._threads: list[threading.Thread] = []

    def run(self, tasks: Iterable[Task]) -> Generator[Found, None, None]:
        """Do the tasks; close the iterator, or use it up: what was begun is finished then, and nothing else is begun.

        Yields
        ------
        Found
            One for each task, in their order; what ``work`` raised is raised in its place.
        """
        # An interrupt may come when the closing has not begun, or a second one while it waits: then the process ends
        # with threads at work, which must not be torn away inside a library.
        atexit.register(self._close)
        try:
            self._start()
            yield from self._in_order(tasks)
        finally:
            self._close()
            atexit.unregister(self._close)

    def _start(self) -> None:
        for place in range(len(self._at_work)):
            # Daemons: the interpreter, too, would wait for the others for ever. What is interrupted while it starts is
            # not in the list and begins no task.
            thread = threading.Thread(target=self._serve, args=(place,), name=f"judging-{place}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _in_order(self, tasks: Iterable[Task]) -> Generator[Found, None, None]:
        arrived: dict[int, Found | _Raised] = {}
        given = taken = 0
        for task in tasks:
            self._tasks.put((given, task))
            given += 1
            if given - taken == self._most:
                yield self._take(taken, arrived)
                taken += 1
        for number in range(taken, given):
            yield self._take(number, arrived)

    def _take(self, number: int, arrived: dict[int, Found | _Raised]) -> Found:
        while number not in arrived:
            other, outcome = self._found.get()
            arrived[other] = outcome
        found = arrived.pop(number)
        if isinstance(found, _Raised):
            raise found.error
        return found

    def _serve(self, place: int) -> None:
        prepared = False
        while (task := self._tasks.get()) is not None:
            number, what = task
            # Written before the other flag is read: the caller writes that one first and reads this one then.
            self._at_work[place] = True
            try:
                if self._stopped:
                    return
                if not prepared:
                    self._prepare()
                    prepared = True
                self._found.put((number, self._work(what)))
            except BaseException as error:
                self._found.put((number, _Raised(error)))
            finally:
                self._at_work[place] = False

    def _close(self) -> None:
        self._stopped = True
        for _ in self._at_work:
            self._tasks.put(None)
        end = time.monotonic() + _PATIENCE
        while self._busy() and time.monotonic() < end:
            time.sleep(_LOOK)

    def _busy(self) -> bool:
        return any(self._at_work) or any(thread.is_alive() for thread in self._threads)
