from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from anomaly import Detector, PatchCore
from anomaly.config import BankConfig
from anomaly.dataset import LabelledImage
from anomaly.detector.bank_change import without_images
from anomaly.detector.leave_out import _look, _score, choose_to_leave_out
from anomaly.detector.suspects import own_scores
from tests.detector.conftest import PLANTED, SMALL
from tests.parts import write_part


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledImage]:
    folder = tmp_path_factory.mktemp("validation")
    images = []
    for i in range(16):
        path = write_part(folder / f"{i}.png", 300 + i, damaged=i % 2 == 0)
        images.append(LabelledImage(path, path.name, "damaged" if i % 2 == 0 else "undamaged"))
    return images


def test_the_mislabelled_ones_are_left_out_and_no_good_one(
    mixed_detector: Detector, mixed_paths: list[Path], validation: list[LabelledImage]
) -> None:
    found = choose_to_leave_out(mixed_detector, own_scores(mixed_detector, mixed_paths), validation)
    assert found
    assert set(found) <= set(PLANTED)
    without = without_images(mixed_detector, found)
    gap = [
        min(d.score(i.path) for i in validation if i.label == "damaged")
        - max(d.score(i.path) for i in validation if i.label == "undamaged")
        for d in (mixed_detector, without)
    ]
    assert gap[1] > gap[0]


def test_good_images_alone_stay(validation: list[LabelledImage], mixed_paths: list[Path]) -> None:
    good = [path for i, path in enumerate(mixed_paths) if i not in PLANTED]
    detector = PatchCore(SMALL, device="cpu").fit(good)
    assert len(choose_to_leave_out(detector, own_scores(detector, good), validation)) <= 1


def test_few_validation_images_decide_nothing(
    mixed_detector: Detector, mixed_paths: list[Path], validation: list[LabelledImage]
) -> None:
    assert choose_to_leave_out(mixed_detector, own_scores(mixed_detector, mixed_paths), validation[:9]) == ()


@pytest.mark.parametrize("neighbours", [1, 3])
def test_scores_without_an_image_are_those_of_the_bank_without_it(
    mixed_detector: Detector, validation: list[LabelledImage], neighbours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomaly.detector.leave_out._NEIGHBOURS", 300)
    config = dataclasses.replace(mixed_detector.config, bank=BankConfig(max_rows=300, neighbours=neighbours))
    detector = dataclasses.replace(mixed_detector, config=config)
    for image in validation[:3]:
        seen = _look(detector, image)
        for out in ((), (4,), (2, 4, 11)):
            expected = (without_images(detector, out) if out else detector).score(image.path)
            assert _score(detector, seen, out) == pytest.approx(expected, rel=1e-5)
            monkeypatch.setattr("anomaly.detector.leave_out._NEIGHBOURS", 4)
            assert _score(detector, _look(detector, image), out) <= expected * 1.00001
            monkeypatch.setattr("anomaly.detector.leave_out._NEIGHBOURS", 300)
    everything = range(len(detector.bank_images))
    assert np.isfinite(_score(detector, seen, everything))
