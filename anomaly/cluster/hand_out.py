"""Tasks to workers and answers back, whatever happens to a worker.

What was given to a worker that was lost is given to another; an answer is handed over once, when it arrives
(docs/decisions/0023-several-images-at-a-time.md).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from anomaly.errors import ImageError, RuntimeUnavailableError

ATTEMPTS = 4
"""Workers that may be lost over one task before it is given up."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class WorkerLost:
    """In the place of an answer: the worker is gone, and why, in one line."""

    reason: str


class Workers(Protocol):
    """Whoever starts workers and talks to them. A worker is anything that can be a key."""

    def start(self) -> Any:
        """Start a worker and return it; it need not be ready."""
        ...

    def give(self, worker: Any, name: str) -> None:
        """Give a worker that has none a task."""
        ...

    def next_answer(self) -> tuple[Any, Any]:
        """Wait for a worker that has a task, and return it with its answer, or with ``WorkerLost``.

        What a worker raised, a fault of the program and not of a machine, is raised.
        """
        ...


def hand_out(workers: Workers, names: Sequence[str], *, count: int) -> Generator[tuple[str, Any], None, None]:
    """Give each idle worker a task; replace the workers that are lost.

    Parameters
    ----------
    workers : Workers
    names : sequence of str
        Of the tasks, all different: paths of images.
    count : int
        Workers at a time.

    Yields
    ------
    tuple of (str, object)
        A name and the answer, or an ``ImageError`` where several workers were lost over it; each name once, in the
        order in which they are done.

    Raises
    ------
    RuntimeUnavailableError
        Every worker was lost before its first answer.
    """
    todo, lost = deque(names), Counter[str]()
    idle, running = [workers.start() for _ in range(count)], dict[Any, str]()
    answered = False
    while todo or running:
        while todo and idle:
            worker, name = idle.pop(), todo.popleft()
            workers.give(worker, name)
            running[worker] = name
        worker, found = workers.next_answer()
        name = running.pop(worker)
        if isinstance(found, WorkerLost):
            lost[name] += 1
            if not answered and lost.total() >= max(ATTEMPTS, count):
                raise RuntimeUnavailableError(
                    f"every worker was lost before its first answer, the last with: {found.reason}; trained model and "
                    "images must be readable under the same names on every machine, and goodparts installed"
                )
            idle.append(workers.start())
            if lost[name] < ATTEMPTS:
                todo.appendleft(name)
                continue
            found = ImageError(f"expected an answer, got {ATTEMPTS} lost workers; try it alone", path=name)
        else:
            answered = True
            idle.append(worker)
        yield name, found


def in_order(answers: Iterator[tuple[str, Answer]], names: Sequence[str]) -> Iterator[Answer]:
    """Return what comes in any order in the order of the names; what comes too soon waits."""
    waiting: dict[str, Answer] = {}
    for wanted in names:
        while wanted not in waiting:
            name, found = next(answers)
            waiting[name] = found
        yield waiting.pop(wanted)
