"""``--learn-good`` and ``--forget``: shown first, kept if wanted, and taken back by a rollback."""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.calibration import CalibrationHistory, CalibrationRecord, calibrate, scores_by_label
from anomaly.cli import main
from anomaly.detector import Detector, load_detector, save_calibration, save_detector, training_fingerprint
from anomaly.errors import OutputError
from anomaly.imaging.decode import content_hash
from tests.parts import draw_part, write_dataset, write_part


@pytest.fixture
def model(trained_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_model, tmp_path / "model"))


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A good part of a kind that training did not see."""
    return write_part(tmp_path / "odd.png", 950, damaged=True)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def change(verb: str, model: Path, *words: str | Path) -> int:
    return main([f"--{verb}", *map(str, words), "--model", str(model), "--device", "cpu", "--quiet"])


def test_a_learnt_image_is_ordinary_and_a_rollback_takes_it_back(
    model: Path, odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, old = files(model), load_detector(model, device="cpu")
    assert change("learn-good", model, odd, "--yes", "--reason", "new supplier") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "odd.png"
    assert out[1].startswith(f"memory bank: {len(old.bank_images)} images and ")
    assert out[2].startswith("validation before: 0 of 3 damaged missed, 0 of 3 undamaged flagged, image AUROC 100.0 %")
    assert out[3].startswith("validation after: ")
    assert out[-2].startswith(f"{odd}: score ")
    assert out[-1] == "calibration 2 stands; --recalibrate --rollback 1 goes back"
    new = load_detector(model, device="cpu")
    assert [image.name for image in new.bank_images] == [*[image.name for image in old.bank_images], "odd.png"]
    assert new.score(odd) < 0.6 * old.score(odd)
    assert new.bank_picture("odd.png").width == 96
    assert new.record is not None
    assert old.record is not None
    assert (new.record.version, new.record.reason) == (2, "--learn-good odd.png: new supplier")
    assert [image.sha256 for image in new.record.scores] == [image.sha256 for image in old.record.scores]
    assert all(a.score <= b.score for a, b in zip(new.record.scores, old.record.scores, strict=True))
    kept = {name: content for name, content in before.items() if name.startswith(("bank/", "thumbnails/"))}
    assert {name.removeprefix("earlier/0001/"): c for name, c in files(model).items() if "earlier" in name} == kept
    assert main(["--recalibrate", "--rollback", "1", "--model", str(model)]) == 0
    back = load_detector(model, device="cpu")
    assert back.score(odd) == old.score(odd)
    assert {name: content for name, content in files(model).items() if name in kept} == kept
    assert f"{len(old.bank_images)} undamaged images" in (model / "card.md").read_text()
    assert main(["--recalibrate", "--rollback", "2", "--model", str(model)]) == 0
    assert load_detector(model, device="cpu").score(odd) == new.score(odd)


def test_forgetting_undoes_learning(model: Path, odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = load_detector(model, device="cpu")
    assert change("learn-good", model, odd, "--yes") == 0
    renamed = odd.rename(odd.with_name("renamed.png"))
    assert change("forget", model, renamed, "--yes", "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["images"], told["kept"], told["version"]) == (["odd.png"], True, 3)
    assert told["before"]["damaged"] == told["after"]["damaged"] == 3
    new = load_detector(model, device="cpu")
    for before, after in zip(old.banks, new.banks, strict=True):
        assert np.array_equal(before.vectors, after.vectors)
        assert np.array_equal(before.groups, after.groups)
    assert training_fingerprint(model) is not None
    versions = json.loads((model / "versions.json").read_text())
    assert [entry["action"] for entry in versions["versions"]] == ["train", "learn-good", "forget"]
    assert versions["of_calibration"] == [1, 2, 3]


def test_a_calibration_belongs_to_the_bank_that_made_its_scores(
    model: Path, odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = training_fingerprint(model)
    assert change("learn-good", model, odd, "--yes") == 0
    learnt = training_fingerprint(model)
    assert learnt != trained, "rows of a journal are those of another bank"
    recalibrate = ["--recalibrate", "--model", str(model)]
    assert main([*recalibrate, "--miss-cost", "2"]) == 0
    assert training_fingerprint(model) == learnt
    assert main([*recalibrate, "--rollback", "1"]) == 0
    assert training_fingerprint(model) == trained
    assert main([*recalibrate, "--miss-cost", "3"]) == 0
    assert json.loads((model / "versions.json").read_text())["of_calibration"] == [1, 2, 2, 1]
    assert main([*recalibrate, "--rollback", "3"]) == 0
    assert training_fingerprint(model) == learnt
    assert "odd.png" in [image.name for image in load_detector(model, device="cpu").bank_images]


@pytest.mark.slow
def test_a_copy_saved_in_python_has_every_bank(model: Path, odd: Path, tmp_path: Path) -> None:
    trained = load_detector(model, device="cpu")
    assert change("learn-good", model, odd, "--yes") == 0
    copy = tmp_path / "copy"
    learnt = load_detector(model, device="cpu")
    learnt.calibrate(reason="in Python").save(copy)
    assert json.loads((copy / "versions.json").read_text())["of_calibration"] == [1, 2, 2]
    assert main(["--recalibrate", "--rollback", "1", "--model", str(copy)]) == 0
    back = load_detector(copy, device="cpu")
    assert back.score(odd) == trained.score(odd)
    assert training_fingerprint(copy) == training_fingerprint_of(trained)
    learnt.save(model)
    assert (model / "earlier" / "0001" / "bank").is_dir()
    assert main(["--recalibrate", "--rollback", "1", "--model", str(model)]) == 0
    with pytest.raises(OutputError, match="has changed since it was read"):
        learnt.save(copy)


def training_fingerprint_of(detector: Detector) -> str:
    assert detector.source is not None
    return detector.source.training


@pytest.mark.parametrize("verb", ["recalibrate", "learn-good"])
def test_a_reason_in_bytes_that_are_no_text_is_kept(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    name = os.fsdecode(b"gr\xfcn.png")
    write_part(tmp_path / name, 950)
    words = [str(tmp_path / name), "--yes"] if verb == "learn-good" else ["--miss-cost", "2"]
    assert main([f"--{verb}", *words, "--model", str(model), "--reason", os.fsdecode(b"\xff\nb")]) == 0
    record = load_detector(model, device="cpu").record
    assert record is not None
    assert record.reason.endswith(os.fsdecode(b"\xff\nb"))
    assert "\\udcff\\nb" in (model / "card.md").read_text()


def test_a_learnt_picture_is_judged_and_forgetting_or_a_rollback_takes_that_back(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an operator calls good is no picture to refuse, and nothing is left of that when it is taken back."""

    def taken(seed: int, gain: float) -> Path:
        place = tmp_path / f"{seed} {gain}.png"
        Image.fromarray(np.clip(draw_part(seed) * gain, 0, 255).astype(np.uint8)).save(place)
        return place

    def label(path: Path) -> str | None:
        return load_detector(model, device="cpu").predict(path).label

    good, like_it, other_way = taken(700, 0.2), taken(701, 0.2), taken(702, 2.5)
    assert [label(path) for path in (good, like_it, other_way)] == ["not judged"] * 3
    before = files(model)
    assert change("learn-good", model, good, "--yes") == 0
    assert capsys.readouterr().out.splitlines()[-2].endswith("; not judged before, undamaged after")
    found = load_detector(model, device="cpu").predict(good)
    assert (found.label, found.quality.warnings) == ("undamaged", ())
    assert [label(path) for path in (like_it, other_way)] == ["undamaged", "not judged"]
    learnt = files(model)
    assert {name for name in learnt if "learnt" in name} == {"bank/learnt.json"}
    assert {name: c for name, c in learnt.items() if name.startswith("capture/")} == {
        name: c for name, c in before.items() if name.startswith("capture/")
    }
    assert main(["--recalibrate", "--rollback", "1", "--model", str(model)]) == 0
    assert label(good) == "not judged"
    assert main(["--recalibrate", "--rollback", "2", "--model", str(model)]) == 0
    assert label(good) == "undamaged"
    assert change("forget", model, good, "--yes") == 0
    assert label(good) == "not judged"
    after = files(model)
    kept = {name: c for name, c in before.items() if name.startswith(("bank/", "capture/", "thumbnails/"))}
    assert {name: c for name, c in after.items() if name.startswith(("bank/", "capture/", "thumbnails/"))} == kept


def test_forgetting_by_name_and_what_is_not_there(model: Path, odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(model)
    name = load_detector(model, device="cpu").bank_images[2].name
    for wrong in (odd, "good/none.png"):
        assert change("forget", model, name, wrong, "--yes") == 1
        assert capsys.readouterr().err.startswith("error: expected an image of the memory bank")
    everything = [image.name for image in load_detector(model, device="cpu").bank_images]
    assert change("forget", model, *everything[1:], "--yes") == 1
    assert "at least 2 undamaged images to stay" in capsys.readouterr().err
    assert files(model) == before
    assert change("forget", model, name, "--yes") == 0
    assert name not in [image.name for image in load_detector(model, device="cpu").bank_images]
    capsys.readouterr()
    assert change("forget", model, name, "--yes") == 1
    assert capsys.readouterr().err == (
        f"error: expected an image of the memory bank, but {name} was taken out of it before: nothing was changed\n"
    )


def test_what_training_left_out_cannot_be_forgotten(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stands in splits.csv, so that its name is no mistake."""
    detector = load_detector(model, device="cpu")
    file = write_part(tmp_path / "left.png", 1234)
    splits = detector.provenance.splits
    first = next(entry for entry in splits if entry.split == "bank")
    entry = replace(first, name="good/left.png", sha256=content_hash(file))
    other = tmp_path / "other"
    save_detector(
        replace(detector, provenance=replace(detector.provenance, splits=(*splits, entry)), source=None), other
    )
    for named in ("good/left.png", file):
        assert change("forget", other, named, "--yes") == 1
        assert capsys.readouterr().err == (
            f"error: expected an image of the memory bank, but {named} was left out of it in training: nothing was "
            "changed\n"
        )


def test_what_a_figure_rests_on_is_not_learnt(
    model: Path, parts_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(model)
    words = {"bank": "in the memory bank already", "validation": "a validation image", "test": "in the test split"}
    for entry in load_detector(model, device="cpu").provenance.splits:
        assert change("learn-good", model, parts_folder / entry.name, "--yes") == 1
        assert words[entry.split] in capsys.readouterr().err
    assert files(model) == before


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "kept"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_on_a_terminal_it_is_asked(
    model: Path, odd: Path, answer: str, kept: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(model)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert change("learn-good", model, odd) == 0
    out, err = capsys.readouterr()
    assert "validation after: " in out
    assert err.startswith("Keep this? [y/N]\n")
    assert (files(model) != before) == kept
    assert ("nothing was changed" in err) == (not kept)


def test_elsewhere_nothing_is_kept_without_yes(
    model: Path, odd: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(model)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert change("learn-good", model, odd) == 1
    out, err = capsys.readouterr()
    assert "validation after: " in out
    assert err == "error: nothing was kept, since nobody can be asked here: repeat it with --yes\n"
    assert files(model) == before


def test_a_script_that_reads_json_is_not_asked(
    model: Path, odd: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(model)
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert change("learn-good", model, odd, "--json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["kept"] is False
    assert "Keep this?" not in err
    assert files(model) == before


def test_the_validation_images_have_to_be_there(
    model: Path, parts_folder: Path, odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_part(tmp_path / "elsewhere" / "good" / "a.png", 9999)
    assert change("learn-good", model, odd, "--yes", "--data", tmp_path / "elsewhere") == 1
    assert "none of the 3 damaged validation images is in " in capsys.readouterr().err
    some = Path(shutil.copytree(parts_folder, tmp_path / "some"))
    record = load_detector(model, device="cpu").record
    assert record is not None
    (some / next(image.name for image in record.scores if image.label == "undamaged")).unlink()
    call = ["--learn-good", str(odd), "--model", str(model), "--device", "cpu", "--yes", "--data", str(some)]
    assert main(call) == 0
    out, err = capsys.readouterr()
    assert f"1 of 6 validation images is not in {some}: it would no longer count\n" in err
    assert "validation before: 0 of 3 damaged missed, 0 of 2 undamaged flagged" in out


@pytest.fixture
def reserve(tmp_path: Path) -> Path:
    """Images that were labelled after the training."""
    return write_dataset(tmp_path / "all" / "reserve", undamaged=3, damaged=2, seed=3000)


def recalibrate(model: Path, *words: str | Path) -> None:
    assert main(["--recalibrate", "--model", str(model), "--device", "cpu", "--quiet", *map(str, words)]) == 0


@pytest.mark.slow
def test_labelled_images_that_are_not_found_are_told_of_wherever_one_looks(
    model: Path, odd: Path, reserve: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A calibration must not lose most of what it rests on with --quiet as the only witness."""
    recalibrate(model, "--data", reserve)
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert change("learn-good", model, odd) == 0
    out, err = capsys.readouterr()
    assert (
        "calibration 2 has 11 labelled images: 6 found and counted for the new one, 5 no longer count, not in " in out
    )
    assert "; name a folder that holds all of them with --data, one above theirs where they are in several\n" in out
    assert err.startswith("5 of 11 validation images are not in ")
    assert err.endswith(" and would no longer count. Keep this? [y/N]\nnothing was changed\n")
    assert change("learn-good", model, odd, "--yes", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["labelled"] == {"standing": 11, "found": 6, "missing": 5}
    assert (told["after"]["undamaged"], told["after"]["damaged"]) == (3, 3)


@pytest.mark.slow
def test_labelled_images_in_several_folders_are_found_below_one_above(
    model: Path, odd: Path, reserve: Path, parts_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recalibrate(model, "--data", reserve)
    shutil.copytree(parts_folder, reserve.parent / "parts")
    capsys.readouterr()
    assert change("learn-good", model, odd, "--yes", "--data", reserve.parent) == 0
    out, err = capsys.readouterr()
    assert "calibration 2 has 11 labelled images, all found and counted for the new one\n" in out
    assert err == ""
    old, new = (record for record in records(model)[1:])
    assert [(i.name, i.sha256, i.label) for i in new.scores] == [(i.name, i.sha256, i.label) for i in old.scores]


@pytest.mark.slow
def test_a_promise_that_fails_for_want_of_images_names_them(
    model: Path, reserve: Path, parts_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """5 damaged images carry this promise, and the 3 of them that the training has do not."""
    recalibrate(model, "--data", reserve, "--max-miss-rate", "0.3", "--confidence", "0.8")
    name = load_detector(model, device="cpu").bank_images[0].name
    before = files(model)
    capsys.readouterr()
    assert change("forget", model, name, "--yes") == 1
    assert capsys.readouterr().err == (
        f"error: 5 of 11 validation images are not in {parts_folder}, and without them the rate that calibration 2 "
        "promises cannot be kept: name a folder that holds all of them with --data, one above theirs where they are in "
        "several\n"
    )
    assert files(model) == before
    shutil.copytree(parts_folder, reserve.parent / "parts")
    assert change("forget", model, name, "--yes", "--data", reserve.parent) == 0
    assert records(model)[-1].calibration.target == 0.3


def records(model: Path) -> tuple[CalibrationRecord, ...]:
    history = load_detector(model, device="cpu").history
    assert history is not None
    return history.records


@pytest.fixture
def typed(model: Path) -> Path:
    """The model under a calibration whose thresholds by part type let every damaged gear and spring pass."""
    detector = load_detector(model, device="cpu")
    assert detector.record is not None
    scores = tuple(
        replace(image, part_type="gear" if number % 2 else "spring")
        for number, image in enumerate(detector.record.scores)
    )
    own = {}
    for name in ("gear", "spring"):
        found = calibrate(*scores_by_label([image for image in scores if image.part_type == name]))
        own[name] = replace(found, threshold=50.0, misses=found.n_damaged, false_alarms=0)
    calibration = replace(detector.record.calibration, by_part_type=own)
    record = replace(detector.record, scores=scores, calibration=calibration)
    save_calibration(detector.with_history(CalibrationHistory((record,), 1)), model)
    return model


def test_thresholds_by_part_type_are_shown_with_the_verdicts_by_them(
    typed: Path, odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts stand beside the threshold that makes them, and --info counts alike."""
    common = records(typed)[-1].calibration.threshold
    assert main(["--info", "--model", str(typed)]) == 0
    assert "0 of 3 damaged missed, 0 of 3 undamaged flagged on validation" in capsys.readouterr().out
    assert change("learn-good", typed, odd) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[2].startswith("validation before, by the common threshold: 0 of 3 damaged missed, 0 of 3 undamaged")
    assert out[3].startswith("validation after, by the common threshold: ")
    assert out[4].startswith(f"common threshold {common:.6g} before, ")
    assert out[5] == (
        "thresholds by part type before: gear 50, spring 50; with these 3 of 3 damaged missed, 0 of 3 undamaged flagged"
    )
    assert out[6] == "thresholds by part type after: none, the common one holds for all"
    assert change("learn-good", typed, odd, "--yes", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["before"]["misses"], told["before"]["threshold"]) == (0, common)
    assert told["before"]["part_type_thresholds"] == {"gear": 50.0, "spring": 50.0}
    assert told["before"]["by_part_type"] == {
        "undamaged": 3, "damaged": 3, "misses": 3, "false_alarms": 0, "reinspected": 0
    }  # fmt: skip
    assert (told["after"]["part_type_thresholds"], told["after"]["by_part_type"]) == ({}, None)
    kept = records(typed)[-1].calibration
    assert (told["after"]["misses"], told["after"]["false_alarms"]) == (kept.misses, kept.false_alarms)
    assert told["after"]["threshold"] == kept.threshold


def test_an_image_that_cannot_be_read_changes_nothing(
    model: Path, odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(model)
    (tmp_path / "empty.png").write_bytes(b"")
    assert change("learn-good", model, odd, tmp_path / "empty.png", "--yes") == 1
    assert "empty.png" in capsys.readouterr().err
    assert files(model) == before


def test_what_fails_while_it_is_written_leaves_the_model_as_it_was(
    model: Path, odd: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(model)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("anomaly.detector.trained_model.write_thumbnails", full)
    assert change("learn-good", model, odd, "--yes") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert files(model) == before
    assert [path.name for path in model.parent.iterdir() if path.name.startswith(".")] == []
