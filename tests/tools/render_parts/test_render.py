"""Needs Blender as a Python module; everything else of the renderer is tested without."""

import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="bpy is not installed (extra 'render')"),
]

ROOT = Path(__file__).resolve().parents[3]
DAMAGED_SPRING = 1


def _render(folder, size=128):
    command = [sys.executable, "-m", "tools.render_parts", "--output", str(folder), "--type", "springs"]
    command += ["--from", str(DAMAGED_SPRING), "--to", str(DAMAGED_SPRING + 1), "--size", str(size), "--samples", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_one_small_picture_with_its_mask_comes_out_the_same_twice(tmp_path):
    folders = [_render(tmp_path / name) for name in ("first", "second")]
    pictures = []
    for folder in folders:
        (file,) = (folder / "springs" / "damaged").glob("*.jpg")
        picture = np.asarray(Image.open(io.BytesIO(file.read_bytes()))).astype(int)
        assert picture.shape == (128, 128, 3)
        assert picture.std() > 10
        (mask,) = (folder / "springs" / "masks").glob("*.png")
        assert np.asarray(Image.open(mask)).shape == (128, 128)
        assert np.asarray(Image.open(mask)).any()
        pictures.append(picture)
        assert (folder / "labels.csv").read_text().count("\n") == 2
    assert np.abs(pictures[0] - pictures[1]).max() <= 1
