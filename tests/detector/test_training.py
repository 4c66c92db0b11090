from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from anomaly.calibration import ScoredImage
from anomaly.config import BankConfig, Config, GeometryConfig, SelectionConfig
from anomaly.dataset import LabelledImage, read_dataset
from anomaly.detector import Detector, training
from anomaly.detector.memory import Memory
from anomaly.detector.patchcore import PatchCore
from anomaly.detector.progress import silent
from anomaly.detector.selection import Selection
from anomaly.types import UNDAMAGED
from tests.parts import write_dataset

SMALL = Config(
    geometry=GeometryConfig(64),
    bank=BankConfig(max_rows=300),
    selection=SelectionConfig(sizes=(64,), smoothing=(0.5,), top_share=(0.01,), turns=()),
)
HIGH, LOW = 0.4, 0.01


@pytest.mark.parametrize(
    ("trial", "losses", "steps"),
    [
        (None, [HIGH], ["looked", "filled with a c"]),
        (HIGH, [LOW], ["looked", "filled with a c"]),
        (LOW, [LOW], ["filled with a b c"]),
        (LOW, [HIGH, LOW], ["filled with a b c", "looked", "filled with a c"]),
    ],
    ids=["no trial", "trial misses damage", "told apart", "only the trial tells apart"],
)
def test_mislabelled_images_are_looked_for_unless_the_labels_are_told_apart(
    trial: float | None, losses: list[float], steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    reached = iter(losses)
    detector = cast(Detector, None)  # nobody looks at it
    scored = (ScoredImage("d.png", "0" * 64, "damaged", 2.0),)

    def fill(remember: Any, config: Config, bank: list[LabelledImage], *_: Any, **__: Any) -> Memory:
        done.append("filled with " + " ".join(image.name for image in bank))
        return Memory(detector, scored, np.array([next(reached)]))

    def look(*_: Any) -> tuple[int, ...]:
        done.append("looked")
        return (1,)

    monkeypatch.setattr(training, "fill", fill)
    monkeypatch.setattr(training, "_mislabelled", look)
    bank = [LabelledImage(Path(name), name, UNDAMAGED) for name in "abc"]
    selection = Selection(SMALL, (), loss=trial)
    _, left_out = training._first_memory(selection, PatchCore(SMALL), lambda *_: detector, bank, [], silent)
    assert done == steps
    assert left_out == ((1,) if "looked" in steps else ())


@pytest.mark.slow
@pytest.mark.parametrize("automatic", [True, False])
def test_every_validation_image_calibrates_once(tmp_path: Path, automatic: bool) -> None:
    folder = write_dataset(tmp_path / "parts", undamaged=26, damaged=12)
    config = replace(SMALL, selection=replace(SMALL.selection, automatic=automatic))
    made = training.train(read_dataset(folder), config, data="parts", device="cpu")
    assert made.detector.record is not None
    scores = {image.name: image.score for image in made.detector.record.scores}
    validation = made.split.select("validation")
    assert sorted(scores) == sorted(image.name for image in validation)
    assert scores == {image.name: image.score for image in made.detector.score_labelled(validation)}
    assert made.detector.record.source == f"{len(validation)} new scores"
