"""Trained models of every format version that was ever released load, and say what they said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomaly import Detector
from tests.parts import draw_part

FOLDERS = sorted(Path(__file__).parent.glob("format-*"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_old_trained_model_still_judges_as_it_did(folder: Path) -> None:
    detector = Detector.load(folder / "trained", device="cpu")
    expected = json.loads((folder / "expected.json").read_text())
    for name, damaged in (("good", False), ("bad", True)):
        prediction = detector.predict(draw_part(800, damaged=damaged))
        assert prediction.label == expected[name]["label"]
        assert prediction.threshold == expected[name]["threshold"]
        assert prediction.score == pytest.approx(expected[name]["score"], rel=1e-3)


def test_there_is_one() -> None:
    assert [folder.name for folder in FOLDERS] == ["format-1"]
