"""What ``--train`` says of mislabelled training images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from anomaly.cli import main
from anomaly.cli.suspects import _suspicion, suspect_lines
from anomaly.config import Config
from anomaly.detector import load_detector
from anomaly.detector.suspects import Suspect
from anomaly.errors import OutputError
from anomaly.imaging import load_image
from tests.parts import TINY, write_dataset, write_part

pytestmark = pytest.mark.slow


def test_they_are_listed_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, model = write_dataset(tmp_path / "data", undamaged=24, damaged=8), tmp_path / "model"
    rows = ["path,label,split"]
    for i in range(24):
        rows.append(f"good/good_{i:02d}.png,undamaged,{'bank' if i < 16 else 'validation'}")
    rows += [f"defect/bad_{i:02d}.png,damaged,validation" for i in range(8)]
    for i in range(2):
        write_part(data / "good" / f"wrong_{i}.png", 700 + i, damaged=True)
        rows.append(f"good/wrong_{i}.png,undamaged,bank")
    (data / "labels.csv").write_text("\n".join(rows) + "\n")
    call = ["--train", "--data", str(data), "--model", str(model), "--device", "cpu", *TINY]
    assert main([*call, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["suspects"]
    wrong = {"good/wrong_0.png", "good/wrong_1.png"}
    assert wrong <= {suspect["image"] for suspect in told}
    left_out = {suspect["image"] for suspect in told if suspect["left_out"]}
    assert left_out & wrong, "validation images show such damage"
    detector = load_detector(model, device="cpu")
    assert not left_out & {image.name for image in detector.bank_images}
    assert any("left out of the memory bank" in note for note in detector.provenance.notes)
    folder = tmp_path / "model-suspects"
    for suspect in told:
        assert suspect["score"] > suspect["limit"] or suspect["left_out"]
        assert Path(suspect["heatmap"]).parent == folder
        assert load_image(suspect["heatmap"], limits=Config().image).shape[2] == 3
    (folder / "mine.txt").write_text("keep")
    shutil.copy(told[0]["heatmap"], folder / "suspect-99_old.png")
    assert main(call) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("suspects: ") and line.endswith(f"; heatmaps in {folder}") for line in lines)
    assert [line.split("  ")[0] for line in lines if line.startswith("suspect ")] == [
        f"suspect {suspect['image']}" for suspect in told
    ]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["mine.txt", *(Path(suspect["heatmap"]).name for suspect in told)]
    )


def test_where_they_cannot_be_drawn_the_trained_model_is_told_of_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> dict[str, Path]:
        raise OutputError("cannot write x (No space left on device)", path="x")

    monkeypatch.setattr("anomaly.cli.train.draw_suspects", full)
    data, model = write_dataset(tmp_path / "data", undamaged=12, damaged=4), tmp_path / "model"
    assert main(["--train", "--data", str(data), "--model", str(model), "--device", "cpu", "--quiet", *TINY]) == 1
    out, err = capsys.readouterr()
    assert "saved to " in out
    assert err == (
        "error: the training images that look damaged could not be drawn: cannot write x (No space left on device)\n"
    )


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ([(2.0, False), (1.9, True), (0.5, True)], "2 of the 12 {} look {}, 1 of them left out; 1 more was left out"),
        ([(2.0, False), (0.5, True), (0.4, True)], "1 of the 12 {} looks {}; 2 more were left out"),
        ([(2.0, False), (1.9, False)], "2 of the 10 {} look {}, none left out"),
        ([(2.0, True)], "1 of the 11 {} looks {}, 1 of them left out"),
    ],
)
def test_the_sum_says_how_many_names_follow(facts: list[tuple[float, bool]], told: str, tmp_path: Path) -> None:
    suspects = [Suspect(f"{i}.png", score, 1.0, left_out) for i, (score, left_out) in enumerate(facts)]
    training = SimpleNamespace(suspects=suspects, detector=SimpleNamespace(bank_images=range(10)))
    first, *names = suspect_lines(training, {}, tmp_path)  # type: ignore[arg-type]
    words = "undamaged images for the memory bank", "damaged among the others (score above 1.00 without their own rows)"
    assert first == f"suspects: {told.format(*words)}"
    assert len(names) == len(suspects)


@pytest.mark.parametrize(("left_out", "fate"), [(True, "left out of the memory bank"), (False, "in the memory bank")])
def test_the_picture_says_why_an_image_is_suspected(left_out: bool, fate: str) -> None:
    told = _suspicion(Suspect("good/a.png", 0.924, 0.809, left_out))
    assert told == f"Labelled undamaged, looks damaged: score 0.924, limit 0.809 among the others; {fate}"
