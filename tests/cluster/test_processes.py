"""Processes on this machine: the same verdicts in the same order, whatever happens to a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomaly.cluster import Order, judge_in_processes, processes, worthwhile
from anomaly.cluster.hand_out import WorkerLost
from anomaly.cluster.processes import Processes
from anomaly.detector import load_detector
from anomaly.errors import ImageError, TrainedModelError
from tests.parts import write_part


@pytest.fixture
def order(trained_model: Path) -> Order:
    return Order(str(trained_model), ".", device="cpu")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("many")
    return [str(write_part(folder / f"{i:02d}.png", i, damaged=i % 3 == 0, side=80 + 8 * (i % 4))) for i in range(10)]


def test_the_same_as_one_at_a_time_in_the_same_order(
    order: Order, photographs: list[str], trained_model: Path, tmp_path: Path
) -> None:
    paths = [*photographs[:4], str(tmp_path / "missing.png"), *photographs[4:]]
    found = list(judge_in_processes(order, paths, workers=2))
    assert isinstance(found[4], ImageError)
    assert "missing.png" in str(found[4])
    detector = load_detector(trained_model, device="cpu")
    for path, verdict in zip(photographs, found[:4] + found[5:], strict=True):
        assert not isinstance(verdict, ImageError)
        expected = detector.predict(path)
        assert verdict.anomaly_map.size == 0
        assert str(replace(verdict, capture=None)) == str(
            replace(expected, anomaly_map=verdict.anomaly_map, capture=None)
        )
        assert verdict.capture is not None
        assert expected.capture is not None
        for one, other in zip(verdict.capture.embedding, expected.capture.embedding, strict=True):
            assert np.array_equal(one, other)
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_leaving_early_leaves_no_process(order: Order, photographs: list[str]) -> None:
    with closing(judge_in_processes(order, photographs, workers=2)) as found:
        next(found)
        assert len(multiprocessing.active_children()) == 2
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_killed_process_is_told_and_another_takes_its_place(order: Order, photographs: list[str]) -> None:
    with Processes(order) as team:
        first, second = team.start(), team.start()
        assert first.process.pid is not None
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.join()
        team.give(first, photographs[0])
        assert team.next_answer() == (first, WorkerLost("exit status -9"))
        team.give(second, photographs[0])
        worker, verdict = team.next_answer()
        assert worker is second
        assert getattr(verdict, "path", None) == photographs[0]


def test_an_interrupt_is_answered_by_the_caller_alone(order: Order, photographs: list[str]) -> None:
    with Processes(order) as team:
        worker = team.start()
        assert worker.process.pid is not None
        os.kill(worker.process.pid, signal.SIGINT)
        team.give(worker, photographs[0])
        assert not isinstance(team.next_answer()[1], WorkerLost)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_model_that_is_gone_is_told(photographs: list[str], tmp_path: Path) -> None:
    with pytest.raises(TrainedModelError, match="gone"):
        list(judge_in_processes(Order(str(tmp_path / "gone"), "."), photographs, workers=2))


def test_a_model_that_is_another_by_now_is_told(order: Order, photographs: list[str]) -> None:
    with pytest.raises(TrainedModelError, match="has changed since this call began"):
        list(judge_in_processes(replace(order, manifest_sha256="0" * 64), photographs, workers=2))


def test_processes_must_be_worth_their_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for images, count, expected in ((31, 2, 1), (32, 2, 2), (1000, 2, 2), (1000, 64, 8), (99, 1, 1)):
        monkeypatch.setattr(processes, "cores", lambda count=count: count)
        assert worthwhile(images) == expected


def test_a_process_does_not_hear_ctrl_c_even_if_what_starts_it_had_to_be_started_first(order: Order) -> None:
    from multiprocessing import resource_tracker

    # CPython 3.11 lets SIGINT through again when it starts this one, which it does once: as in a fresh program.
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
    with Processes(order) as team:
        worker = team.start()
        status = Path(f"/proc/{worker.process.pid}/status").read_text()
        blocked = next(line for line in status.splitlines() if line.startswith("SigBlk"))
        assert int(blocked.split()[1], 16) >> (signal.SIGINT - 1) & 1
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_prints_nothing_of_a_process_and_a_kill_leaves_none(
    trained_model: Path, photographs: list[str], tmp_path: Path, stop: signal.Signals
) -> None:
    script = tmp_path / "many.py"
    script.write_text(_MANY)
    call = [sys.executable, str(script), str(trained_model), *photographs]
    program = subprocess.Popen(
        call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert program.stdout is not None
    children = [int(pid) for pid in program.stdout.readline().split()]
    assert len(children) == 2
    if stop == signal.SIGINT:
        for child in children:
            os.kill(child, stop)
        time.sleep(1.0)  # so that what they would say is not cut short by their end
        os.killpg(program.pid, stop)  # a terminal sends it to every process of the call
    else:
        program.kill()
    _, err = program.communicate(timeout=60)
    assert program.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL), err
    assert err == ""
    end = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < end
        time.sleep(0.05)


ROOT = Path(__file__).parents[2]
_MANY = """
import multiprocessing, sys
from anomaly.cluster import Order, judge_in_processes

if __name__ == "__main__":
    paths = sys.argv[2:]
    try:
        for number, _ in enumerate(judge_in_processes(Order(sys.argv[1], ".", device="cpu"), paths, workers=2)):
            if number == 0:
                print(*(child.pid for child in multiprocessing.active_children()), flush=True)
                while True:
                    pass
    except KeyboardInterrupt:
        sys.exit(130)
"""
