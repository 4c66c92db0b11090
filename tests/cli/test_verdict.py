from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from anomaly.cli import main
from anomaly.cli.options import DEFAULT_MODEL
from anomaly.detector import load_detector
from anomaly.journal import Journal
from tests.parts import write_part


@pytest.fixture
def model(trained_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_model, tmp_path / "model"))


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return [write_part(tmp_path / "photos" / f"{i}.png", 900 + i, damaged=i > 2) for i in range(4)]


@pytest.fixture
def journal(model: Path, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "j.sqlite"
    words = ["--predict", *map(str, images), "--model", str(model), "--device", "cpu", "--journal", str(path)]
    assert main([*words, "--quiet"]) == 0
    capsys.readouterr()
    return path


def record(journal: Path, truth: str, *words: str | Path) -> int:
    return main(["--verdict", *map(str, words), "--truth", truth, "--journal", str(journal)])


def test_verdicts_become_validation_scores(
    model: Path, images: list[Path], journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = images[1].rename(tmp_path / "moved.png")
    assert record(journal, "undamaged", images[0], moved) == 0
    assert (
        capsys.readouterr().out
        == f"{images[0]}  undamaged  (judged undamaged)\n{moved}  undamaged  (judged undamaged)\n"
    )
    assert record(journal, "undamaged", images[3], "--reason", "a shadow") == 0
    assert record(journal, "damaged", images[3], "--json", "--reason", "no shadow") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["truth"] == "damaged"
    before = load_detector(model, device="cpu").record
    for image in (images[0], moved, images[3]):
        image.unlink()
    assert main(["--recalibrate", "--from-journal", str(journal), "--model", str(model)]) == 0
    err = capsys.readouterr().err
    assert "3 verdicts of operators from the journal, 1 of them on images that had been flagged" in err
    after = load_detector(model, device="cpu").record
    assert before is not None
    assert after is not None
    new = after.scores[len(before.scores) :]
    with Journal(journal, read_only=True) as opened:
        judged = {entry.sha256: entry.score for entry in opened.read()}
        assert [verdict.note for verdict in opened.verdicts()] == ["", "", "no shadow"]
    assert [(image.label, image.score) for image in new] == [(i.label, judged[i.sha256]) for i in new]
    assert [image.label for image in new] == ["undamaged", "undamaged", "damaged"]
    assert after.source.endswith("and 3 new scores")
    assert after.reason == f"--from-journal {journal}"
    assert main(["--recalibrate", "--from-journal", str(journal), "--model", str(model)]) == 0
    again = load_detector(model, device="cpu").record
    assert again is not None
    assert (again.source, len(again.scores)) == (
        f"{len(before.scores)} stored scores and 3 new scores",
        len(after.scores),
    )


def test_the_last_row_counts_and_none_is_read_as_a_whole(
    model: Path,
    images: list[Path],
    journal: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Journal(journal) as opened:
        first, last = opened.read()[0], opened.read()[-1]
        opened.append(replace(first, score=first.score + 1))
        opened.append(replace(first, score=first.score + 2, label="reinspect", model="other"))
        opened.append(replace(last, label="not judged"))
    monkeypatch.setattr(Journal, "read", lambda *_, **__: pytest.fail("read every row"))
    assert record(journal, "undamaged", images[0], "--part-type", "disc") == 0
    assert record(journal, "damaged", images[3], "--json") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{images[0]}  undamaged  (judged reinspect)"
    assert json.loads(out[1]) == {"path": str(images[3]), "truth": "damaged", "label": "not judged"}
    assert main(["--recalibrate", "--from-journal", str(journal), "--model", str(model)]) == 0
    err = capsys.readouterr().err
    assert "1 verdict of operators from the journal, 0 of them on images that had been flagged" in err
    assert "not used: 1 verdict on pictures that were not judged" in err
    found = load_detector(model, device="cpu").record
    assert found is not None
    new = found.scores[-1]
    assert (new.sha256, new.score, new.part_type) == (first.sha256, first.score + 1, "disc")


def test_only_judged_images_get_a_verdict(
    images: list[Path], journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = write_part(tmp_path / "stranger.png", 77)
    assert record(journal, "damaged", images[0], stranger) == 1
    err = capsys.readouterr().err
    assert "1 of 2 images was never judged in this journal, the first is " in err
    assert "stranger.png: judge it with --predict" in err
    with Journal(journal, read_only=True) as opened:
        assert opened.verdicts() == ()
    assert record(journal, "damaged", images[0], tmp_path / "none.png") == 1
    assert "none.png" in capsys.readouterr().err
    with Journal(journal, read_only=True) as opened:
        assert len(opened.verdicts()) == 1
    assert record(tmp_path / "none.sqlite", "damaged", images[0]) == 1
    assert "there is no journal" in capsys.readouterr().err
    assert not (tmp_path / "none.sqlite").exists()


def test_a_verdict_on_an_image_of_the_memory_bank_is_left_out_and_said(
    model: Path, images: list[Path], journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record(journal, "undamaged", images[0], images[1]) == 0
    assert main(["--learn-good", str(images[0]), "--model", str(model), "--device", "cpu", "--yes"]) == 0
    call = ["--recalibrate", "--from-journal", str(journal), "--model", str(model)]
    assert main(call) == 1
    assert "judge images with --predict --journal" in capsys.readouterr().err
    again = ["--predict", str(images[0]), str(images[1]), "--model", str(model), "--journal", str(journal), "--quiet"]
    assert main(again) == 0
    assert main(call) == 0
    err = capsys.readouterr().err
    assert "1 verdict of operators" in err
    assert "not used: 1 verdict on images of the memory bank" in err


def test_without_a_usable_verdict_nothing_changes(
    model: Path, journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--recalibrate", "--from-journal", str(journal), "--model", str(model)]
    assert main(call) == 1
    assert "has 0 verdicts" in capsys.readouterr().err
    history = load_detector(model, device="cpu").history
    assert history is not None
    assert len(history.records) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--journal", "j"], "--verdict needs --truth LABEL"),
        (["--truth", "damaged"], "--verdict needs --journal FILE"),
        (["--truth", "broken", "--journal", "j"], "broken"),
    ],
)
def test_usage(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--verdict", "a.png", *words]) == 2
    assert told in capsys.readouterr().err


def test_verdicts_on_test_images_are_taken_but_said(
    model: Path, parts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    splits = load_detector(model, device="cpu").provenance.splits
    image = parts_folder / next(entry.name for entry in splits if entry.split == "test")
    journal = tmp_path / "test.sqlite"
    assert main(["--predict", str(image), "--model", str(model), "--device", "cpu", "--journal", str(journal)]) == 0
    assert record(journal, "damaged", image) == 0
    capsys.readouterr()
    assert main(["--recalibrate", "--from-journal", str(journal), "--model", str(model)]) == 0
    assert "1 of these images are in the test split" in capsys.readouterr().err


@pytest.fixture
def typed(model: Path, images: list[Path], journal: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The model, once it knows a part type, and another one in the journal that it does not know."""
    assert record(journal, "undamaged", images[0], "--part-type", "disc") == 0
    assert main(["--recalibrate", "--from-journal", str(journal), "--model", str(model)]) == 0
    assert record(journal, "undamaged", images[1], "--part-type", "disk") == 0
    capsys.readouterr()
    return model


def test_a_part_type_that_the_model_at_hand_does_not_know_is_refused(
    typed: Path,
    images: list[Path],
    journal: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A misspelt type must not become one that --predict --part-type accepts."""
    with Journal(journal, read_only=True) as opened:
        before = opened.verdicts()
    typed.rename(typed.with_name(DEFAULT_MODEL))
    monkeypatch.chdir(typed.parent)
    assert record(journal, "damaged", images[2], "--part-type", "disk") == 1
    told = capsys.readouterr().err
    assert told == (
        "error: expected a part type that this trained model knows (disc), got disk: correct --part-type or leave it "
        "out\n"
    )
    with Journal(journal, read_only=True) as opened:
        assert opened.verdicts() == before
    assert record(journal, "undamaged", images[2], "--part-type", "disc") == 0
    assert capsys.readouterr().err == ""


def test_the_model_that_knows_the_part_types_can_be_named(
    typed: Path, images: list[Path], journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record(journal, "damaged", images[2], "--part-type", "disk", "--model", typed) == 1
    assert "expected a part type that this trained model knows (disc), got disk" in capsys.readouterr().err
    assert record(journal, "damaged", images[2], "--part-type", "disk", "--model", tmp_path / "none") == 1
    assert "none" in capsys.readouterr().err
    with Journal(journal, read_only=True) as opened:
        assert len(opened.verdicts()) == 2
    assert record(journal, "damaged", images[2], "--part-type", "disc", "--model", typed) == 0
    assert capsys.readouterr().err == ""
    assert main(["--learn-good", str(images[2]), "--model", str(typed), "--device", "cpu", "--yes", "--quiet"]) == 0
    capsys.readouterr()
    assert record(journal, "undamaged", images[2], "--part-type", "disk", "--model", typed) == 0
    assert "has judged none of these images as it stands: the part type is not checked" in capsys.readouterr().err


def test_a_part_type_that_nobody_could_check_is_left_aside_later(
    typed: Path, images: list[Path], journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--recalibrate", "--from-journal", str(journal), "--model", str(typed)]
    assert main(call) == 0
    assert (
        "not used: 1 verdict on part types that the trained model does not know (disk): correct"
        in capsys.readouterr().err
    )
    found = load_detector(typed, device="cpu").record
    assert found is not None
    assert {image.part_type for image in found.scores} == {"", "disc"}
    assert record(journal, "undamaged", images[0], "--part-type", "disk") == 0
    capsys.readouterr()
    assert main(call) == 1
    assert (
        "learnt from, but on part types that the trained model does not know (disk): judge" in capsys.readouterr().err
    )
