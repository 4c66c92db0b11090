from __future__ import annotations

import numpy as np
import pytest

from anomaly.imaging.faults import PLANT, brighter, darker, farther_mirrored, farther_repeated, nearer, out_of_focus
from anomaly.types import UInt8Array


def gradient(height: int, width: int) -> UInt8Array:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows % 200, columns % 200, (rows + columns) % 200], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (33, 20), (96, 128)])
@pytest.mark.parametrize("fault", PLANT)
def test_a_fault_keeps_the_size_and_the_picture_it_is_planted_in(fault: str, shape: tuple[int, int]) -> None:
    image = gradient(*shape)
    held = image.copy()
    found = PLANT[fault](image)
    assert (found.shape, found.dtype) == (image.shape, np.uint8)
    np.testing.assert_array_equal(image, held)


def test_light() -> None:
    image = np.full((4, 4, 3), 200, np.uint8)
    assert (darker(image) == 140).all()
    assert (brighter(image) == 255).all()
    assert (brighter(image // 2) == 140).all()


def test_focus() -> None:
    image = np.zeros((448, 448, 3), np.uint8)
    image[:, 224:] = 255
    edge = out_of_focus(image)[0, :, 0]
    assert 0 < edge[223] < 128 < edge[224] < 255
    assert (edge[:220] == 0).all()


def test_distance() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[40:60, 40:60] = 255  # 20 pixels wide
    wide = int((nearer(image)[50, :, 0] > 127).sum())
    assert wide == pytest.approx(20 / 0.85, abs=1)
    for farther in (farther_mirrored, farther_repeated):
        narrow = int((farther(image)[50, :, 0] > 127).sum())
        assert narrow == pytest.approx(20 * 0.85, abs=1)


def test_farther_away_the_picture_goes_on_beyond_its_border() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, 2:5] = 90  # a wire near the left border
    mirrored, repeated = farther_mirrored(image)[50, :, 0], farther_repeated(image)[50, :, 0]
    assert (mirrored[:7] > 45).sum() == pytest.approx(3, abs=1)  # seen once more beyond the border
    assert (repeated[:7] == repeated[0]).all()
    np.testing.assert_array_equal(mirrored[8:], repeated[8:])
