from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anomaly.errors import ConfigError, ImageError
from anomaly.imaging import Geometry, View

sides = st.integers(1, 20_000)


def network_size(geometry: Geometry, height: int, width: int) -> tuple[int, int]:
    (view,) = geometry.plan(height, width)
    assert view.box == (0, 0, width, height)
    return view.network_height, view.network_width


@pytest.mark.parametrize(
    ("height", "width", "size", "expected"),
    [
        (1020, 1020, 512, (512, 512)),
        (512, 512, 512, (512, 512)),
        (460, 1130, 512, (320, 800)),  # 1130 / 460 = 2.457; 800 / 320 = 2.5 is the nearest on the lattice
        (500, 1260, 405, (256, 640)),
        (789, 600, 512, (576, 448)),
        (100, 100, 500, (512, 512)),  # 15.6 multiples: up, not down
        (1, 1, 512, (512, 512)),
        (1, 5000, 512, (32, 8192)),
        (5000, 1, 512, (8192, 32)),
        (7, 9, 32, (32, 32)),
    ],
)
def test_network_size_by_hand(height: int, width: int, size: int, expected: tuple[int, int]) -> None:
    assert network_size(Geometry(size), height, width) == expected


@given(height=sides, width=sides, size=st.integers(32, 1536), multiple=st.sampled_from([8, 14, 16, 32]))
def test_network_size_rules(height: int, width: int, size: int, multiple: int) -> None:
    h, w = network_size(Geometry(size, multiple), height, width)
    assert h % multiple == w % multiple == 0
    assert min(h, w) >= multiple
    # Each side is at most one multiple longer than the ideal rectangle of area size**2.
    assert h * w <= size**2 + multiple * (size**2 / multiple + size**2 / multiple) + multiple**2
    assert network_size(Geometry(size, multiple), width, height) == (w, h)


@given(ratio=st.floats(0.2, 5), size=st.integers(256, 1536))
def test_ordinary_shapes_keep_area_and_aspect(ratio: float, size: int) -> None:
    height, width = round(1000 * ratio), 1000
    h, w = network_size(Geometry(size), height, width)
    assert 0.6 < h * w / size**2 < 1.6
    rows, columns = size * math.sqrt(height / width) / 32, size * math.sqrt(width / height) / 32
    around = itertools.product((math.floor(rows), math.ceil(rows)), (math.floor(columns), math.ceil(columns)))
    best = min(abs(math.log(r / c * width / height)) for r, c in around)
    assert abs(math.log(h / w * width / height)) <= best + 1e-6


@given(length=st.integers(1, 10**6))
@example(length=128)
def test_memory_is_bounded_for_every_shape(length: int) -> None:
    h, w = network_size(Geometry(512), 1, length)
    # A short side of sqrt(2) multiples is rounded up to 2, and the long one up as well: the worst case.
    assert h * w <= 2 * math.ceil(16**2 / math.sqrt(2)) * 32**2


@pytest.mark.parametrize(("size", "multiple"), [(0, 32), (31, 32), (-5, 32), (512, 0)])
def test_impossible_settings(size: int, multiple: int) -> None:
    with pytest.raises(ConfigError, match=r"geometry\.size"):
        Geometry(size, multiple)


@pytest.mark.parametrize(("height", "width"), [(0, 5), (5, 0), (-1, 5)])
def test_impossible_images(height: int, width: int) -> None:
    with pytest.raises(ImageError):
        Geometry(512).plan(height, width)


def test_points_by_hand() -> None:
    view = View(box=(10, 20, 4, 2), network_height=4, network_width=8)
    assert view.patch_centres((1, 2)).tolist() == [[10.5, 20.5], [12.5, 20.5]]
    assert view.patch_centres((2, 1)).tolist() == [[11.5, 20.0], [11.5, 21.0]]


views = st.builds(
    View,
    box=st.tuples(st.integers(0, 5000), st.integers(0, 5000), st.integers(1, 5000), st.integers(1, 5000)),
    network_height=st.integers(1, 40).map(lambda n: 32 * n),
    network_width=st.integers(1, 40).map(lambda n: 32 * n),
)


@given(view=views, rows=st.integers(1, 60), columns=st.integers(1, 60), data=st.data())
def test_patch_centres_round_to_pixels_of_the_box(view: View, rows: int, columns: int, data: st.DataObject) -> None:
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    x, y = view.patch_centres((rows, columns))[row * columns + column]
    left, top, width, height = view.box
    assert left <= round(x) < left + width
    assert top <= round(y) < top + height


def test_read_brings_a_point_to_where_the_map_says() -> None:
    image = np.zeros((300, 500, 3), dtype=np.uint8)
    image[100:108, 320:328] = 255
    (view,) = Geometry(256).plan(300, 500)
    small = view.read(image)
    assert small.shape == (view.network_height, view.network_width, 3)
    assert small.dtype == np.uint8
    weight = small[..., 0].astype(float)
    x, y = np.average(view.patch_centres((weight.shape[0], weight.shape[1])), axis=0, weights=weight.ravel())
    assert (x, y) == pytest.approx((323.5, 103.5), abs=0.2)


def test_read_counts_every_source_pixel() -> None:
    """Without antialiasing a one-pixel defect falls between the samples of a small network image."""
    clean = np.zeros((1024, 1024, 3), dtype=np.uint8)
    (view,) = Geometry(256).plan(1024, 1024)
    for y, x in ((500, 500), (501, 502), (503, 501), (0, 0), (1023, 1023)):
        spotted = clean.copy()
        spotted[y, x] = 255
        assert view.read(spotted).max() > 0


def test_read_at_the_same_size_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    (view,) = Geometry(64).plan(64, 64)
    np.testing.assert_array_equal(view.read(image), image)


def test_read_cuts_the_box_out() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    view = View(box=(10, 30, 32, 64), network_height=64, network_width=32)
    np.testing.assert_array_equal(view.read(image), image[30:94, 10:42])


def test_read_keeps_the_range_of_a_hard_edge() -> None:
    image = np.full((40, 40, 3), 100, dtype=np.uint8)
    image[:, 20:] = 200
    (view,) = Geometry(128).plan(40, 40)
    assert view.read(image).min() == 100
    assert view.read(image).max() == 200


def test_view_of_another_image_is_refused() -> None:
    (view,) = Geometry(64).plan(100, 100)
    with pytest.raises(ImageError, match="plan the views"):
        view.read(np.zeros((50, 100, 3), dtype=np.uint8))
