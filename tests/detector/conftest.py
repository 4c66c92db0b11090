"""A memory bank with mislabelled images in it, for the tests of what finds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from anomaly import Config, Detector, PatchCore
from anomaly.config import BankConfig, GeometryConfig
from anomaly.dataset import LabelledImage
from tests.parts import write_part

SMALL = Config(geometry=GeometryConfig(96), bank=BankConfig(max_rows=300))
PLANTED = (4, 11)
"""Numbers of the damaged ones among the mixed images."""


def labelled(paths: Sequence[Path]) -> list[LabelledImage]:
    """Images that the data call undamaged."""
    return [LabelledImage(path, path.name, "undamaged") for path in paths]


@pytest.fixture(scope="session")
def mixed_paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("mixed")
    return [write_part(folder / f"{i:02d}.png", i, damaged=i in PLANTED) for i in range(20)]


@pytest.fixture(scope="session")
def mixed_detector(mixed_paths: list[Path]) -> Detector:
    return PatchCore(SMALL, device="cpu").fit(mixed_paths, names=[path.name for path in mixed_paths])
