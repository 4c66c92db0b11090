"""Contact sheets of the data set: ``python -m tools.render_parts.contact_sheet data/parts --output docs/images``."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from .law import PART_TYPES

TILE, GAP, COLUMNS, ROWS = 300, 6, 4, 3


def outlined(picture: Image.Image, mask: Image.Image | None) -> Image.Image:
    """Draw a thin orange line around what a mask marks; the picture as it is without a mask."""
    if mask is None:
        return picture
    wide = mask.convert("L").filter(ImageFilter.MaxFilter(15))
    line = (np.asarray(wide) > 0) & (np.asarray(wide.filter(ImageFilter.MinFilter(5))) == 0)
    pixels = np.array(picture.convert("RGB"))
    pixels[line] = (255, 120, 0)
    return Image.fromarray(pixels)


def sheet(root: Path, rows: Sequence[dict[str, str]], *, seed: int, show_masks: bool) -> Image.Image:
    """Arrange a random choice of pictures, as many sessions as possible."""
    rng = np.random.default_rng(seed)
    by_group: dict[str, list[dict[str, str]]] = {}
    for index in rng.permutation(len(rows)):
        by_group.setdefault(rows[index]["group"], []).append(rows[index])
    chosen: list[dict[str, str]] = []
    while len(chosen) < min(COLUMNS * ROWS, len(rows)):
        chosen += [group.pop() for group in by_group.values() if group]
    canvas = Image.new("RGB", (COLUMNS * (TILE + GAP) - GAP, ROWS * (TILE + GAP) - GAP), "white")
    for place, row in enumerate(chosen[: COLUMNS * ROWS]):
        picture = Image.open(root / row["path"])
        mask = Image.open(root / row["mask"]) if show_masks and row["mask"] else None
        tile = outlined(picture, mask).resize((TILE, TILE), Image.Resampling.LANCZOS)
        canvas.paste(tile, (place % COLUMNS * (TILE + GAP), place // COLUMNS * (TILE + GAP)))
    return canvas


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a sheet for each part type and class; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.render_parts.contact_sheet")
    parser.add_argument("data", type=Path, metavar="DIR")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of pictures (default 0)")
    parser.add_argument("--hide-masks", action="store_true", help="do not outline the damages")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.data / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for part_type in PART_TYPES:
        for label in ("undamaged", "damaged"):
            some = [row for row in rows if row["part_type"] == part_type and row["label"] == label]
            if some:
                made = sheet(options.data, some, seed=options.seed, show_masks=not options.hide_masks)
                made.save(options.output / f"parts-{part_type}-{label}.jpg", quality=82, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
