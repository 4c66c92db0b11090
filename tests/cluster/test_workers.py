"""Handing out images, against a cluster that is made up: workers are lost when the test says so."""

from __future__ import annotations

import sys
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from anomaly.cluster import workers
from anomaly.cluster.workers import ATTEMPTS, Order, judge_on_cluster
from anomaly.errors import ImageError, RuntimeUnavailableError


class _RayError(Exception):
    pass


class _RayTaskError(_RayError):
    pass


class _Cluster:
    """What ``hand_out`` uses of ray; ``loses(path, attempt)`` decides whether a worker dies over an image."""

    exceptions = SimpleNamespace(RayError=_RayError, RayTaskError=_RayTaskError)

    def __init__(self, loses: Any = lambda path, attempt: False) -> None:
        self.loses, self.attempts, self.made, self.most = loses, Counter[str](), 0, 0

    def make(self) -> Any:
        self.made += 1
        return SimpleNamespace(work=SimpleNamespace(remote=lambda path: (self.made, path, object())))

    def wait(self, refs: list[Any], *, num_returns: int) -> tuple[list[Any], list[Any]]:
        self.most = max(self.most, len(refs))
        return [refs[-1]], refs[:-1]  # the last given is the first done: results come in any order

    def get(self, ref: Any) -> str:
        path: str = ref[1]
        self.attempts[path] += 1
        if self.loses(path, self.attempts[path]):
            raise _RayError("The actor died.\nThe cause is a test.")
        return f"verdict on {path}"


PATHS = [f"{i}.png" for i in range(20)]


def _run(cluster: _Cluster, count: int = 3) -> list[Any]:
    return list(workers.hand_out(cluster, cluster.make, PATHS, workers=count))


def test_every_image_is_judged_once() -> None:
    cluster = _Cluster()
    assert sorted(_run(cluster)) == sorted((path, f"verdict on {path}") for path in PATHS)
    assert (cluster.made, cluster.most) == (3, 3)


def test_lost_workers_cost_no_row_and_double_none() -> None:
    cluster = _Cluster(lambda path, attempt: attempt == 1 and path in PATHS[3:9])
    assert sorted(_run(cluster)) == sorted((path, f"verdict on {path}") for path in PATHS)
    assert cluster.made == 3 + 6
    assert cluster.attempts[PATHS[4]] == 2


def test_an_image_that_kills_every_worker_is_given_up_and_the_others_go_on() -> None:
    found = dict(_run(_Cluster(lambda path, attempt: path == PATHS[5])))
    assert isinstance(found[PATHS[5]], ImageError)
    assert f"{ATTEMPTS} lost workers" in str(found[PATHS[5]])
    assert sum(isinstance(each, ImageError) for each in found.values()) == 1


def test_workers_that_never_answer_end_the_run() -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"every worker was lost .* The cause is a test\.") as useless:
        _run(_Cluster(lambda path, attempt: True))
    assert "\n" not in str(useless.value)


def test_a_fault_of_the_program_is_told() -> None:
    cluster = _Cluster()
    cluster.get = lambda ref: (_ for _ in ()).throw(_RayTaskError("a bug"))  # type: ignore[method-assign]
    with pytest.raises(_RayTaskError, match="a bug"):
        _run(cluster)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RuntimeUnavailableError, match=r"pip install 'goodparts\[cluster\]'"):
        next(judge_on_cluster("local", Order("trained", "."), PATHS))
