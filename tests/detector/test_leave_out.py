from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from anomaly import Detector
from anomaly.dataset import LabelledImage
from anomaly.detector import leave_out
from anomaly.detector.leave_out import LEAST_HARM, _most_different, _Remembered, choose_to_leave_out, harmful
from anomaly.types import Label
from tests.detector.conftest import PLANTED, SMALL, labelled
from tests.parts import write_part


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledImage]:
    folder = tmp_path_factory.mktemp("validation")
    images = []
    for i in range(16):
        label: Label = "damaged" if i % 2 == 0 else "undamaged"
        path = write_part(folder / f"{i}.png", 300 + i, damaged=label == "damaged")
        images.append(LabelledImage(path, path.name, label))
    return images


def left_out(
    detector: Detector, bank: list[LabelledImage], validation: list[LabelledImage], part_type: str = ""
) -> tuple[int, ...]:
    bank = [dataclasses.replace(image, part_type=part_type) for image in bank]
    return choose_to_leave_out(detector.extractor, SMALL, bank, validation)


@pytest.mark.slow
def test_the_mislabelled_ones_are_left_out_and_hardly_a_good_one(
    mixed_detector: Detector, mixed_paths: list[Path], validation: list[LabelledImage]
) -> None:
    found = left_out(mixed_detector, labelled(mixed_paths), validation)
    assert set(PLANTED) <= set(found)
    assert len(found) <= 3
    assert left_out(mixed_detector, labelled(mixed_paths), validation) == found


def test_good_images_alone_stay(
    mixed_detector: Detector, mixed_paths: list[Path], validation: list[LabelledImage]
) -> None:
    good = [path for i, path in enumerate(mixed_paths) if i not in PLANTED]
    assert len(left_out(mixed_detector, labelled(good), validation)) <= 1


@pytest.mark.slow
def test_mislabelled_images_with_the_same_damage_do_not_hide_each_other(
    mixed_detector: Detector, mixed_paths: list[Path], validation: list[LabelledImage]
) -> None:
    twins = [mixed_paths[4] if i == 11 else path for i, path in enumerate(mixed_paths)]
    assert {4, 11} <= set(left_out(mixed_detector, labelled(twins), validation))


def test_few_validation_images_decide_nothing(
    mixed_detector: Detector, mixed_paths: list[Path], validation: list[LabelledImage]
) -> None:
    assert left_out(mixed_detector, labelled(mixed_paths), validation[:9]) == ()
    assert left_out(mixed_detector, labelled(mixed_paths[2:6]), validation) == ()


def test_images_of_another_part_type_decide_nothing(
    mixed_detector: Detector, mixed_paths: list[Path], validation: list[LabelledImage]
) -> None:
    assert left_out(mixed_detector, labelled(mixed_paths), validation, part_type="gears") == ()


def test_the_harm_must_be_beyond_chance_and_only_a_fifth_goes() -> None:
    damaged = np.arange(20) % 2 == 0
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.001, (20, 20))
    falls = noise + np.where(np.arange(20)[:, None] < 3, 2 * LEAST_HARM * damaged, 0)
    assert harmful(falls, damaged) == (0, 1, 2)
    assert harmful(falls, ~damaged) == (), "what brings undamaged images nearer stays"
    assert harmful(random.normal(0, 1, (20, 20)) + 0.1 * damaged, damaged) != tuple(range(20))
    assert harmful(noise + LEAST_HARM * damaged * (1 + np.arange(20)[:, None]), damaged) == (16, 17, 18, 19)
    assert harmful(np.zeros((20, 20)), damaged) == ()


def test_a_harm_that_may_be_chance_takes_no_certain_ones_place() -> None:
    damaged = np.arange(20) < 10
    falls = np.zeros((10, 20))
    falls[:2] = 0.1 * damaged + np.where(np.arange(20) % 2, 1.0, -1.0)  # more harm, and an error of 0.46 of it
    falls[4] = 4 * LEAST_HARM * damaged
    assert harmful(falls, damaged) == (4,)


def test_distances_to_each_image_are_those_to_the_nearest_of_its_rows() -> None:
    random = np.random.default_rng(1)
    rows = (5 + random.normal(size=(6, 100, 8))).astype(np.float32)
    grid = (5 + random.normal(size=(4, 3, 8))).astype(np.float32)
    found = _Remembered(rows).nearest(grid)
    difference = grid[:, :, None].astype(np.float64) - rows[:, None, None]
    assert np.allclose(found, np.sqrt((difference**2).sum(axis=4)).min(axis=3), rtol=1e-4)
    few = _most_different(grid, 0)
    assert few.shape == (100, 8)
    assert {row.tobytes() for row in few} == {row.tobytes() for row in grid.reshape(12, 8)}


@pytest.mark.slow
def test_measuring_again_what_there_was_no_room_for_changes_nothing(
    mixed_detector: Detector,
    mixed_paths: list[Path],
    validation: list[LabelledImage],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = left_out(mixed_detector, labelled(mixed_paths), validation)
    monkeypatch.setattr(leave_out, "_KEPT", 0)
    assert left_out(mixed_detector, labelled(mixed_paths), validation) == found
