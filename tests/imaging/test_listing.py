from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.errors import ImageUnreadableError
from anomaly.imaging import find_images, load_image, write_image
from anomaly.imaging.listing import is_photograph


def test_find_images(tmp_path: Path) -> None:
    for name in (
        "b.PNG",
        "a.jpg",
        "sub/c.tiff",
        "a/z.bmp",
        ".hidden.png",
        ".cache/d.png",
        "notes.txt",
        "dir.png/e",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a/z.bmp", "a.jpg", "b.PNG", "sub/c.tiff"]


def test_find_images_below_a_hidden_folder(tmp_path: Path) -> None:
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "a.png").write_bytes(b"")
    assert len(find_images(tmp_path / ".hidden")) == 1


def test_find_images_refuses_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(ImageUnreadableError) as error:
            find_images(path)
        assert len(str(error.value).splitlines()) == 1
        assert "; give a folder of images" in str(error.value)


def test_unlistable_subfolder_does_not_vanish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.png").write_bytes(b"")
    scandir = os.scandir

    def denied(place: str | Path) -> object:
        if Path(place).name == "sub":
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", denied)
    assert find_images(tmp_path) == [tmp_path / "a.png", tmp_path / "sub"]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".bmp", ".tif", ".TIFF", ".webp"])
def test_what_goodparts_drew_is_no_photograph_until_somebody_makes_one_of_it(tmp_path: Path, suffix: str) -> None:
    drawn, photograph = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_image(np.full((5, 7, 3), 90, np.uint8), drawn)
    Image.fromarray(load_image(drawn)).save(photograph)
    assert find_images(tmp_path) == [photograph]
    assert not is_photograph(drawn)
    assert load_image(drawn).shape == (5, 7, 3), "named itself, it is read like any other"


def test_a_trained_model_among_photographs_is_passed_over(trained_model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    shutil.copytree(trained_model, tmp_path / "trained")
    assert find_images(tmp_path) == [tmp_path / "a.png"]
    assert find_images(tmp_path / "trained") == []
    assert len(find_images(tmp_path / "trained" / "thumbnails")) > 0, "whoever names the folder means it"
    (tmp_path / "trained" / "manifest.json").unlink()
    assert len(find_images(tmp_path)) > 1


def test_links_to_folders_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    for name in ("night/a.png", "shift/day/b.png", "elsewhere/c.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"")
    shift = tmp_path / "shift"
    (shift / "linked").symlink_to(tmp_path / "night")
    (shift / "again").symlink_to("day")
    (shift / "day" / "up").symlink_to(shift)
    (shift / "gone").symlink_to(tmp_path / "missing")
    (tmp_path / "night" / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "night")
    found = [path.relative_to(shift).as_posix() for path in find_images(shift)]
    assert found == ["again/b.png", "day/b.png", "linked/a.png", "linked/other/c.png"]
