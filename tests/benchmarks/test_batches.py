from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.dataset import LabelledImage, read_dataset
from anomaly.types import DAMAGED, UNDAMAGED
from benchmarks import _mosaics
from benchmarks._mosaics import Pools, write_mosaics
from benchmarks.batches import _hits, _one_damaged


@pytest.fixture
def pools(tmp_path: Path) -> Pools:
    """Photographs of one grey value each: 30 to train, 40 undamaged and 16 damaged to judge."""

    def write(kind: str, n: int, first: int) -> list[Path]:
        paths = []
        for i in range(n):
            paths.append(tmp_path / f"{kind}_{i:02d}.png")
            Image.new("L", (8, 8), first + i).save(paths[-1])
        return paths

    return Pools(write("train", 30, 0), write("good", 40, 60), write("bad", 16, 200))


def _tiles(path: Path) -> list[int]:
    picture = np.asarray(Image.open(path))[..., 0]
    side = _mosaics.TILE
    return [int(picture[y * side + 5, x * side + 5]) for y in range(3) for x in range(3)]


def test_no_photograph_serves_two_splits(pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mosaics, "TILE", 16)
    labels = write_mosaics(tmp_path / "mosaics", pools, bank=6, validation=4, test=4, seed=3)
    rows = list(csv.DictReader(labels.read_text().splitlines()))
    seen: dict[str, set[int]] = {"bank": set(), "validation": set(), "test": set()}
    for row in rows:
        tiles = _tiles(labels.parent / row["path"])
        seen[row["split"]].update(tiles)
        damaged = [tile for tile in tiles if tile >= 200]
        assert len(set(tiles)) == 9
        assert (row["label"] == "damaged") == bool(damaged)
        if damaged:
            assert f"_damaged{len(damaged)}_" in row["path"]
            mask = np.asarray(Image.open(labels.parent / row["mask"]))
            assert (mask > 0).mean() == pytest.approx(len(damaged) / 9)
    assert seen["bank"] <= set(range(30))
    assert seen["validation"].isdisjoint(seen["test"])
    assert sum("damaged1" in row["path"] for row in rows) == 4
    assert len(read_dataset(labels.parent).images) == len(rows) == 6 + 8 + 8


def test_turned_tiles_are_discs_within_their_places(
    pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mosaics, "TILE", 40)
    monkeypatch.setattr(_mosaics, "TURNED", 32)
    labels = write_mosaics(tmp_path / "mosaics", pools, bank=1, validation=1, test=1, seed=3, turned=True)
    for row in csv.DictReader(labels.read_text().splitlines()):
        picture = np.asarray(Image.open(labels.parent / row["path"]))[..., 0].reshape(3, 40, 3, 40).swapaxes(1, 2)
        parts = picture != 128
        assert parts.mean(axis=(2, 3)) == pytest.approx(np.full((3, 3), np.pi * 13**2 / 40**2), rel=0.05)
        if row["mask"]:
            mask = np.asarray(Image.open(labels.parent / row["mask"])).reshape(3, 40, 3, 40).swapaxes(1, 2) > 0
            damaged = (picture.max(axis=(2, 3)) >= 200)[..., None, None]
            np.testing.assert_array_equal(mask, parts & damaged)


def test_a_hit_is_a_peak_in_or_near_the_mask(tmp_path: Path) -> None:
    mask = np.zeros((60, 80), dtype=np.uint8)
    mask[40:44, 10:14] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    values = np.zeros((60, 80), dtype=np.float32)
    values[41, 20] = 1  # seven pixels beside it
    assert _hits(values, tmp_path / "mask.png")
    values[41, 60] = 2
    assert not _hits(values, tmp_path / "mask.png")


def test_one_damaged_part_is_told_from_several() -> None:
    def image(name: str, defect: str = "") -> LabelledImage:
        return LabelledImage(Path(name), name, DAMAGED if defect or "damaged" in name else UNDAMAGED, defect=defect)

    assert _one_damaged(image("images/test_damaged1_003.png"))
    assert not _one_damaged(image("images/test_damaged2_003.png"))
    assert _one_damaged(image("gears/x.jpg", "dent"))
    assert not _one_damaged(image("gears/x.jpg", "dent+rust"))
