"""The bundled data: what their README says is so, and the default split makes sense."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from anomaly.config import SplitConfig
from anomaly.dataset import Dataset, find_duplicates, read_dataset, split_dataset
from anomaly.imaging.decode import image_size, load_image

FOLDER = Path(__file__).parents[2] / "data" / "ball_screw"


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return read_dataset(FOLDER)


def test_all_images_are_there_with_their_masks(dataset: Dataset) -> None:
    assert dataset.kind == "labels.csv"
    assert dataset.notes == ()
    assert (len(dataset.undamaged), len(dataset.damaged)) == (45, 15)
    assert all(image.group and image.group in image.name for image in dataset.images)
    for image in dataset.damaged:
        assert image.mask is not None
        mask = load_image(image.mask)
        assert mask.shape[:2] == image_size(image.path)
        assert set(np.unique(mask)) == {0, 255}
    assert all(image.mask is None for image in dataset.undamaged)


def test_the_folders_say_the_same_as_labels_csv(dataset: Dataset) -> None:
    with (FOLDER / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(row["path"].startswith(f"{row['label']}/") for row in rows)


def test_licence_and_attribution_lie_beside_them() -> None:
    assert (FOLDER / "LICENSE").read_text(encoding="utf-8").startswith("Attribution-ShareAlike 4.0 International")
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for needed in ("T. Schlagenhauf, M. Landwehr", "2103.13003", "2Obe/BSData", "7204b28", "What was changed"):
        assert needed in readme


def test_the_default_split_serves_every_purpose(dataset: Dataset) -> None:
    report = find_duplicates(dataset.images)
    assert report.exact == ()
    assignment = split_dataset(dataset, SplitConfig(), seed=0, duplicates=report)
    assert len(assignment.select("bank", label="undamaged")) >= 25
    for split in ("validation", "test"):
        assert len(assignment.select(split, label="undamaged")) >= 5
        assert len(assignment.select(split, label="damaged")) >= 5
    places: dict[str, set[str]] = {}
    for entry in assignment.entries:
        places.setdefault(entry.group, set()).add(entry.split)
    assert all(len(where) == 1 for where in places.values())
