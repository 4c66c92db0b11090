from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.cli import main
from anomaly.cli.json_keys import KEYS
from anomaly.cli.monitor import _readable
from tests.parts import draw_part


def judge(model: Path, folder: Path, journal: Path, *, gain: float, seeds: range) -> None:
    folder.mkdir()
    for seed in seeds:
        Image.fromarray((draw_part(seed) * gain).astype(np.uint8)).save(folder / f"{seed}.png")
    call = ["--predict", str(folder), "--model", str(model), "--journal", str(journal), "--device", "cpu"]
    assert main([*call, "--no-capture-check"]) == 0


def test_a_darker_light_is_found_dated_and_named(
    trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal, chart = tmp_path / "j.sqlite", tmp_path / "drift.png"
    call = ["--monitor", "--journal", str(journal), "--model", str(trained_model)]
    for first in (2000, 2020):
        judge(trained_model, tmp_path / str(first), journal, gain=1.0, seeds=range(first, first + 20))
    capsys.readouterr()
    assert main([*call, "--exit-code"]) == 0
    assert capsys.readouterr().out.startswith("no change found so far: 40 pictures")
    judge(trained_model, tmp_path / "after", journal, gain=0.6, seeds=range(2100, 2130))
    capsys.readouterr()
    assert main([*call, "--exit-code", "--chart", str(chart)]) == 3
    told = capsys.readouterr().out
    assert told.startswith("changed: the light or the exposure changed")
    assert "what to do: check lamps" in told
    assert re.search(r"^first seen in: [a-z ]+, (lower|higher) than (in training|usual)$", told, re.MULTILINE)
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert main([*call, "--chart", str(chart)]) == 0  # one drawn before may be replaced
    photograph = tmp_path / "2000" / "2000.png"
    before = photograph.read_bytes()
    capsys.readouterr()
    assert main([*call, "--chart", str(photograph)]) == 1
    assert "a photograph has that name" in capsys.readouterr().err
    assert photograph.read_bytes() == before
    before = journal.read_bytes()
    assert main([*call, "--chart", str(journal)]) == 1
    assert "one of the files to be read" in capsys.readouterr().err
    assert journal.read_bytes() == before
    assert main([*call, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert tuple(facts) == KEYS["--monitor"]
    assert (facts["changed"], facts["cause"]) == (True, "light")
    assert abs(facts["start"]["number"] - 41) <= 3
    assert main([*call, "--since", facts["alarm"]["time"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 70 - facts["alarm"]["number"]
    # As it is told: what came between the alarm and the mending must not raise the next alarm.
    (printed,) = re.findall(r"begin anew with --since (\S+) \(", told)
    assert printed == facts["last"]["time"]
    judge(trained_model, tmp_path / "mended", journal, gain=1.0, seeds=range(2200, 2220))
    capsys.readouterr()
    assert main([*call, "--since", printed, "--exit-code"]) == 0
    assert capsys.readouterr().out.startswith("no change found so far: 20 pictures")


def test_what_is_missing_is_said(trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = tmp_path / "j.sqlite"
    assert main(["--monitor", "--model", str(trained_model)]) == 2
    assert "--monitor needs --journal" in capsys.readouterr().err
    call = ["--monitor", "--journal", str(journal), "--model", str(trained_model)]
    assert main(call) == 1
    assert "there is no journal" in capsys.readouterr().err
    assert not journal.exists()
    judge(trained_model, tmp_path / "some", journal, gain=1.0, seeds=range(2))
    capsys.readouterr()
    assert main([*call, "--since", "2999-01-01"]) == 1
    assert "has no row of this trained model since 2999-01-01" in capsys.readouterr().err
    assert main([*call, "--since", "yesterday"]) == 2
    assert "expected a time" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["drift.jpg", "drift", "drift.svg", "missing/drift.png"])
def test_a_chart_under_another_name_than_that_of_a_png_is_refused_before_any_work(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--monitor", "--journal", str(tmp_path / "j.sqlite"), "--model", str(tmp_path / "none")]
    assert main([*call, "--chart", str(tmp_path / name)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: expected the name of a PNG file in a folder that is there for --chart, got ")
    assert told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_model_without_ordinary_pictures_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = Path(__file__).parents[1] / "golden" / "format-1" / "trained"
    assert main(["--monitor", "--journal", str(tmp_path / "j.sqlite"), "--model", str(golden)]) == 1
    assert "does not know what an ordinary picture is" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "words"), [(3620.4, "3,620"), (0.00012, "0.000"), (0.63, "0.630"), (12.34, "12.3")])
def test_evidence_is_written_without_an_exponent(value: float, words: str) -> None:
    assert _readable(value) == words
