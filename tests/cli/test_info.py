from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from anomaly.cli import main
from anomaly.cli.info import _named
from anomaly.detector import fingerprint, load_detector


def test_json(trained_model: Path, parts_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--info", "--json", "--model", str(trained_model)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["fingerprint"] == fingerprint(trained_model)
    assert facts["data"] == str(parts_folder)
    assert facts["bytes"] == sum(path.stat().st_size for path in trained_model.rglob("*") if path.is_file())
    counted = {row["split"]: (row["undamaged"], row["damaged"]) for row in facts["splits"]}
    assert sum(n for pair in counted.values() for n in pair) == 20
    assert counted["bank"][1] == 0
    assert facts["bank"]["images"] == counted["bank"][0]
    assert facts["calibration"]["version"] == 1
    assert facts["config"]["geometry"]["size"] == 96
    assert facts["backbone"]["name"] == "efficientnet_lite0"
    assert facts["libraries"]["numpy"]


def test_text(trained_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--info", "--model", str(trained_model)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "parts         parts: " not in out
    assert re.search("^parts         (judged|a verdict)", out, re.MULTILINE)
    for word in ("fingerprint", "memory bank", "bank: ", "threshold", "licence", "[geometry] size=96"):
        assert word in out


def test_the_hint_names_the_model_that_was_named(
    trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "our model"
    dataclasses.replace(load_detector(trained_model, device="cpu"), history=None).save(model)
    capsys.readouterr()
    assert main(["--info", "--model", str(model)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "make one with" in line)
    hint = shlex.split(line.partition("make one with ")[2])
    assert hint == ["--recalibrate", "--data", "DIR", "--model", str(model)]


def test_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--info", "--model", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: there is no trained model in {tmp_path}: train one")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("libraries",), None),
        (("libraries",), ...),
        (("backbone", "sha256"), 5),
        (("backbone", "licence"), ...),
        (("config",), {}),
        (("scales", "block4"), ...),
        (("scales", "block99"), 1.0),
    ],
)
def test_a_manifest_without_what_is_told_is_a_damaged_model(
    trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: tuple[str, ...], value: object
) -> None:
    model = shutil.copytree(trained_model, tmp_path / "model")
    manifest = json.loads((model / "manifest.json").read_text())
    at = manifest
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    if value is ...:
        del at[place[-1]]
    (model / "manifest.json").write_text(json.dumps(manifest))
    for form in ([], ["--json"]):
        assert main(["--info", "--model", str(model), *form]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"error: the trained model in {model} is damaged: an entry is missing or malformed")


def test_a_heading_is_not_said_again_by_its_lines() -> None:
    told = _named("chosen", ["chosen: 448 px", "settings as given"])
    assert told == ["chosen        448 px", "chosen        settings as given"]
