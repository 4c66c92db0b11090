"""Thresholds by part type, from the command line."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from anomaly.calibration import CalibrationHistory, CalibrationRecord, ScoredImage, calibrate, calibrate_by_type
from anomaly.cli import main
from anomaly.detector import load_detector, save_calibration
from tests.parts import write_part


@pytest.fixture(scope="module")
def model(trained_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gears score around 0, springs around 100: of two equal pictures one is damaged and the other is not."""
    folder = Path(shutil.copytree(trained_model, tmp_path_factory.mktemp("typed") / "model"))
    detector = load_detector(folder, device="cpu")
    scores = []
    for part_type, level in (("gear", 0.0), ("spring", 100.0)):
        for number in range(12):
            name, damaged = f"{part_type}{number}", number % 2 == 0
            digest = hashlib.sha256(name.encode()).hexdigest()
            score = level + 0.01 * number + 0.2 * damaged
            scores.append(ScoredImage(name, digest, "damaged" if damaged else "undamaged", score, part_type=part_type))
    record = CalibrationRecord(
        1, "2026-11-22T15:58:00+00:00", "test", "test", calibrate_by_type(scores, calibrate), tuple(scores)
    )
    assert set(record.calibration.by_part_type) == {"gear", "spring"}
    save_calibration(dataclasses.replace(detector, history=CalibrationHistory((record,), 1)), folder)
    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_part(tmp_path_factory.mktemp("image") / "part.png", 801)


def judged(image: Path, model: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, object], str]:
    assert main(["--predict", str(image), "--model", str(model), "--device", "cpu", "--json", *words]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_the_part_type_decides_which_threshold_counts(
    model: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = load_detector(model, device="cpu")
    assert detector.calibration is not None
    for name, label in (("gear", "damaged"), ("spring", "undamaged")):
        found, err = judged(image, model, capsys, "--part-type", name)
        assert err == ""
        own = detector.calibration.by_part_type[name]
        assert (found["label"], found["threshold"]) == (label, own.threshold)
        assert isinstance(found["score"], float)
        triple = own.probability(found["score"])
        assert triple is not None
        assert found["probability"] == triple[0]
        assert detector.predict(image, part_type=name).label == label
    found, err = judged(image, model, capsys)
    assert found["threshold"] == detector.calibration.threshold
    assert "the common threshold is used: part types gear, spring have their own" in err
    assert detector.predict(image, part_type="never heard of").threshold == detector.calibration.threshold


def test_a_heatmap_takes_it_too(model: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["--heatmap", str(image), "--model", str(model), "--device", "cpu", "--output", str(tmp_path / "h.png")]
    assert main([*call, "--part-type", "gear"]) == 0
    assert "damaged" in capsys.readouterr().out.split("probability")[0].split()


def test_an_unknown_part_type_is_refused(
    model: Path, trained_model: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--predict", str(image), "--device", "cpu", "--part-type", "washer", "--model"]
    assert main([*call, str(model)]) == 1
    assert "knows (gear, spring), got washer" in capsys.readouterr().err
    assert main([*call, str(trained_model)]) == 1
    assert "it knows none" in capsys.readouterr().err


def test_a_known_type_without_its_own_threshold_is_said(
    model: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    detector = load_detector(copy, device="cpu")
    assert detector.record is not None
    calibration = dataclasses.replace(detector.record.calibration, by_part_type={})
    record = dataclasses.replace(detector.record, calibration=calibration)
    save_calibration(detector.with_history(CalibrationHistory((record,), 1)), copy)
    _, err = judged(image, copy, capsys, "--part-type", "gear")
    assert err == "part type gear has no threshold of its own: the common one is used\n"


def test_evaluating_takes_the_types_of_the_data(
    model: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["path,label,part_type"]
    for number, part_type in enumerate(("gear", "spring", "")):
        write_part(tmp_path / f"{number}.png", 900 + number)
        rows.append(f"{number}.png,undamaged,{part_type}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    assert main(["--evaluate", "--data", str(tmp_path), "--model", str(model), "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [(part["name"], part["false_alarm_rate"]["count"]) for part in report["by_part_type"]] == [
        ("gear", 1),
        ("spring", 0),
    ]
    assert set(report["part_type_thresholds"]) == {"gear", "spring"}
    assert main(["--evaluate", "--data", str(tmp_path), "--model", str(model), "--device", "cpu"]) == 0
    assert any(", threshold " in line for line in capsys.readouterr().out.splitlines() if "part type spring" in line)


def test_it_is_told_and_kept_by_a_rollback(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    assert main(["--info", "--model", str(copy)]) == 0
    told = capsys.readouterr().out
    assert "One threshold for each part type: 0 errors in cross-validation" in told
    assert "spring: 0 of 6 damaged missed, 0 of 6 undamaged flagged on validation; threshold 100" in told
    assert main(["--recalibrate", "--model", str(copy), "--miss-cost", "3"]) == 0
    assert "0 as cost in false alarms" in capsys.readouterr().out
    assert main(["--recalibrate", "--model", str(copy), "--rollback", "1"]) == 0
    assert "gear: 0 of 6 damaged missed" in (copy / "card.md").read_text()
    before, after = (load_detector(folder, device="cpu").calibration for folder in (model, copy))
    assert after == before
