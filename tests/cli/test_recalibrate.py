from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from anomaly.cli import main
from anomaly.detector import load_detector
from tests.parts import write_dataset, write_part


@pytest.fixture
def model(trained_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_model, tmp_path / "model"))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("labelled"), undamaged=3, damaged=2, seed=3000)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _recalibrate(model: Path, *words: str) -> int:
    return main(["--recalibrate", "--model", str(model), *words])


def test_new_images_add_to_the_stored_scores(model: Path, labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = load_detector(model, device="cpu").record
    assert before is not None
    assert _recalibrate(model, "--data", str(labelled), "--reason", "new light", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    after = load_detector(model, device="cpu").record
    assert after is not None
    assert (after.version, after.reason) == (2, "new light")
    assert len(after.scores) == len(before.scores) + 5
    assert after.scores[: len(before.scores)] == before.scores
    assert told["threshold"] == after.calibration.threshold
    assert told["previous_threshold"] == before.calibration.threshold
    assert (told["n_undamaged"], told["n_damaged"]) == (after.calibration.n_undamaged, after.calibration.n_damaged)


def test_scores_on_record_are_counted_once_by_where_they_come_from(
    model: Path, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for source in ("6 stored scores and 5 new scores", "6 stored scores and 5 new scores", "11 stored scores"):
        words = [] if source == "11 stored scores" else ["--data", str(labelled)]
        assert _recalibrate(model, *words, "--json") == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["source"], told["n_undamaged"] + told["n_damaged"]) == (source, 11)


def test_only_the_calibration_changes(model: Path, labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _files(model)
    assert _recalibrate(model, "--data", str(labelled)) == 0
    after = _files(model)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed == {"manifest.json", "card.md", "calibration/0002.json", "calibration/history.json"}


def test_stored_scores_alone_are_enough(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _recalibrate(model, "--miss-cost", "10") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("calibration 2 stands; the threshold was ")
    assert "a miss costs 10.0 false alarms" in out


def test_the_objective_stays_until_another_is_named(
    model: Path, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _recalibrate(model, "--max-false-alarm-rate", "0.6", "--confidence", "0.6") == 0
    assert _recalibrate(model, "--data", str(labelled)) == 0
    assert "objective kept from the standing calibration: max-false-alarm-rate" in capsys.readouterr().err
    kept = load_detector(model, device="cpu").calibration
    assert kept is not None
    assert (kept.objective, kept.target, kept.confidence) == ("max-false-alarm-rate", 0.6, 0.6)
    assert _recalibrate(model, "--objective", "accuracy") == 0
    new = load_detector(model, device="cpu").calibration
    assert new is not None
    assert new.objective == "accuracy"


def test_both_rates_are_recorded_and_kept(model: Path, labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["--max-miss-rate", "0.7", "--max-false-alarm-rate", "0.6", "--confidence", "0.6"]
    assert _recalibrate(model, *both, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["objective"], told["max_miss_rate"], told["max_false_alarm_rate"]) == ("both-rates", 0.7, 0.6)
    assert _recalibrate(model, "--data", str(labelled)) == 0
    kept = load_detector(model, device="cpu").calibration
    assert kept is not None
    assert (kept.objective, kept.max_miss_rate, kept.confidence) == ("both-rates", 0.7, 0.6)
    assert _recalibrate(model, "--max-miss-rate", "0.01", "--max-false-alarm-rate", "0.5") == 1
    assert "needs 299 damaged" in capsys.readouterr().err


def test_a_promise_that_the_images_cannot_carry_is_refused_and_changes_nothing(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _files(model)
    assert _recalibrate(model, "--max-miss-rate", "0.05") == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "59" in err
    assert err.count("\n") == 1
    assert _files(model) == before


def test_images_of_the_memory_bank_are_refused_by_name(
    model: Path, parts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    banked = load_detector(model, device="cpu").bank_images[0].name
    before = _files(model)
    data = tmp_path / "data" / "good"
    data.mkdir(parents=True)
    shutil.copy(parts_folder / banked, data / "renamed.png")
    assert _recalibrate(model, "--data", str(data.parent)) == 1
    assert f"good/renamed.png (trained on as {banked})" in capsys.readouterr().err
    assert _files(model) == before


def test_one_picture_under_two_labels_is_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_part(tmp_path / "data" / "good" / "a.png", 1)
    write_part(tmp_path / "data" / "bad" / "b.png", 1)
    before = _files(model)
    assert _recalibrate(model, "--data", str(tmp_path / "data")) == 1
    assert "both labels" in capsys.readouterr().err
    assert _files(model) == before


def test_an_unreadable_image_is_left_out_named_and_a_failure(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_dataset(tmp_path / "data", undamaged=2, damaged=1, seed=4000)
    (data / "good" / "empty.png").write_bytes(b"")
    assert _recalibrate(model, "--data", str(data), "--quiet") == 1
    out, err = capsys.readouterr()
    assert out.startswith("calibration 2 stands")
    assert err.startswith("error: left out: ")
    assert "empty.png" in err
    record = load_detector(model, device="cpu").record
    assert record is not None
    assert not any("empty" in image.name for image in record.scores)


def test_nothing_readable_changes_nothing(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data" / "good").mkdir(parents=True)
    (tmp_path / "data" / "good" / "empty.png").write_bytes(b"")
    before = _files(model)
    assert _recalibrate(model, "--data", str(tmp_path / "data"), "--quiet") == 1
    assert capsys.readouterr().err.startswith("error: none of the 1 images can be read")
    assert _files(model) == before


def test_images_of_the_test_split_are_taken_but_said(
    model: Path, parts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = load_detector(model, device="cpu")
    entry = next(e for e in detector.provenance.splits if e.split == "test" and e.label == "damaged")
    (tmp_path / "data" / "bad").mkdir(parents=True)
    shutil.copy(parts_folder / entry.name, tmp_path / "data" / "bad")
    assert _recalibrate(model, "--data", str(tmp_path / "data")) == 0
    assert "1 of these images are in the test split" in capsys.readouterr().err


def test_history_and_rollback(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = load_detector(model, device="cpu").calibration
    assert _recalibrate(model, "--miss-cost", "3") == 0
    assert _recalibrate(model, "--rollback", "1", "--reason", "too strict") == 0
    assert load_detector(model, device="cpu").calibration == first
    capsys.readouterr()
    assert _recalibrate(model, "--history") == 0
    out, _ = capsys.readouterr()
    one, two, back, key = out.splitlines()
    assert key == "* stands before the calibration that is in use"
    assert one.startswith("* 0001")
    assert two.startswith("  0002")
    assert "rolled back from 2 to 1  (too strict)" in back
    assert _recalibrate(model, "--history", "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["calibration", "calibration", "rollback"]
    assert [event["stands"] for event in events[:2]] == [True, False]
    assert _recalibrate(model, "--miss-cost", "4") == 0
    record = load_detector(model, device="cpu").record
    assert record is not None
    assert record.version == 3


def test_listing_the_history_changes_nothing(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in model.rglob("*")}
    assert _recalibrate(model, "--history") == 0
    assert {path: path.stat().st_mtime_ns for path in model.rglob("*")} == before


def test_a_version_that_is_not_there(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _files(model)
    for version in ("0", "7", "-1", "1"):
        assert _recalibrate(model, "--rollback", version) == 1
        assert capsys.readouterr().err.startswith(f"error: calibration {version} ")
    assert _files(model) == before
