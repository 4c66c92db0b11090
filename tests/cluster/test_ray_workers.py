"""Ray actors as workers, against a cluster that is made up."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from anomaly.cluster.hand_out import WorkerLost
from anomaly.cluster.judge import Order
from anomaly.cluster.ray_workers import RayWorkers, judge_on_cluster
from anomaly.errors import RuntimeUnavailableError


class _RayError(Exception):
    pass


class _RayTaskError(_RayError):
    pass


class _Cluster:
    """What ``RayWorkers`` uses of ray; ``outcome`` is what becomes of a task."""

    exceptions = SimpleNamespace(RayError=_RayError, RayTaskError=_RayTaskError)

    def __init__(self, outcome: object) -> None:
        self.outcome = outcome

    def remote(self, kind: Any) -> Any:
        def make(order: Any) -> Any:
            return SimpleNamespace(order=order, work=SimpleNamespace(remote=lambda name: (name, object())))

        return SimpleNamespace(options=lambda num_cpus: SimpleNamespace(remote=make))

    def wait(self, refs: list[Any], *, num_returns: int) -> tuple[list[Any], list[Any]]:
        return [refs[-1]], refs[:-1]

    def get(self, ref: Any) -> object:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return f"{self.outcome} {ref[0]}"


def _ask(outcome: object) -> tuple[object, object]:
    workers = RayWorkers(_Cluster(outcome), object, "order")
    one, other = workers.start(), workers.start()
    assert one.order == "order"
    workers.give(one, "a")
    workers.give(other, "b")
    worker, found = workers.next_answer()
    assert worker is other
    return found, workers.next_answer()[1]


def test_answers_come_with_their_workers() -> None:
    assert _ask("verdict on") == ("verdict on b", "verdict on a")


def test_a_lost_worker_is_told_in_one_line() -> None:
    assert _ask(_RayError("The actor died.\nThe cause is a test.\n"))[0] == WorkerLost("The cause is a test.")


def test_a_fault_of_the_program_is_raised() -> None:
    with pytest.raises(_RayTaskError, match="a bug"):
        _ask(_RayTaskError("a bug"))


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RuntimeUnavailableError, match=r"pip install 'goodparts\[cluster\]'"):
        next(judge_on_cluster("local", Order("trained", "."), ["a.png"]))
