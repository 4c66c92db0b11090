from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.errors import ImageError, OutputError
from anomaly.imaging import load_image, write_image
from tests.imaging.test_decode import picture


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.TIFF", "päckchen\n.png"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    write_image(picture(), tmp_path / name)
    np.testing.assert_array_equal(load_image(tmp_path / name), picture())
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_lossy_formats_come_near(tmp_path: Path, name: str) -> None:
    write_image(picture(), tmp_path / name)
    assert np.abs(load_image(tmp_path / name).astype(int) - picture()).mean() < 4


def test_longest_possible_name(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".png")
    write_image(picture(), path)
    assert path.is_file()


def test_replaces_an_existing_file_only_when_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_image(picture(), path)

    def full(self: Image.Image, file: object, **_: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="No space left") as error:
        write_image(picture(seed=3), path)
    assert len(str(error.value).splitlines()) == 1
    assert error.value.path == path
    monkeypatch.undo()
    np.testing.assert_array_equal(load_image(path), picture())
    assert list(tmp_path.iterdir()) == [path]


def test_interrupt_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_image(picture(), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_refusals(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    for name in ("a.xyz", "noname", "missing/a.png", "folder.png", "nul\0.png", "x" * 300 + ".png"):
        with pytest.raises(OutputError) as error:
            write_image(picture(), tmp_path / name)
        assert len(str(error.value).splitlines()) == 1
    with pytest.raises(ImageError):
        write_image(np.zeros((3, 3)), tmp_path / "a.png")  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_device_or_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OutputError, match="pipe"):
        write_image(picture(), tmp_path / "pipe.png")
    assert not (tmp_path / "pipe.png").is_file()
