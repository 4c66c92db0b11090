"""``--predict --ray`` with two local workers: the same rows, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from anomaly.cli import main
from tests.parts import write_part
from tests.ray_workers import marked_workers, needs_ray

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("for the cluster")
    for i in range(40):
        write_part(folder / f"{i:02d}.png", 3000 + i, damaged=i % 5 == 0)
    (folder / "07.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def alone(trained_model: Path, photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of a run without Ray."""
    table = tmp_path_factory.mktemp("alone") / "out.csv"
    assert main(["--predict", str(photographs), "--model", str(trained_model), "--csv", str(table)]) == 1
    return table.read_bytes()


class _Run:
    """A run in a process of its own, with two local workers, whose processes carry a mark."""

    def __init__(self, trained_model: Path, photographs: Path, table: Path) -> None:
        self._mark = f"GOODPARTS_TEST={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        words = ["--predict", str(photographs), "--model", str(trained_model), "--csv", str(table)]
        self.rows = table.with_name(table.name + ".rows")
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "model.py"), *words, "--ray", "local", "--json", "--device", "cpu"],
            cwd=ROOT, env={**os.environ, name: value, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_for_rows(self, least: int) -> None:
        """Wait until so many rows are kept."""
        end = time.monotonic() + 200
        while not self.rows.exists() or self.rows.read_bytes().count(b"\n") < 1 + least:
            assert self._process.poll() is None, self._process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.01)

    def kill_a_worker(self) -> None:
        os.kill(self._workers()[0], signal.SIGKILL)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()
        end = time.monotonic() + 60
        while self._workers() and time.monotonic() < end:
            time.sleep(0.1)

    def finish(self) -> tuple[int, list[str], str]:
        """Exit status, paths on stdout, stderr."""
        out, err = self._process.communicate(timeout=250)
        return self._process.returncode, [json.loads(line)["path"] for line in out.splitlines()], err

    def _workers(self) -> list[int]:
        return marked_workers(self._mark, "Judge")


@pytest.mark.slow
@needs_ray
def test_a_worker_killed_in_the_middle_loses_no_row_and_doubles_none(
    trained_model: Path, photographs: Path, alone: bytes, tmp_path: Path
) -> None:
    run = _Run(trained_model, photographs, tmp_path / "out.csv")
    run.wait_for_rows(5)
    run.kill_a_worker()
    status, paths, err = run.finish()
    assert (status, len(paths), len(set(paths))) == (1, 40, 40)
    assert "1 of 40 images could not be read" in err
    assert (tmp_path / "out.csv").read_bytes() == alone
    assert not run.rows.exists()


@pytest.mark.slow
@needs_ray
def test_after_a_kill_of_the_driver_the_same_call_goes_on(
    trained_model: Path, photographs: Path, alone: bytes, tmp_path: Path
) -> None:
    first = _Run(trained_model, photographs, tmp_path / "out.csv")
    first.wait_for_rows(6)
    first.kill()
    kept = first.rows.read_bytes().count(b"\n") - 1
    assert not (tmp_path / "out.csv").exists()
    second = _Run(trained_model, photographs, tmp_path / "out.csv")
    status, paths, err = second.finish()
    assert (status, len(set(paths))) == (1, len(paths))
    assert 40 - kept <= len(paths) <= 41 - kept  # one row may have been cut off
    assert "were judged before" in err
    assert (tmp_path / "out.csv").read_bytes() == alone


@pytest.mark.slow
@needs_ray
def test_an_address_that_does_not_answer_is_one_line(
    trained_model: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--predict", str(photographs), "--model", str(trained_model), "--ray", "nonsense"]
    assert main(words) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("error: --ray nonsense: expected a Ray cluster that answers")


def test_a_photograph_is_not_replaced_by_the_table(
    trained_model: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = photographs / "00.png"
    before = first.read_bytes()
    words = ["--predict", str(photographs), "--model", str(trained_model), "--ray", "local"]
    assert main([*words, "--csv", str(first)]) == 1
    assert "one of the files to be read" in capsys.readouterr().err
    assert main([*words, "--csv", str(photographs)]) == 1
    assert "it is a folder" in capsys.readouterr().err
    assert first.read_bytes() == before


def test_without_pyarrow_it_is_said_before_the_work(
    trained_model: Path,
    photographs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    words = ["--predict", str(photographs), "--model", str(trained_model), "--ray", "local"]
    assert main([*words, "--csv", str(tmp_path / "out.parquet")]) == 1
    assert "needs pyarrow" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_ray_it_is_one_line(
    trained_model: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["--predict", str(photographs), "--model", str(trained_model), "--csv", str(tmp_path / "out.csv")]
    assert main([*words, "--ray", "local"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "pip install 'goodparts[cluster]'" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ray", "local", "--journal", "j.sqlite"], "--ray does not use --journal"),
        (["--csv", "out.parquet"], "--csv FILE.parquet needs --ray"),
    ],
)
def test_what_does_not_go_together(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--predict", "photographs", *words]) == 2
    assert said in capsys.readouterr().err
