from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.cli import main
from anomaly.detector import Detector
from anomaly.imaging import content_hash
from anomaly.journal import Journal
from anomaly.types import Prediction
from tests.parts import draw_part, write_part


def test_a_row_per_judged_image(trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = (write_part(tmp_path / f"{name}.png", 801, damaged=name == "bad") for name in ("good", "bad"))
    dark = tmp_path / "dark.png"
    Image.fromarray((draw_part(801) * 0.2).astype(np.uint8)).save(dark)
    journal = tmp_path / "j.sqlite"
    call = ["--predict", str(good), str(bad), str(dark), str(tmp_path / "none.png"), "--model", str(trained_model)]
    assert main([*call, "--device", "cpu", "--journal", str(journal), "--json"]) == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    with Journal(journal, read_only=True) as opened:
        rows = opened.read()
    assert [row.path for row in rows] == [str(good), str(bad), str(dark)]
    for row, line in zip(rows, told, strict=False):
        assert (row.label, row.score, row.threshold) == (line["label"], line["score"], line["threshold"])
        assert list(row.warnings) == line["quality"]["warnings"]
        assert row.measures["brightness"] == line["quality"]["brightness"]
        assert row.calibration_version == 1
    assert [row.label for row in rows] == ["undamaged", "damaged", "not judged"]
    assert len({row.model for row in rows}) == 1
    assert len({row.sha256 for row in rows}) == 3


def test_a_row_knows_the_photograph_that_was_judged_though_another_took_its_place(
    trained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph, next_one = write_part(tmp_path / "live.png", 801), write_part(tmp_path / "next.png", 802, damaged=True)
    judged, predict = content_hash(photograph), Detector.predict

    def replaced_meanwhile(self: Detector, image: str, *, part_type: str = "") -> Prediction:
        found = predict(self, image, part_type=part_type)
        next_one.replace(photograph)
        return found

    monkeypatch.setattr(Detector, "predict", replaced_meanwhile)
    call = ["--predict", str(photograph), "--model", str(trained_model), "--device", "cpu"]
    assert main([*call, "--journal", str(tmp_path / "j.sqlite")]) == 0
    with Journal(tmp_path / "j.sqlite", read_only=True) as opened:
        (row,) = opened.read()
    assert (row.path, row.sha256) == (str(photograph), judged)


def test_not_judged_in_text_and_status(trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dark = tmp_path / "dark.png"
    Image.fromarray((draw_part(801) * 0.2).astype(np.uint8)).save(dark)
    call = ["--predict", str(dark), "--model", str(trained_model), "--device", "cpu", "--exit-code"]
    table = tmp_path / "t.csv"
    assert main([*call, "--csv", str(table)]) == 3
    line = capsys.readouterr().out
    assert f"{dark}  not judged  score" in line
    assert "picture: darker than ordinary" in line
    assert ",not judged," in table.read_text()
    main([*call, "--no-capture-check"])
    assert "not judged" not in capsys.readouterr().out


def test_an_impossible_journal_is_refused_before_the_work(
    trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = write_part(tmp_path / "a.png", 1)
    call = ["--predict", str(image), "--model", str(trained_model), "--journal"]
    assert main([*call, str(image)]) == 1
    assert "one of the images" in capsys.readouterr().err
    assert main([*call, str(tmp_path / "none" / "j.sqlite")]) == 1
    assert "cannot use the journal" in capsys.readouterr().err
