from __future__ import annotations

import csv
import importlib.util
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.cli import main
from anomaly.config import Config
from anomaly.detector import load_detector
from anomaly.imaging import load_image
from anomaly.imaging.confusion_picture import JudgedImage
from anomaly.types import UInt8Array
from tests.parts import write_dataset


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("labelled"), undamaged=3, damaged=2, seed=3000)


def test_counts_come_first(trained_model: Path, labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--evaluate", "--data", str(labelled), "--model", str(trained_model), "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[0] == "0 of 2 damaged missed, 0 of 3 undamaged flagged"
    assert "image AUROC 100.0 %" in out


def test_json_and_csv(trained_model: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "rows.csv"
    words = ["--evaluate", "--data", str(labelled), "--model", str(trained_model), "--quiet", "--json"]
    assert main([*words, "--csv", str(table)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["overall"]["n_damaged"], report["overall"]["miss_rate"]["count"]) == (2, 0)
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(Path(row["path"]).name, row["truth"], row["label"]) for row in rows] == [
        ("bad_00.png", "damaged", "damaged"),
        ("bad_01.png", "damaged", "damaged"),
        ("good_00.png", "undamaged", "undamaged"),
        ("good_01.png", "undamaged", "undamaged"),
        ("good_02.png", "undamaged", "undamaged"),
    ]


def test_images_of_the_memory_bank_are_refused(
    trained_model: Path, parts_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--evaluate", "--data", str(parts_folder), "--model", str(trained_model), "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "in the memory bank: good/good_" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_recorded_split_is_found_by_content(
    split: str, trained_model: Path, parts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [e for e in load_detector(trained_model, device="cpu").provenance.splits if e.split == split]
    table = tmp_path / "rows.csv"
    words = ["--evaluate", "--data", str(parts_folder), "--split", split, "--model", str(trained_model)]
    assert main([*words, "--csv", str(table)]) == 0
    with table.open(newline="", encoding="utf-8") as stream:
        judged = {Path(row["path"]).relative_to(parts_folder).as_posix() for row in csv.DictReader(stream)}
    assert judged == {entry.name for entry in entries}
    assert ("chose the threshold" in capsys.readouterr().err) == (split == "validation")


def test_images_of_the_split_that_are_gone_or_broken_do_not_vanish(
    trained_model: Path, parts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(shutil.copytree(parts_folder, tmp_path / "data"))
    entries = load_detector(trained_model, device="cpu").provenance.splits
    broken, gone = [entry.name for entry in entries if entry.split == "test"][:2]
    (data / broken).write_text("junk")
    (data / gone).unlink()
    call = ["--evaluate", "--data", str(data), "--model", str(trained_model), "--split", "test"]
    assert main(call) == 1
    out, err = capsys.readouterr()
    assert broken in out
    n = sum(entry.split == "test" for entry in entries)
    assert f"1 of {n} test images is not in {data} as training saw it: the figures are without it\n" in err


def test_labels_and_masks_are_not_written_over(
    trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_dataset(tmp_path / "data", undamaged=2, damaged=1, seed=3000)
    mask = data / "masks" / "bad_00.png"
    mask.parent.mkdir()
    Image.fromarray(np.eye(96, dtype=np.uint8) * 255).save(mask)
    (damaged,) = [path for path in data.rglob("bad_00.png") if path != mask]
    table = data / "labels.csv"
    rows = [f"{path.relative_to(data)},undamaged," for path in sorted(data.rglob("good_*.png"))]
    table.write_text("\n".join(["path,label,mask", *rows, f"{damaged.relative_to(data)},damaged,masks/bad_00.png"]))
    before = table.read_bytes(), mask.read_bytes()
    call = ["--evaluate", "--data", str(data), "--model", str(trained_model), "--quiet"]
    for words in (["--csv", str(table)], ["--confusion", str(mask)]):
        assert main([*call, *words]) == 1
        assert "it is one of the files to be read" in capsys.readouterr().err
    assert (table.read_bytes(), mask.read_bytes()) == before


def test_other_images_are_not_in_the_split(
    trained_model: Path, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--evaluate", "--data", str(labelled), "--split", "test", "--model", str(trained_model)]
    assert main(words) == 1
    assert "error: none of the 5 images is in the test split" in capsys.readouterr().err


def test_copies_count_once(trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path, undamaged=2, damaged=1, seed=3000)
    (data / "good" / "again.png").write_bytes((data / "good" / "good_00.png").read_bytes())
    assert main(["--evaluate", "--data", str(data), "--model", str(trained_model)]) == 0
    out, err = capsys.readouterr()
    assert "0 of 2 undamaged flagged" in out
    assert "exact copies left out: 1" in err


def test_what_cannot_be_read_is_listed_and_counts_nowhere(
    trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_dataset(tmp_path, undamaged=2, damaged=1, seed=3000)
    (data / "good" / "empty.png").write_bytes(b"")
    assert main(["--evaluate", "--data", str(data), "--model", str(trained_model), "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert "0 of 2 undamaged flagged" in out
    assert "not scored: good/empty.png: " in out
    assert err == "error: 1 of 4 images could not be read, see the output for why\n"


def test_nothing_readable_is_no_report(trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "empty.png").write_bytes(b"")
    assert main(["--evaluate", "--data", str(tmp_path), "--model", str(trained_model), "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: none of the 1 images could be read")


def test_the_confusion_picture(
    trained_model: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--evaluate", "--data", str(labelled), "--model", str(trained_model), "--quiet"]
    assert main([*words, "--confusion", str(tmp_path / "c.png")]) == 0
    assert load_image(tmp_path / "c.png", limits=Config().image).shape[2] == 3
    for name in ("c.jpg", "nowhere/c.png"):
        assert main([*words, "--confusion", str(tmp_path / name)]) == 1
        assert "ends in .png" in capsys.readouterr().err
    photograph = next(labelled.rglob("*.png"))
    before = photograph.read_bytes()
    assert main([*words, "--confusion", str(photograph)]) == 1
    assert "one of the files to be read" in capsys.readouterr().err
    assert photograph.read_bytes() == before


def test_the_confusion_picture_counts_as_the_report_does(
    trained_model: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that should not be judged for how it was taken stands where its score puts it."""
    data = shutil.copytree(labelled, tmp_path / "data")
    dark = next(path for path in data.rglob("*.png"))
    Image.fromarray(np.zeros((128, 128, 3), np.uint8)).save(dark)
    (data / "good" / "unreadable.png").write_bytes(b"")
    shown: list[JudgedImage] = []

    def keep(images: Sequence[JudgedImage], *_: object, **__: object) -> UInt8Array:
        shown.extend(images)
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr("anomaly.cli.confusion.render_confusion", keep)
    words = ["--evaluate", "--data", str(data), "--model", str(trained_model), "--quiet"]
    main([*words, "--confusion", str(tmp_path / "c.png")])
    assert {image.verdict for image in shown} <= {"undamaged", "damaged"}
    assert len(shown) == len(list(data.rglob("*.png"))) - 1


def test_it_is_said_how_many_of_the_images_a_prediction_would_refuse(
    trained_model: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(shutil.copytree(labelled, tmp_path / "data"))
    words = ["--evaluate", "--data", str(data), "--model", str(trained_model), "--quiet"]
    assert main(words) == 0
    assert "would not judge" not in capsys.readouterr().out
    Image.fromarray(np.zeros((96, 96, 3), np.uint8)).save(data / "good" / "dark.png")
    assert main(["--predict", str(data / "good" / "dark.png"), "--model", str(trained_model)]) == 0
    assert "  not judged  score" in capsys.readouterr().out
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "of 4 undamaged flagged" in lines[0], "the figures stay those of the scores"
    assert lines[1] == "1 of these 6 images --predict would not judge; here they count by their score"
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_judged"] == ["good/dark.png"]


def test_a_machine_that_only_predicts_says_what_is_missing_before_it_reads_an_image(
    trained_model: Path,
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("anomaly.cli.evaluate.read_labelled", lambda *_, **__: pytest.fail("was read"))
    there = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "scipy" else there(name))
    words = ["--evaluate", "--data", str(labelled), "--model", str(trained_model), "--csv", str(tmp_path / "rows.csv")]
    assert main(words) == 1
    assert "an evaluation needs scipy, not installed here: pip install 'goodparts[train]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_photograph_is_not_replaced_and_two_files_have_two_names(
    trained_model: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = tmp_path / "keep.png"
    Image.new("RGB", (8, 8)).save(keep)
    before = keep.read_bytes()
    call = ["--evaluate", "--data", str(labelled), "--model", str(trained_model), "--quiet", "--confusion"]
    assert main([*call, str(keep)]) == 1
    assert "a photograph has that name" in capsys.readouterr().err
    assert keep.read_bytes() == before
    assert main([*call, str(tmp_path / "new.png"), "--csv", str(tmp_path / "." / "new.png")]) == 1
    assert "--csv and --confusion both name it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [keep]
