"""``--learn-good`` and ``--forget``: shown first, kept if wanted, and taken back by a rollback."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.cli import main
from anomaly.detector import load_detector, training_fingerprint
from tests.parts import draw_part, write_part


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
    assert "1 of 6 validation images are not in" in err
    assert "validation before: 0 of 3 damaged missed, 0 of 2 undamaged flagged" in out


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

    monkeypatch.setattr("anomaly.detector.trained_model._write_thumbnails", full)
    assert change("learn-good", model, odd, "--yes") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert files(model) == before
    assert [path.name for path in model.parent.iterdir() if path.name.startswith(".")] == []
