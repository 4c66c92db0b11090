from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from anomaly.calibration import Calibration, CalibrationHistory, scores_by_label
from anomaly.calibration.calibration import counts_at
from anomaly.cli import main
from anomaly.cli.rows import CSV_COLUMNS, JSON_FIELDS
from anomaly.detector import load_detector
from tests.parts import write_part


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    write_part(folder / "good.png", 2000)
    write_part(folder / "day 2" / "bad.png", 2001, damaged=True)
    return folder


def _json(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    main([*words, "--json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_folder_gives_one_line_per_image(
    trained_model: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--predict", str(photographs), "--model", str(trained_model)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    bad, good = out.splitlines()
    assert bad.startswith(f"{photographs}/day 2/bad.png  damaged  ")
    assert "1 region at x=" in bad
    assert good.startswith(f"{photographs}/good.png  undamaged  probability ")


def test_many_images_are_shared_among_processes_and_come_in_their_order(
    trained_model: Path,
    photographs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for i in range(7):
        write_part(tmp_path / "many" / f"{i}.png", i, damaged=i % 2 == 0)
    (tmp_path / "many" / "3.png").write_bytes(b"no image")
    words = ["--predict", str(tmp_path / "many"), "--model", str(trained_model), "--device", "cpu"]
    here = _json([*words, "--csv", str(tmp_path / "here.csv")], capsys)
    monkeypatch.setattr("anomaly.cli.predict._MANY", 4)
    monkeypatch.setattr("anomaly.cluster.worthwhile", lambda images: 2)
    monkeypatch.setattr("anomaly.detector.Detector.predict", None)  # not in this process
    assert _json([*words, "--csv", str(tmp_path / "there.csv")], capsys) == here
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    assert [Path(row["path"]).name for row in here] == [f"{i}.png" for i in range(7)]
    assert here[3]["error"]


def test_json_and_csv_say_the_same_as_python(
    trained_model: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "out.csv"
    words = ["--predict", str(photographs), "--model", str(trained_model), "--csv", str(table)]
    rows = _json(words, capsys)
    assert [tuple(row) for row in rows] == [JSON_FIELDS] * 2
    expected = load_detector(trained_model, device="cpu").predict(photographs / "day 2" / "bad.png")
    assert rows[0]["score"] == expected.score
    assert rows[0]["threshold"] == expected.threshold
    assert rows[0]["label"] == "damaged"
    assert rows[0]["calibration_version"] == 1
    assert rows[0]["probability"] == expected.probability
    assert 0 <= rows[1]["probability_low"] <= rows[1]["probability"] <= 0.5 <= rows[0]["probability"]
    with table.open(newline="", encoding="utf-8") as stream:
        flat = list(csv.DictReader(stream))
    assert tuple(flat[0]) == CSV_COLUMNS
    for row, line in zip(rows, flat, strict=True):
        assert (line["path"], line["label"], float(line["score"])) == (row["path"], row["label"], row["score"])
        assert int(line["regions"]) == len(row["regions"])
        assert line["error"] == ""
    assert flat[0]["region_x"] == str(rows[0]["regions"][0]["x"])


def test_the_verdict_does_not_depend_on_the_other_images(
    trained_model: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = photographs / "good.png", photographs / "day 2" / "bad.png"
    model = ["--model", str(trained_model)]
    together = _json(["--predict", str(bad), str(good), str(bad), *model], capsys)
    alone = _json(["--predict", str(bad), *model], capsys) + _json(["--predict", str(good), *model], capsys)
    assert together == [*alone, alone[0]]


def test_what_cannot_be_read_is_a_row_and_the_others_go_on(
    trained_model: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, table = tmp_path / "broken.png", tmp_path / "out.csv"
    broken.write_bytes(b"")
    words = ["--predict", str(broken), str(photographs / "good.png"), "--model", str(trained_model)]
    assert main([*words, "--csv", str(table)]) == 1
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first.startswith(f"{broken}  not judged  ")
    assert "undamaged" not in first
    assert "  undamaged  " in second
    assert err == "error: 1 of 2 images could not be read, see the output for why\n"
    with table.open(newline="", encoding="utf-8") as stream:
        flat = list(csv.DictReader(stream))
    assert (flat[0]["label"], flat[0]["score"], flat[1]["label"]) == ("", "", "undamaged")
    assert "empty" in flat[0]["error"]
    row = _json(words, capsys)[0]
    assert row["label"] is None
    assert "empty" in row["error"]


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["good.png"], 0),
        (["good.png", "day 2/bad.png"], 3),
        (["missing.png", "day 2/bad.png"], 1),
    ],
)
def test_exit_code(
    names: list[str], status: int, trained_model: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(photographs / name) for name in names]
    assert main(["--predict", *paths, "--model", str(trained_model), "--exit-code"]) == status


def test_without_asking_damage_is_no_failure(
    trained_model: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--predict", str(photographs), "--model", str(trained_model)]) == 0


def test_an_empty_folder_is_not_nothing_to_complain_of(
    trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--predict", str(tmp_path), "--model", str(trained_model)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{tmp_path}  not judged  expected images in the folder")
    assert err == "error: 1 of 1 image could not be read, see the output for why\n"


def test_an_uncalibrated_model_gives_scores_and_no_label(
    trained_model: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    model = tmp_path / "uncalibrated"
    replace(load_detector(trained_model, device="cpu"), history=None).save(model)
    words = ["--predict", str(photographs), "--model", str(model), "--exit-code"]
    assert main(words) == 0
    assert all("  score only  " in line for line in capsys.readouterr().out.splitlines())
    rows = _json(words, capsys)
    assert [row["label"] for row in rows] == [None, None]
    assert all(row["score"] > 0 and row["threshold"] is None and row["error"] is None for row in rows)


def test_a_csv_that_cannot_be_written_is_refused_before_the_work(
    trained_model: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing" / "out.csv"
    assert main(["--predict", str(photographs), "--model", str(trained_model), "--csv", str(missing)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: cannot write {missing}")
    assert err.count("\n") == 1


def test_a_table_does_not_take_the_place_of_the_journal(
    trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, journal = write_part(tmp_path / "a.png", 1), tmp_path / "j.sqlite"
    call = ["--predict", str(image), "--model", str(trained_model), "--device", "cpu", "--journal", str(journal)]
    assert main(call) == 0
    before = journal.read_bytes()
    assert main([*call, "--csv", str(journal)]) == 1
    assert "it is one of the files to be read" in capsys.readouterr().err
    assert journal.read_bytes() == before


def test_predicting_changes_nothing_in_the_trained_model(
    trained_model: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained_model, model)
    before = {path: path.stat().st_mtime_ns for path in model.rglob("*")}
    main(["--predict", str(photographs), "--model", str(model)])
    assert {path: path.stat().st_mtime_ns for path in model.rglob("*")} == before


def test_what_is_to_be_reinspected_is_told_and_counts_for_the_exit_status(
    trained_model: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = load_detector(trained_model, device="cpu")
    assert detector.record is not None
    undamaged, damaged = scores_by_label(detector.record.scores)
    low, high = -1.0, 1e6  # every photograph lies between
    unsure = Calibration(
        high,
        "both-rates",
        **counts_at(undamaged, damaged, threshold=high, reinspect_above=low),
        confidence=0.95,
        max_miss_rate=0.05,
        max_false_alarm_rate=0.05,
        reinspect_above=low,
    )
    record = dataclasses.replace(detector.record, calibration=unsure)
    detector.with_history(CalibrationHistory((record,), 1)).save(tmp_path / "unsure")
    words = ["--predict", str(photographs / "good.png"), "--model", str(tmp_path / "unsure"), "--exit-code"]
    assert main(words) == 3
    assert "good.png  reinspect  probability " in capsys.readouterr().out
    (row,) = _json(words, capsys)
    assert (row["label"], row["reinspect_above"], row["threshold"]) == ("reinspect", low, high)
    assert row["regions"]
    assert main(["--heatmap", *words[1:4], "--output", str(tmp_path / "h.png")]) == 0


def test_neither_labels_nor_a_journal_are_replaced_by_the_table(
    trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_part(tmp_path / "data" / "a.png", 1)
    labels, journal = tmp_path / "data" / "labels.csv", tmp_path / "j.sqlite"
    labels.write_text("path,label\na.png,undamaged\n")
    call = ["--predict", str(tmp_path / "data"), "--model", str(trained_model)]
    main([*call, "--journal", str(journal)])
    before = labels.read_bytes(), journal.read_bytes()
    capsys.readouterr()
    for table, told in ((labels, "where the images' labels stand"), (journal, "of another kind than a table")):
        assert main([*call, "--csv", str(table)]) == 1
        assert told in capsys.readouterr().err
    assert (labels.read_bytes(), journal.read_bytes()) == before
