from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from anomaly.config import ImageConfig
from anomaly.detector import ahead
from anomaly.detector.ahead import load_ahead
from anomaly.errors import ImageUnreadableError
from anomaly.imaging.decode import load_image
from anomaly.types import UInt8Array
from tests.parts import write_part

LIMITS = ImageConfig()


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("ahead")
    return [write_part(folder / f"{i}.png", i) for i in range(4)]


def test_the_images_in_their_order(paths: list[Path]) -> None:
    found = list(load_ahead(paths, limits=LIMITS))
    assert len(found) == 4
    for image, path in zip(found, paths, strict=True):
        np.testing.assert_array_equal(image, load_image(path, limits=LIMITS))
    assert list(load_ahead([], limits=LIMITS)) == []


def test_one_image_ahead_and_no_more(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Path] = []
    second = threading.Event()

    def load(path: Path, *, limits: ImageConfig) -> UInt8Array:
        begun.append(path)
        if path == paths[1]:
            second.set()
        return load_image(path, limits=limits)

    monkeypatch.setattr(ahead, "load_image", load)
    images = load_ahead(paths, limits=LIMITS)
    next(images)
    assert second.wait(60)
    assert begun == paths[:2]


def test_an_image_that_cannot_be_used_is_an_error_when_its_turn_comes(paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"not an image")
    images = load_ahead([paths[0], tmp_path / "broken.png", paths[1]], limits=LIMITS)
    assert next(images).shape[2] == 3
    with pytest.raises(ImageUnreadableError):
        next(images)
