"""Batches made of single parts: 3 x 3 mosaics, damaged when one, two or three of their tiles are.

The tiles lie as photographed, edge to edge, or as discs at random angles on an even tray, none where another was.

Two disjoint pools feed the test split and everything else: a photograph in a test mosaic is in no other one.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from anomaly.dataset import LabelledImage

SIDE = 3
TILE = 340
DAMAGED_TILES = (1, 1, 2, 3)
"""Number of damaged tiles of successive damaged mosaics: half of them have exactly one."""
TURNED = 300
"""Diameter of a disc in its place of ``TILE`` pixels."""
_TRAY = (128, 128, 128)


@dataclass(frozen=True)
class Pools:
    """The photographs that mosaics are made of.

    Attributes
    ----------
    training : sequence of Path
        Undamaged; the tiles of the bank split.
    undamaged, damaged : sequence of Path
        Of the set's test folder; one half makes validation mosaics, the other test mosaics.
    """

    training: Sequence[Path]
    undamaged: Sequence[Path]
    damaged: Sequence[Path]

    @classmethod
    def of(cls, train: Sequence[LabelledImage], test: Sequence[LabelledImage]) -> Pools:
        """Sort the images of a set by name."""
        by_name = sorted(test, key=lambda image: image.name)
        return cls(
            sorted(image.path for image in train),
            [image.path for image in by_name if image.label == "undamaged"],
            [image.path for image in by_name if image.label == "damaged"],
        )


def write_mosaics(
    folder: Path, pools: Pools, *, bank: int, validation: int, test: int, seed: int, turned: bool = False
) -> Path:
    """Write mosaics with masks of the damaged tiles and a ``labels.csv`` that fixes their splits.

    Parameters
    ----------
    folder : Path
        Made if need be.
    pools : Pools
    bank : int
        Undamaged mosaics of the bank split.
    validation, test : int
        Undamaged, and as many damaged, mosaics of these splits.
    seed : int
    turned : bool
        Discs at random angles instead of tiles as photographed.

    Returns
    -------
    Path
        Of ``labels.csv``.
    """
    rng = np.random.default_rng(seed)
    good, bad = _halves(rng, pools.undamaged), _halves(rng, pools.damaged)
    rows: list[tuple[str, str, str, str]] = []

    def write(name: str, split: str, tiles: list[Path], bad: list[Path]) -> None:
        rows.append(_write(folder, name, split, tiles, bad, rng, turned=turned))

    for number in range(bank):
        write(f"bank_{number:03d}", "bank", _draw(rng, pools.training, SIDE**2), [])
    for split, count, half in (("validation", validation, 0), ("test", test, 1)):
        for number in range(count):
            write(f"{split}_undamaged_{number:03d}", split, _draw(rng, good[half], SIDE**2), [])
        for number in range(count):
            wanted = DAMAGED_TILES[number % len(DAMAGED_TILES)]
            tiles = _draw(rng, good[half], SIDE**2 - wanted)
            write(f"{split}_damaged{wanted}_{number:03d}", split, tiles, _draw(rng, bad[half], wanted))
    labels = folder / "labels.csv"
    with labels.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "label", "split", "mask"))
        writer.writerows(rows)
    return labels


def _halves(rng: np.random.Generator, pool: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    mixed = [pool[i] for i in rng.permutation(len(pool))]
    return mixed[::2], mixed[1::2]


def _draw(rng: np.random.Generator, pool: Sequence[Path], count: int) -> list[Path]:
    return [pool[i] for i in rng.choice(len(pool), size=count, replace=False)]


def _write(
    folder: Path,
    name: str,
    split: str,
    good: list[Path],
    bad: list[Path],
    rng: np.random.Generator,
    *,
    turned: bool,
) -> tuple[str, str, str, str]:
    """Write one mosaic; return its row of ``labels.csv``."""
    tiles = [(path, False) for path in good] + [(path, True) for path in bad]
    picture = Image.new("RGB", (SIDE * TILE, SIDE * TILE), _TRAY)
    mask = Image.new("L", picture.size)
    for place, which in enumerate(rng.permutation(len(tiles))):
        path, damaged = tiles[which]
        corner = (place % SIDE * TILE, place // SIDE * TILE)
        with Image.open(path) as photograph:
            tile = photograph.convert("RGB")
        if turned:
            x, y = (int(shift) for shift in rng.integers(0, TILE - TURNED + 1, size=2))
            corner, outline = (corner[0] + x, corner[1] + y), _disc()
            tile = tile.rotate(float(rng.uniform(0, 360)), Image.Resampling.BICUBIC)
        else:
            outline = Image.new("L", (TILE, TILE), 255)
        picture.paste(tile.resize(outline.size, Image.Resampling.LANCZOS), corner, outline)
        if damaged:
            mask.paste(255, corner, outline)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    image_name, mask_name = f"images/{name}.png", f"masks/{name}.png" if bad else ""
    picture.save(folder / image_name, compress_level=1)
    if bad:
        mask.save(folder / mask_name)
    return image_name, "damaged" if bad else "undamaged", split, mask_name


def _disc() -> Image.Image:
    outline = Image.new("L", (TURNED, TURNED))
    ImageDraw.Draw(outline).ellipse((3, 3, TURNED - 4, TURNED - 4), fill=255)
    return outline
