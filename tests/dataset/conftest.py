"""Small photographs made on the spot, and folders to put them into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.types import UInt8Array

Write = Callable[..., Path]


def texture(seed: int, *, height: int = 96, width: int = 128, product: float = 0.0) -> UInt8Array:
    """A grainy picture; ``product`` is the share that all pictures have in common, like one product's shape."""

    def grain(number: int) -> np.ndarray:
        rng = np.random.default_rng(number)
        coarse = rng.normal(size=(height // 8, width // 8, 1)).repeat(8, axis=0).repeat(8, axis=1)
        fine = rng.normal(size=(height // 2, width // 2, 1)).repeat(2, axis=0).repeat(2, axis=1)
        return coarse + fine

    mixed = product * grain(10**6) + (1 - product) * grain(seed)
    return np.clip(128 + 30 * mixed + np.array([8.0, 0.0, -8.0]), 0, 255).astype(np.uint8)


def save(path: Path, pixels: UInt8Array, **options: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write("good/a.png", "good/b.png")`` below the test's folder, each picture another one."""
    count = 0

    def write_pictures(*names: str) -> Path:
        nonlocal count
        for name in names:
            count += 1
            save(tmp_path / name, texture(count, height=16, width=16))
        return tmp_path

    return write_pictures
