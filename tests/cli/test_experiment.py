"""``--experiment`` and what uses its outcome."""

from __future__ import annotations

import json
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anomaly.cli import main
from anomaly.cli.experiment import _where
from anomaly.cli.options import DEFAULT_WORK
from anomaly.cli.parser import parse
from anomaly.detector import load_detector
from tests.parts import TINY, write_dataset

ROOT = Path(__file__).parents[2]
SPACE = """
trials = 3
repeats = 1
patches = 500
[axes]
"bank.max_rows" = [50, 100]
"embedding.taps" = [["block4"], ["block4", "block10"]]
"""
FIXED = ["--set", "geometry.size=64", "--device", "cpu"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    (folder / "space.toml").write_text(SPACE)
    write_dataset(folder / "parts", undamaged=20, damaged=12)
    words = ["--experiment", "--data", str(folder / "parts"), "--space", str(folder / "space.toml"), "--quiet"]
    assert main([*words, *FIXED, "--work", str(folder / "work")]) == 0
    return folder


def record(data: Path) -> dict[str, object]:
    (path,) = (data / "work").glob("experiment-*/experiment.json")
    found: dict[str, object] = json.loads(path.read_text())
    return found


def test_the_table_and_the_choice_are_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--experiment", "--data", str(data / "parts"), "--space", str(data / "space.toml"), *FIXED]
    assert main([*words, "--work", str(data / "work")]) == 0
    out, err = capsys.readouterr()
    assert "3 of 3 trials are finished already" in err
    assert out.startswith("3 combinations on ")
    assert "the test split was not touched" in out
    assert "chosen: " in out
    assert sum(line.startswith("*") for line in out.splitlines()) == 1
    hint = out.splitlines()[-1].partition("train with ")[2]
    assert shlex.split(hint) == [
        "--train", "--from-experiment", "--data", str(data / "parts"), "--work", str(data / "work")
    ]  # fmt: skip


def test_the_hint_names_what_was_named_and_quotes_it_for_the_shell() -> None:
    assert _where(parse(["--experiment"])) == ""
    assert _where(parse(["--experiment", "--data", "our parts", "--work", "W 2"])) == " --data 'our parts' --work 'W 2'"
    # Which folder that is depends on where the program is called.
    assert _where(parse(["--experiment", "--data", "data/parts"])) == " --data data/parts"
    assert _where(parse(["--experiment", "--work", DEFAULT_WORK])) == ""


@pytest.mark.slow
def test_training_takes_the_chosen_settings_and_says_so(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--train", "--from-experiment", "--data", str(data / "parts"), "--work", str(data / "work")]
    assert main([*words, "--model", str(tmp_path / "model"), "--device", "cpu", "--quiet"]) == 0
    found = record(data)
    detector = load_detector(tmp_path / "model", device="cpu")
    chosen = found["trials"][found["chosen"]]["settings"]  # type: ignore[index]
    assert detector.config.bank.max_rows == chosen["bank.max_rows"]
    assert list(detector.config.embedding.taps) == chosen["embedding.taps"]
    assert detector.config.geometry.size == 64
    assert detector.provenance.selection[0].startswith(f"chosen by experiment {found['identity']}: ")
    capsys.readouterr()
    output = tmp_path / "report.pdf"
    words = ["--report", "--model", str(tmp_path / "model"), "--work", str(data / "work"), "--output", str(output)]
    assert main([*words, "--device", "cpu", "--quiet"]) == 0
    from pypdf import PdfReader

    text = " ".join(" ".join(page.extract_text() for page in PdfReader(output).pages).split())
    assert f"experiment {found['identity']} compared 3 combinations" in text.replace("The ", "")
    assert "This model was trained with the chosen settings." in text
    for row in found["trials"]:  # type: ignore[attr-defined]
        assert f"{row['loss']:.3f} ({row['loss_error']:.3f})" in text
    assert "No experiment is on record" not in text
    assert main([*words[:3], "--work", str(tmp_path), "--output", str(output), "--device", "cpu", "--quiet"]) == 0
    text = " ".join(" ".join(page.extract_text() for page in PdfReader(output).pages).split())
    assert "The settings were chosen by an experiment that is not on record here." in text


def test_other_photographs_have_no_experiment(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_dataset(tmp_path / "parts", undamaged=6, damaged=1, seed=70)
    words = ["--train", "--from-experiment", "--data", str(other), "--work", str(data / "work")]
    assert main([*words, "--model", str(tmp_path / "model")]) == 1
    assert "run --experiment on the same --data first" in capsys.readouterr().err


def test_too_few_labels_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_dataset(tmp_path / "parts", undamaged=10, damaged=2)
    assert main(["--experiment", "--data", str(folder), "--work", str(tmp_path / "work"), "--quiet"]) == 1
    assert "needs at least 5 undamaged and 5 damaged" in capsys.readouterr().err


def test_an_interruption_says_what_is_kept(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("anomaly.cli.experiment.run_experiment", interrupted)
    words = ["--experiment", "--data", str(data / "parts"), "--space", str(data / "space.toml"), *FIXED]
    assert main([*words, "--work", str(tmp_path / "work")]) == 130
    assert "0 of 3 trials are kept in" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--train", "--from-experiment", *TINY],
        ["--train", "--from-experiment", "--seed", "1"],
        ["--train", "--work", "work"],
    ],
)
def test_what_would_be_ignored_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "--from-experiment" in capsys.readouterr().err


def _table(work: Path) -> dict[str, object]:
    """The record without its times."""
    (path,) = work.glob("experiment-*/experiment.json")
    found: dict[str, object] = json.loads(path.read_text())
    trials = [{**row, "seconds": 0} for row in found["trials"]]  # type: ignore[attr-defined]
    return {**found, "created": "", "trials": trials}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_process_interrupted_three_times_and_resumed_ends_with_the_same_table(data: Path, tmp_path: Path) -> None:
    words = ["--experiment", "--data", str(data / "parts"), "--space", str(data / "space.toml"), *FIXED, "--quiet"]
    call = [sys.executable, str(ROOT / "model.py"), *words, "--work", str(tmp_path / "work")]
    moments, stopped = random.Random(7), 0
    for stop in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 200
        # The folder is there once the plan is made, and this process is past its imports once it runs the network: what
        # comes then are trials, in some seconds.
        network = Path(f"/proc/{process.pid}/maps")
        while process.poll() is None and not (
            list((tmp_path / "work").glob("experiment-*")) and "openvino" in network.read_text()
        ):
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 1.5))
        process.send_signal(stop)
        err = process.communicate(timeout=200)[1]
        if process.returncode != 0:  # it may have been over sooner
            stopped += 1
            assert process.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL), err
            assert "Traceback" not in err
    assert stopped >= 2
    assert subprocess.run(call, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert _table(tmp_path / "work") == _table(data / "work")
