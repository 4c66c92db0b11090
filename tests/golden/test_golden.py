"""Trained models of every format version that was ever released load, and say what they said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomaly import Detector
from anomaly.detector.model_reading import FORMAT
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
    assert [folder.name for folder in FOLDERS] == [f"format-{number}" for number in range(1, FORMAT + 1)]


def test_what_was_measured_on_proven_maps_is_still_compared_with_such(tmp_path: Path) -> None:
    """The ordinary pictures of a model of format 1 were measured with every distance proven."""
    old, new = (Detector.load(folder / "trained", device="cpu") for folder in FOLDERS[:2])
    assert old.config.scoring.whole_map
    assert not new.config.scoring.whole_map
    old.save(tmp_path / "again")
    assert Detector.load(tmp_path / "again", device="cpu").config.scoring.whole_map
