"""Handing out tasks to workers that are made up: they are lost when the test says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from anomaly.cluster.hand_out import ATTEMPTS, WorkerLost, hand_out, in_order
from anomaly.errors import ImageError, RuntimeUnavailableError


class _Workers:
    """``loses(name, attempt)`` decides whether a worker dies over a task; the last one given is the first done."""

    def __init__(self, loses: Callable[[str, int], bool] = lambda name, attempt: False) -> None:
        self.loses, self.attempts, self.made, self.most = loses, Counter[str](), 0, 0
        self.running: list[tuple[int, str]] = []

    def start(self) -> int:
        self.made += 1
        return self.made

    def give(self, worker: int, name: str) -> None:
        self.running.append((worker, name))
        self.most = max(self.most, len(self.running))

    def next_answer(self) -> tuple[int, object]:
        worker, name = self.running.pop()
        self.attempts[name] += 1
        return worker, WorkerLost("the cause is a test") if self.loses(
            name, self.attempts[name]
        ) else f"verdict on {name}"


PATHS = [f"{i}.png" for i in range(20)]


def _run(workers: _Workers, count: int = 3) -> list[tuple[str, object]]:
    return list(hand_out(workers, PATHS, count=count))


def test_every_image_is_judged_once() -> None:
    workers = _Workers()
    assert sorted(_run(workers)) == sorted((path, f"verdict on {path}") for path in PATHS)
    assert (workers.made, workers.most) == (3, 3)


def test_lost_workers_cost_no_row_and_double_none() -> None:
    workers = _Workers(lambda path, attempt: attempt == 1 and path in PATHS[3:9])
    assert sorted(_run(workers)) == sorted((path, f"verdict on {path}") for path in PATHS)
    assert workers.made == 3 + 6
    assert workers.attempts[PATHS[4]] == 2


def test_an_image_that_kills_every_worker_is_given_up_and_the_others_go_on() -> None:
    found = dict(_run(_Workers(lambda path, attempt: path == PATHS[5])))
    assert isinstance(found[PATHS[5]], ImageError)
    assert f"{ATTEMPTS} lost workers" in str(found[PATHS[5]])
    assert sum(isinstance(each, ImageError) for each in found.values()) == 1


def test_workers_that_never_answer_end_the_run() -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"every worker was lost .* the cause is a test;") as useless:
        _run(_Workers(lambda path, attempt: True))
    assert "\n" not in str(useless.value)


def test_answers_in_any_order_are_put_in_order() -> None:
    assert list(in_order(iter([("c", 3), ("a", 1), ("b", 2), ("d", 4)]), "abcd")) == [1, 2, 3, 4]
