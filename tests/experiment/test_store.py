"""Trials on disk: one call at a time, each trial once, and a journal that somebody changed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomaly.errors import ExperimentError
from anomaly.experiment.lock import LOCK
from anomaly.experiment.space import Settings
from anomaly.experiment.store import JOURNAL, StoredTrial, TrialStore

TRIALS: list[Settings] = [{"bank.turns": turns, "bank.neighbours": k} for turns in (1, 4) for k in (1, 2, 3)]


def opened(folder: Path) -> TrialStore:
    return TrialStore(folder, TRIALS, shape=(2, 3))


def trial(number: int, *, loss: float | None = None) -> StoredTrial:
    return StoredTrial(number, np.full((2, 3), float(number)), float(number % 3) if loss is None else loss, 1.0)


def filled(folder: Path) -> Path:
    with opened(folder) as store:
        for number in range(len(TRIALS)):
            store.add(trial(number))
    return folder / JOURNAL


def test_what_is_added_is_found_again(tmp_path: Path) -> None:
    filled(tmp_path)
    with opened(tmp_path) as store:
        found = store.finished()
    assert sorted(found) == list(range(len(TRIALS)))
    assert (found[4].scores == 4).all()
    assert (found[4].loss, found[4].seconds) == (1.0, 1.0)


def test_one_call_at_a_time_has_the_folder(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        (tmp_path / f"{JOURNAL}.lock").touch()  # the first is just writing
        with pytest.raises(ExperimentError, match="is being run by another call: wait for it, or name another --work"):
            opened(tmp_path)
        (tmp_path / f"{JOURNAL}.lock").unlink()  # which would be missing if the second had taken it away
        store.add(trial(0))
    with opened(tmp_path) as store:
        assert list(store.finished()) == [0]


def test_a_call_that_fails_to_open_the_journal_gives_the_folder_back(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text("null\n")
    for _ in range(2):
        with pytest.raises(ExperimentError, match="move the folder away"):
            opened(tmp_path)


def test_a_killed_call_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from anomaly.experiment.lock import held
with held(Path({str(tmp_path)!r})):
    print("held", flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        try:
            assert other.stdout.readline() == "held\n"
            with pytest.raises(ExperimentError, match="another call"):
                opened(tmp_path)
        finally:
            other.send_signal(signal.SIGKILL)
            other.wait()
    assert (tmp_path / LOCK).is_file()
    with opened(tmp_path) as store:
        store.add(trial(0))


def test_a_file_system_without_locks_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr("fcntl.flock", none)
    filled(tmp_path)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with opened(tmp_path) as store:
        assert len(store.finished()) == len(TRIALS)


def test_importance_takes_each_trial_once(tmp_path: Path) -> None:
    filled(tmp_path)
    with opened(tmp_path) as store:
        once = store.importance()
        for number in range(3):
            store.add(trial(number, loss=7.0 * number))
        assert store.importance() == once
    assert list(once) == ["bank.neighbours", "bank.turns"]
    assert sum(once.values()) == pytest.approx(1)


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[str], str]:
    def of_line(line: str) -> str:
        record = json.loads(line)
        change(record)
        return json.dumps(record)

    return of_line


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "null",
        lambda _: "[" * 200_000,
        changed(lambda record: record.update(op_code=99)),
        changed(lambda record: record.update(study_id=[])),
        changed(lambda record: record.update(value="x")),
        changed(lambda record: record.update(value=None)),
        changed(lambda record: record["user_attrs"].pop("number")),
        changed(lambda record: record["user_attrs"].update(number=99)),
        changed(lambda record: record["user_attrs"].update(number="0")),
        changed(lambda record: record["user_attrs"].update(seconds=None)),
        changed(lambda record: record["user_attrs"]["scores"].pop()),
        changed(lambda record: record["user_attrs"]["scores"][0].pop()),
        changed(lambda record: [row.pop() for row in record["user_attrs"]["scores"]]),
        changed(lambda record: record["user_attrs"]["scores"][0].__setitem__(0, "x")),
        changed(lambda record: record["user_attrs"]["scores"][0].__setitem__(0, None)),
        changed(lambda record: record.update(user_attrs=None)),
    ],
)
def test_a_journal_of_other_types_is_an_error_that_names_the_file(tmp_path: Path, damage: Callable[[str], str]) -> None:
    path = filled(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], damage(lines[-1]), *lines[-1:]]) + "\n")
    with (
        pytest.raises(ExperimentError, match=r"cannot be used .*: move the folder away") as caught,
        opened(tmp_path) as it,
    ):
        it.finished()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
