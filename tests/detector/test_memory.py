from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from anomaly.config import Config
from anomaly.dataset import LabelledImage
from anomaly.detector import Detector, load_detector
from anomaly.detector.memory import Memory, fill
from anomaly.detector.progress import Progress
from anomaly.types import DAMAGED, UNDAMAGED
from tests.parts import write_part


@pytest.fixture(scope="module")
def detector(trained_model: Path) -> Detector:
    return load_detector(trained_model)


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledImage]:
    folder = tmp_path_factory.mktemp("validation")

    def write(seed: int, *, damaged: bool) -> LabelledImage:
        path = folder / f"{seed}.png"
        write_part(path, seed, damaged=damaged)
        return LabelledImage(path, path.name, DAMAGED if damaged else UNDAMAGED)

    return [write(900 + seed, damaged=seed % 2 == 1) for seed in range(10)]


def test_the_memory_is_tried_on_validation_images(detector: Detector, validation: list[LabelledImage]) -> None:
    asked, said = [], []

    def remember(config: Config, images: Sequence[LabelledImage], progress: Progress) -> Detector:
        asked.append((config, tuple(images)))
        progress("embedding", 1, 1)
        return detector

    bank = [LabelledImage(Path("a.png"), "a.png", UNDAMAGED)]
    told = fill(remember, detector.config, bank, validation, how="anew", progress=lambda *about: said.append(about))
    assert asked == [(detector.config, tuple(bank))]
    assert told.detector is detector
    assert sorted(told.scored, key=lambda image: image.name) == sorted(
        detector.score_labelled(validation), key=lambda image: image.name
    )
    assert [image.label for image in told.scored] == [UNDAMAGED] * 5 + [DAMAGED] * 5
    assert told.losses.shape == (10,)
    assert (said[0], said[-1]) == (("embedding, anew", 1, 1), ("trying the memory, anew", 10, 10))


def test_too_few_labels_try_nothing(detector: Detector, validation: list[LabelledImage]) -> None:
    told = fill(lambda *_: detector, detector.config, [], validation[:9])
    assert (told.detector, told.scored, told.losses.size) == (detector, (), 0)
    assert not told.tells_apart


def test_labels_are_told_apart_where_the_mean_loss_is_low(detector: Detector, validation: list[LabelledImage]) -> None:
    scored = detector.score_labelled(validation[:2])
    assert Memory(detector, scored, np.array([0.09, 0.009])).tells_apart
    assert not Memory(detector, scored, np.array([0.09, 0.02])).tells_apart
