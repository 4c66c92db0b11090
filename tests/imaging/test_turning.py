from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from anomaly.imaging.turning import Turn, even_turns


def _picture(height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _pixels(height: int, width: int) -> npt.NDArray[np.float64]:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 12), (1, 5)])
def test_quarter_turns_are_exact_and_map_back_exactly(height: int, width: int, degrees: int) -> None:
    image, turn = _picture(height, width), Turn(degrees)
    turned = turn.apply(image)
    assert turned.shape == ((width, height, 3) if degrees % 180 else (height, width, 3))
    points = turn.to_photograph(_pixels(*turned.shape[:2]), height=height, width=width)
    x, y = points.astype(np.int64).T
    assert np.array_equal(points, np.stack([x, y], axis=1))
    assert np.array_equal(image[y, x], turned.reshape(-1, 3))
    assert turn.holds(points, height=height, width=width, clearance=100).all()


@pytest.mark.parametrize("degrees", [17, 45, 73, 135, 210, 332])
@pytest.mark.parametrize(("height", "width"), [(80, 80), (61, 130)])
def test_a_dot_is_found_where_the_map_says(height: int, width: int, degrees: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    image[28:33, 58:63] = 255
    turn = Turn(degrees)
    turned = turn.apply(image)
    weight = turned[..., 0].astype(np.float64).ravel()
    found = turn.to_photograph(_pixels(*turned.shape[:2]), height=height, width=width)
    centre = (found * weight[:, None]).sum(axis=0) / weight.sum()
    np.testing.assert_allclose(centre, [60, 30], atol=0.1)


@pytest.mark.parametrize(("height", "width"), [(80, 80), (40, 160)])
def test_what_the_photograph_does_not_hold_is_not_held(height: int, width: int) -> None:
    turn = Turn(30)
    points = _pixels(height, width)
    held = turn.holds(points, height=height, width=width, clearance=3.0)
    x, y = turn.to_photograph(points, height=height, width=width)[held].T
    assert x.min() >= 2.5 - 1e-9
    assert x.max() <= width - 3.5 + 1e-9
    assert y.min() >= 2.5 - 1e-9
    assert y.max() <= height - 3.5 + 1e-9
    assert 0.3 < held.mean() < 0.95


def test_the_surroundings_are_reflected() -> None:
    turned = Turn(30).apply(np.full((50, 90, 3), 77, np.uint8))
    assert turned.shape == (50, 90, 3)
    assert (turned == 77).all()


def test_even_turns_begin_with_the_photograph_as_it_is() -> None:
    assert even_turns(1) == (Turn(),)
    assert [turn.degrees for turn in even_turns(4)] == [0, 90, 180, 270]
    assert all(turn.exact for turn in even_turns(4))
    assert [turn.exact for turn in even_turns(8)] == [True, False] * 4
