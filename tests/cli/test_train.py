from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from anomaly.cli import data_folder, main, train
from anomaly.cli.json_keys import KEYS
from anomaly.cli.parser import parse
from anomaly.config import Config
from tests.parts import TINY, write_dataset

CPU = ("--device", "cpu")


def test_settings_come_from_file_then_command_line(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("seed = 3\n[geometry]\nsize = 128\n[bank]\nmax_rows = 50\n")
    words = ["--config", str(tmp_path / "c.toml"), "--set", "geometry.size=256", "--seed", "9"]
    words += ["--backbone", "efficientnet_lite1", "--weights", "w.pth"]
    config, given = train.read_config(parse(["--train", *words]))
    assert (config.seed, config.geometry.size, config.bank.max_rows) == (9, 256, 50)
    assert (config.embedding.backbone, config.embedding.weights) == ("efficientnet_lite1", "w.pth")
    assert given == {"seed", "geometry.size", "bank.max_rows", "embedding.backbone", "embedding.weights"}
    assert train.read_config(parse(["--train"])) == (Config(), frozenset())


@pytest.mark.parametrize(
    "words",
    [
        ["--set", "geometry.sise=3"],
        ["--set", "geometrie.size=3"],
        ["--set", "a.b.c=3"],
        ["--set", "seed.x=3"],
        ["--set", "geometry=3"],
        ["--set", "geometry.size=big"],
        ["--set", "geometry.size=1"],
        ["--set", "geometry.size=128\nseed=3"],
        ["--seed", "-1"],
        ["--config", "missing.toml"],
        ["--backbone", "vgg16"],
        ["--weights", "missing.pth"],
        ["--data", "missing"],
    ],
)
def test_wrong_settings_are_one_line_and_leave_the_model_alone(
    words: list[str], trained_model: Path, parts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Path(shutil.copytree(trained_model, tmp_path / "model"))
    before = (model / "manifest.json").read_bytes()
    data = [] if "--data" in words else ["--data", str(parts_folder)]
    assert main(["--train", "--model", str(model), "--quiet", *CPU, *data, *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert (model / "manifest.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_without_a_checkout_the_data_have_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(data_folder, "BUNDLED", "data/not_there")
    assert main(["--train", "--model", str(tmp_path / "model")]) == 1
    assert "error: expected --data DIR: the bundled data/not_there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "recorded"),
    [("photographs", "{here}/photographs"), (".", "{here}"), ("{checkout}/data/../data/parts", "data/parts")],
)
def test_the_folder_of_a_training_is_found_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, recorded: str
) -> None:
    checkout = Path(data_folder.__file__).parents[2]
    (tmp_path / "here" / "photographs").mkdir(parents=True)
    (tmp_path / "elsewhere" / "photographs").mkdir(parents=True)
    names = {"here": tmp_path / "here", "checkout": checkout}
    monkeypatch.chdir(tmp_path / "here")
    folder, name = data_folder.folder_to_train_on(given.format(**names))
    assert (folder, name) == (Path(given.format(**names)), recorded.format(**names))
    there = folder.resolve()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert data_folder.folder_trained_on(name) == there


def test_a_machine_that_only_predicts_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else object())
    assert main(["--train", "--model", str(tmp_path / "model")]) == 1
    assert "training needs torch, not installed here: pip install 'goodparts[train]'" in capsys.readouterr().err


@pytest.mark.slow
def test_training_tells_splits_threshold_and_test(
    tmp_path: Path, parts_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--train", "--data", str(parts_folder), "--model", str(tmp_path / "new" / "model"), *CPU, *TINY]
    assert main(words) == 0
    out = capsys.readouterr().out
    for line in ("bank: ", "validation: ", "test: ", "undamaged flagged on validation", "threshold ", "saved to "):
        assert line in out
    assert "on the test split" in out
    assert main([*words, "--json", "--quiet"]) == 0
    told, err = capsys.readouterr()
    assert err == ""
    facts = json.loads(told)
    assert tuple(facts) == KEYS["--train"]
    assert facts["validation"]["misses"] == 0
    assert facts["test"]["overall"]["n_damaged"] == 3


@pytest.mark.slow
def test_undamaged_images_alone_are_enough_and_every_output_says_what_that_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_dataset(tmp_path / "data", undamaged=12, damaged=0)
    model = tmp_path / "model"
    assert main(["--train", "--data", str(data / "good"), "--model", str(model), *CPU, *TINY]) == 0
    assert "No damaged image was labelled" in capsys.readouterr().out
    assert main(["--info", "--model", str(model)]) == 0
    assert "No damaged image was labelled" in capsys.readouterr().out
    new = write_dataset(tmp_path / "new", undamaged=0, damaged=2, seed=700)
    assert main(["--recalibrate", "--data", str(new), "--model", str(model)]) == 0
    out, err = capsys.readouterr()
    assert "fewest validation errors" in out
    assert "objective kept" not in err


@pytest.mark.slow
def test_same_data_same_seed_same_bytes(
    trained_model: Path, parts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again"
    assert main(["--train", "--data", str(parts_folder), "--model", str(again), *CPU, *TINY]) == 0
    names = {path.relative_to(trained_model) for path in trained_model.rglob("*") if path.is_file()}
    assert names == {path.relative_to(again) for path in again.rglob("*") if path.is_file()}
    # Three files hold the time, and OpenVINO names the nodes of the graph by a counter of the process.
    timed = {"manifest.json", "card.md", "calibration/0001.json", "embedding.xml"}
    for name in names:
        if name.as_posix() not in timed:
            assert (trained_model / name).read_bytes() == (again / name).read_bytes(), name
    scores = [
        json.loads((model / "calibration" / "0001.json").read_text(encoding="utf-8"))
        for model in (trained_model, again)
    ]
    assert scores[0]["calibration"] == scores[1]["calibration"]
    assert scores[0]["scores"] == scores[1]["scores"]
    capsys.readouterr()
    outputs = []
    for model in (trained_model, again):
        assert main(["--predict", str(parts_folder), "--json", "--model", str(model)]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
