"""The rendered springs and gears: what their card says is so, and nothing trivial gives the label away."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from anomaly.dataset import Dataset, read_dataset
from anomaly.imaging.decode import image_size, load_image
from tools.audit_dataset import main as audit

FOLDER = Path(__file__).parents[2] / "data" / "parts"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (FOLDER / "labels.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return read_dataset(FOLDER)


def test_pictures_labels_and_sessions_are_complete(dataset: Dataset) -> None:
    assert dataset.kind == "labels.csv"
    assert dataset.notes == ()
    counts = Counter((image.part_type, image.label) for image in dataset.images)
    assert counts == {
        (kind, label): n for kind in ("gears", "springs") for label, n in (("undamaged", 160), ("damaged", 100))
    }
    assert len({image.group for image in dataset.images}) == 20
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 30e6


def test_every_damaged_picture_has_a_mask_that_shows_enough(dataset: Dataset) -> None:
    for image in dataset.images:
        assert (image.mask is not None) == (image.label == "damaged") == bool(image.defect)
    for image in dataset.damaged[::7]:
        assert image.mask is not None
        mask = load_image(image.mask)[..., 0]
        assert mask.shape == image_size(image.path) == (640, 640)
        assert set(np.unique(mask)) == {0, 255}
        assert (mask > 0).sum() >= 100


def test_the_card_counts_what_is_there(rows: list[dict[str, str]]) -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "renders, not photographs" in card
    assert "CC0" in card
    kinds = Counter((row["part_type"], kind) for row in rows for kind in set(row["defect"].split("+")) if kind)
    shown = re.findall(r"^\| (gears|springs) \| ([a-z ]+) \| (\d+) \|$", card, flags=re.MULTILINE)
    assert {(part_type, kind.replace(" ", "_")): int(n) for part_type, kind, n in shown} == kinds
    assert {int(row["n_parts"]) for row in rows} == set(range(5, 15))


@pytest.mark.slow
def test_nothing_trivial_tells_the_labels_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit([str(FOLDER)]) == 0
    printed = capsys.readouterr().out.strip()
    assert printed.splitlines()[-1].startswith("OK: no trivial statistic")
    assert printed in (FOLDER / "README.md").read_text(encoding="utf-8")
