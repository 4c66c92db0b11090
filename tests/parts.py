"""Photographs of parts that no camera took: a bright disc on grey, with a dark blob where it is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 96
TINY = ("--set", "geometry.size=96", "--set", "bank.max_rows=200", "--set", "selection.automatic=false")
"""Options that make training quick."""


def draw_part(seed: int, *, damaged: bool = False, side: int = SIDE) -> npt.NDArray[np.uint8]:
    """Draw one part, (side, side, 3); the same seed gives the same picture."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side] / side
    centre = 0.5 + random.uniform(-0.04, 0.04, size=2)
    radius = np.hypot(rows - centre[0], columns - centre[1])
    picture = np.where(radius < 0.33, 190.0, 90.0) + 12 * np.sin(60 * radius)
    if damaged:
        angle = random.uniform(0, 2 * np.pi)
        spot = centre + 0.18 * np.array([np.sin(angle), np.cos(angle)])
        picture = np.where(np.hypot(rows - spot[0], columns - spot[1]) < 0.1, 15.0, picture)
    picture = picture + random.normal(0, 4, size=(side, side))
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def write_part(path: Path, seed: int, *, damaged: bool = False, side: int = SIDE) -> Path:
    """Draw one part into a file, its folder included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_part(seed, damaged=damaged, side=side)).save(path)
    return path


def write_dataset(folder: Path, *, undamaged: int, damaged: int, seed: int = 0) -> Path:
    """Fill ``good/`` and ``defect/``."""
    for i in range(undamaged):
        write_part(folder / "good" / f"good_{i:02d}.png", seed + i)
    for i in range(damaged):
        write_part(folder / "defect" / f"bad_{i:02d}.png", seed + 500 + i, damaged=True)
    return folder
