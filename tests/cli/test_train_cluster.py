"""``--train --ray`` with local workers: the same trained model, whoever is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from anomaly.cli import main
from tests.parts import TINY
from tests.ray_workers import marked_workers, needs_ray

ROOT = Path(__file__).parents[2]

# These hold the time; OpenVINO names the nodes of the graph by a counter of the process.
TIMED = {"manifest.json", "card.md", "calibration/0001.json", "embedding.xml"}


def _train(data: Path, model: Path, *, kill: bool) -> str:
    """Train with workers in a process of its own, one of them killed once it is there; return what it said."""
    mark = uuid.uuid4().hex
    words = ["--train", "--data", str(data), "--model", str(model), "--ray", "local", "--device", "cpu", *TINY]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "model.py"), *words],
        cwd=ROOT, env={**os.environ, "GOODPARTS_TEST": mark, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    while kill and process.poll() is None:
        if workers := marked_workers(f"GOODPARTS_TEST={mark}", "Embedder"):
            os.kill(workers[0], signal.SIGKILL)
            kill = False
        time.sleep(0.01)
    out = process.communicate(timeout=280)[0]
    assert (process.returncode, kill) == (0, False), out
    return out


@pytest.mark.slow
@needs_ray
@pytest.mark.timeout(600)
def test_the_trained_model_is_the_same_though_a_worker_is_killed(
    trained_model: Path, parts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    assert "on the test split" in _train(parts_folder, model, kill=True)
    names = {path.relative_to(trained_model) for path in trained_model.rglob("*") if path.is_file()}
    assert names == {path.relative_to(model) for path in model.rglob("*") if path.is_file()}
    for name in names:
        if name.as_posix() not in TIMED:
            assert (trained_model / name).read_bytes() == (model / name).read_bytes(), name
    records, rows = [], []
    for folder in (trained_model, model):
        record = json.loads((folder / "calibration" / "0001.json").read_text(encoding="utf-8"))
        records.append((record["calibration"], record["scores"]))
        assert main(["--predict", str(parts_folder), "--json", "--model", str(folder), "--device", "cpu"]) == 0
        rows.append(capsys.readouterr().out)
    assert records[0] == records[1]
    assert rows[0] == rows[1]


def test_without_ray_it_is_one_line_and_the_model_stays(
    trained_model: Path, parts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "ray", None)
    model = Path(shutil.copytree(trained_model, tmp_path / "model"))
    before = (model / "manifest.json").read_bytes()
    assert main(["--train", "--data", str(parts_folder), "--model", str(model), "--ray", "local"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "pip install 'goodparts[cluster]'" in err
    assert (model / "manifest.json").read_bytes() == before


def test_a_graphics_card_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--train", "--ray", "local", "--device", "cuda"]) == 2
    assert "does not use --device cuda" in capsys.readouterr().err
