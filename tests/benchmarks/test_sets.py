from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.config import Config, replace_setting
from anomaly.errors import DatasetError
from anomaly.types import DAMAGED, UNDAMAGED
from benchmarks._sets import evenly, find_sets, in_unseen_half, public_settings, read_set


def write_set(folder: Path, *, train: int = 2, good: int = 1, scratch: int = 2) -> None:
    rng = np.random.default_rng(len(folder.parts))
    for place, n in (("train/good", train), ("test/good", good), ("test/scratch", scratch)):
        (folder / place).mkdir(parents=True)
        for number in range(n):
            pixels = rng.integers(0, 256, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / place / f"{number}.png")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_set(tmp_path / "bottle")
    write_set(tmp_path / "casting" / "impeller")
    write_set(tmp_path / "many" / "b")
    write_set(tmp_path / "many" / "a")
    (tmp_path / "notes").mkdir()
    (tmp_path / "half" / "train" / "good").mkdir(parents=True)
    (tmp_path / "README.md").write_text("not a set")
    return tmp_path


def test_sets_one_and_two_levels_deep_are_found_in_order(data: Path) -> None:
    found = find_sets(data)
    assert [image_set.name for image_set in found] == ["bottle", "casting", "many/a", "many/b"]
    assert found[1].folder == data / "casting" / "impeller"


def test_sets_can_be_named(data: Path) -> None:
    assert [image_set.name for image_set in find_sets(data, ["many/b", "bottle"])] == ["bottle", "many/b"]


def test_an_unknown_name_is_refused_with_the_names_there_are(data: Path) -> None:
    with pytest.raises(DatasetError, match=r"castings: choose from bottle, casting, many/a, many/b"):
        find_sets(data, ["castings"])


@pytest.mark.parametrize("name", ["notes", "missing"])
def test_a_folder_without_sets_is_refused(data: Path, name: str) -> None:
    with pytest.raises(DatasetError):
        find_sets(data / name)


def test_train_holds_the_training_images_and_test_all_test_images(data: Path) -> None:
    images = read_set(find_sets(data, ["casting"])[0])
    assert [image.name for image in images.train] == ["train/good/0.png", "train/good/1.png"]
    assert [(image.name, image.label) for image in images.test] == [
        ("test/good/0.png", UNDAMAGED),
        ("test/scratch/0.png", DAMAGED),
        ("test/scratch/1.png", DAMAGED),
    ]


def test_a_set_without_training_images_is_refused(tmp_path: Path) -> None:
    write_set(tmp_path / "empty", train=0)
    with pytest.raises(DatasetError, match="0 training and 3 test images"):
        read_set(find_sets(tmp_path)[0])


def test_the_unseen_half_is_fixed_by_the_name_alone() -> None:
    # sha256sum of the first ends in b, of the second in 0.
    assert in_unseen_half("test/good/000.png")
    assert not in_unseen_half("test/good/001.png")


def test_the_unseen_half_is_about_a_half() -> None:
    unseen = sum(in_unseen_half(f"test/defect/{number:04d}.png") for number in range(1000))
    assert 450 < unseen < 550


@pytest.mark.parametrize(("n", "most"), [(5, 60), (60, 60), (209, 60), (7, 2)])
def test_a_choice_is_spread_evenly_and_keeps_both_ends(n: int, most: int) -> None:
    chosen = evenly(range(n), most)
    assert len(chosen) == len(set(chosen)) == min(n, most)
    assert (chosen[0], chosen[-1]) == (0, n - 1)
    steps = np.diff(chosen)
    assert steps.max() - steps.min() <= 1


def test_published_settings_name_a_weights_file_without_its_folder() -> None:
    config = replace_setting(Config(), "embedding.weights", "/home/somebody/weights/dino.pth")
    assert public_settings(config)["embedding"]["weights"] == "dino.pth"
    assert public_settings(Config())["embedding"]["weights"] == ""
