from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy import ndimage

from anomaly.errors import AnomalyError
from anomaly.imaging.components import label_components
from anomaly.scoring import find_regions
from anomaly.types import BoolArray, Region

EIGHT = np.ones((3, 3), dtype=int)


def parse(text: str) -> BoolArray:
    return np.array([[letter == "#" for letter in line] for line in text.split()])


SHAPES = {
    "empty": "... ...",
    "full": "### ###",
    "pixel": "... .#. ...",
    "diagonal": "#.. .#. ..#",
    "other diagonal": "..# .#. #..",
    "row ends do not wrap": "..# ... #..",
    "neighbouring rows do not wrap": "..# #..",
    "u": "#.# #.# ###",
    "upturned u": "### #.# #.#",
    "comb": "#.#.#.# #.#.#.# #######",
    "spiral": "####### #.....# #.###.# #.#.#.# #.#...# #.#####",
    "two": "##..## ##..## ...... ######",
    "corner touch of runs": "##.. ..##",
    "gap of one": "#.# ... #.#",
    "star": "#.#.# .###. #.#.#",
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_against_scipy(name: str) -> None:
    mask = parse(SHAPES[name])
    labels, count = label_components(mask)
    expected, expected_count = ndimage.label(mask, structure=EIGHT)
    assert count == expected_count
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("density", [0.05, 0.2, 0.35, 0.41, 0.5, 0.8])
def test_noise_against_scipy(density: float) -> None:
    """Around 0.41 the areas of noise percolate: the longest chains of joined runs."""
    for seed, shape in enumerate([(1, 200), (200, 1), (61, 83), (120, 120)]):
        mask = np.random.default_rng(seed).random(shape) < density
        labels, count = label_components(mask)
        expected, expected_count = ndimage.label(mask, structure=EIGHT)
        assert count == expected_count
        np.testing.assert_array_equal(labels > 0, mask)
        # The numbering may differ, the partition may not.
        assert len(set(zip(labels[mask].tolist(), expected[mask].tolist(), strict=True))) == count


def test_labels_in_reading_order() -> None:
    labels, count = label_components(parse("..#..# ...... #....."))
    assert count == 3
    assert labels[0, 2] == 1
    assert labels[0, 5] == 2
    assert labels[2, 0] == 3


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_nothing_to_label(shape: tuple[int, int]) -> None:
    labels, count = label_components(np.zeros(shape, dtype=bool))
    assert labels.shape == shape
    assert count == 0


def test_not_a_mask() -> None:
    for broken in (np.zeros(3, dtype=bool), np.zeros((3, 3), dtype=int)):
        with pytest.raises(AnomalyError):
            label_components(broken)


def test_regions_by_hand() -> None:
    anomaly_map = np.array(
        [
            [0, 0, 0, 0, 0],
            [0, 2, 3, 0, 0],
            [0, 0, 0, 4, 0],
            [0, 0, 0, 0, 0],
            [9, 0, 0, 0, 1],
        ],
        dtype=np.float32,
    )
    assert find_regions(anomaly_map, 1.0) == (
        Region(x=0, y=4, width=1, height=1, area_px=1, peak=9.0, peak_x=0, peak_y=4),
        Region(x=1, y=1, width=3, height=2, area_px=3, peak=4.0, peak_x=3, peak_y=2),
    )
    assert find_regions(anomaly_map, 9.0) == (), "the threshold itself is not above it"
    assert find_regions(anomaly_map, -1.0)[0].area_px == 25


@pytest.mark.parametrize("density", [0.02, 0.3, 0.6])
def test_regions_against_scipy(density: float) -> None:
    rng = np.random.default_rng(3)
    # Few distinct values: many ties.
    anomaly_map = rng.integers(1, 6, (50, 70)).astype(np.float32) * (rng.random((50, 70)) < density)
    labels, count = ndimage.label(anomaly_map > 0, structure=EIGHT)
    expected = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        inside = np.where(labels == number, anomaly_map, -1)
        y, x = np.unravel_index(inside.argmax(), inside.shape)
        expected.append(
            Region(
                x=columns.start,
                y=rows.start,
                width=columns.stop - columns.start,
                height=rows.stop - rows.start,
                area_px=int((labels == number).sum()),
                peak=float(inside.max()),
                peak_x=int(x),
                peak_y=int(y),
            )
        )
    expected.sort(key=lambda region: (-region.peak, region.peak_y, region.peak_x))
    assert len(expected) == count
    assert find_regions(anomaly_map, 0.0) == tuple(expected)


def test_fields_are_plain_numbers() -> None:
    (region,) = find_regions(np.array([[0, 2]], dtype=np.float32), 1.0)
    assert [type(value) for value in vars(region).values()] == [int] * 5 + [float] + [int] * 2


def test_threshold_is_not_rounded_to_float32() -> None:
    """float32(1.21) is 1.21000003...: above 1.21, although both look alike in float32."""
    value = np.float32(1.21)
    assert float(value) > 1.21
    assert len(find_regions(np.array([[value]]), 1.21)) == 1
    assert find_regions(np.array([[value]]), float(value)) == ()
    below = np.nextafter(value, np.float32(0))
    assert find_regions(np.array([[below]]), 1.21) == ()


def test_thresholds_beyond_every_value() -> None:
    anomaly_map = np.ones((3, 3), dtype=np.float32)
    for threshold in (math.inf, 1e300):
        assert find_regions(anomaly_map, threshold) == ()
    for threshold in (-math.inf, -1e300):
        assert len(find_regions(anomaly_map, threshold)) == 1


def test_not_a_number_is_refused() -> None:
    with pytest.raises(AnomalyError, match="NaN"):
        find_regions(np.array([[1.0, np.nan]], dtype=np.float32), 0.5)
    with pytest.raises(AnomalyError, match="NaN"):
        find_regions(np.ones((2, 2), dtype=np.float32), math.nan)
    with pytest.raises(AnomalyError):
        find_regions(np.ones(3, dtype=np.float32), 0.5)


def test_checkerboard_is_one_region_and_quick() -> None:
    board = (np.indices((1020, 1020)).sum(axis=0) % 2).astype(np.float32)
    start = time.process_time()
    (region,) = find_regions(board, 0.5)
    assert time.process_time() - start < 5
    assert region.area_px == 1020 * 1020 // 2


def test_separate_dots_do_not_explode() -> None:
    dots = np.zeros((300, 300), dtype=np.float32)
    dots[::2, ::2] = 1
    assert len(find_regions(dots, 0.5)) == 150 * 150
