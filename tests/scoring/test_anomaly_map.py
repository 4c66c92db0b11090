from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from anomaly.errors import AnomalyError, ConfigError
from anomaly.scoring import fuse_grids, image_score, to_pixels
from anomaly.types import Float32Array


def grid(*shape: int, seed: int = 0) -> Float32Array:
    return np.random.default_rng(seed).random(shape, dtype=np.float32) + np.float32(0.1)


# ------------------------------------------------------------------------------------ fuse_grids


def test_single_tap_is_divided_by_its_scale() -> None:
    fused = fuse_grids([grid(5, 7)], scales=[2.0], smoothing=0)
    np.testing.assert_allclose(fused, grid(5, 7) / 2, rtol=1e-6)
    assert fused.dtype == np.float32


def test_fusion_by_hand() -> None:
    fine = np.array([[2, 4, 6, 8]], dtype=np.float32)
    coarse = np.array([[0, 8]], dtype=np.float32)
    # Coarse centres lie at 0.5 and 2.5 of the fine grid: 0, 2, 6, 8 there; scales 2 and 4; mean.
    fused = fuse_grids([fine, coarse], scales=[2.0, 4.0], smoothing=0)
    np.testing.assert_allclose(fused, [[0.5, 1.25, 2.25, 3.0]], rtol=1e-6)


def test_finest_grid_decides_the_shape_wherever_it_stands() -> None:
    grids = [grid(4, 5), grid(16, 20), grid(8, 10)]
    assert fuse_grids(grids, scales=[1, 1, 1], smoothing=1.0).shape == (16, 20)


def test_order_of_taps_does_not_matter() -> None:
    grids, scales = [grid(16, 16), grid(8, 8, seed=1)], [0.7, 1.9]
    forwards = fuse_grids(grids, scales=scales, smoothing=1.0)
    backwards = fuse_grids(grids[::-1], scales=scales[::-1], smoothing=1.0)
    np.testing.assert_allclose(forwards, backwards, rtol=1e-6)


def test_tap_with_small_distances_weighs_as_much_as_one_with_large() -> None:
    small, large = np.full((4, 4), 0.01, np.float32), np.full((4, 4), 100, np.float32)
    np.testing.assert_allclose(fuse_grids([small, large], scales=[0.01, 100], smoothing=0), 1.0, rtol=1e-6)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 2.5, 4.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2), (31, 40)])
def test_smoothing_against_scipy(sigma: float, shape: tuple[int, int]) -> None:
    fused = fuse_grids([grid(*shape)], scales=[1.0], smoothing=sigma)
    expected = ndimage.gaussian_filter(grid(*shape).astype(np.float64), sigma, mode="reflect")
    np.testing.assert_allclose(fused, expected, rtol=1e-5)


def test_smoothing_keeps_a_constant_up_to_the_border() -> None:
    constant = np.full((9, 13), 1.7, dtype=np.float32)
    np.testing.assert_allclose(fuse_grids([constant], scales=[1.0], smoothing=3.0), 1.7, rtol=1e-6)


def test_inputs_are_left_alone() -> None:
    grids = [grid(4, 4), grid(2, 2)]
    fuse_grids(grids, scales=[2.0, 3.0], smoothing=1.0)
    np.testing.assert_array_equal(grids[0], grid(4, 4))
    np.testing.assert_array_equal(grids[1], grid(2, 2))


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_impossible_scale(scale: float) -> None:
    with pytest.raises(ConfigError, match="scales"):
        fuse_grids([grid(2, 2)], scales=[scale], smoothing=0)


@pytest.mark.parametrize("smoothing", [-0.1, math.nan, math.inf])
def test_impossible_smoothing(smoothing: float) -> None:
    with pytest.raises(ConfigError, match="smoothing"):
        fuse_grids([grid(2, 2)], scales=[1.0], smoothing=smoothing)


def test_grids_that_do_not_fit() -> None:
    with pytest.raises(AnomalyError, match="0 grids"):
        fuse_grids([], scales=[], smoothing=0)
    with pytest.raises(AnomalyError, match="1 grids, 2 scales"):
        fuse_grids([grid(2, 2)], scales=[1.0, 1.0], smoothing=0)
    for broken in (
        grid(4),
        grid(0, 4),
        np.full((2, 2), np.nan, np.float32),
        np.full((2, 2), np.inf, np.float32),
    ):
        with pytest.raises(AnomalyError):
            fuse_grids([grid(2, 2), broken], scales=[1.0, 1.0], smoothing=0)


# ------------------------------------------------------------------------------------ image_score


def test_score_by_hand() -> None:
    values = np.arange(1, 101, dtype=np.float32).reshape(10, 10)
    assert image_score(values, top_share=0.01) == 100.0
    assert image_score(values, top_share=0.011) == 99.5, "rounded up to two values"
    assert image_score(values, top_share=0.07) == 97.0, "7, although 0.07 * 100 is 7.000000000000001"
    assert image_score(values, top_share=1.0) == 50.5
    assert image_score(values, top_share=1e-9) == 100.0, "at least one"
    assert image_score(np.array([[3.0]], dtype=np.float32), top_share=0.01) == 3.0


@pytest.mark.parametrize("top_share", [0.0, -0.1, 1.01, math.nan])
def test_impossible_share(top_share: float) -> None:
    with pytest.raises(ConfigError, match="top_share"):
        image_score(grid(3, 3), top_share=top_share)


def test_score_of_nothing_is_no_number() -> None:
    for broken in (grid(0, 3), np.array([[1, np.nan]], dtype=np.float32)):
        with pytest.raises(AnomalyError):
            image_score(broken, top_share=0.01)


# ------------------------------------------------------------------------------------ to_pixels


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 7), (457, 1131), (64, 64), (15, 333)])
def test_map_has_the_shape_of_the_image(shape: tuple[int, int]) -> None:
    pixels = to_pixels(grid(16, 20), *shape)
    assert pixels.shape == shape
    assert pixels.dtype == np.float32
    assert pixels.flags.writeable


def test_pixels_by_hand() -> None:
    np.testing.assert_allclose(to_pixels(np.array([[0, 4]], np.float32), 1, 4), [[0, 1, 3, 4]])


def test_pixels_against_half_pixel_interpolation() -> None:
    values = grid(6, 9)
    rows = (np.arange(60) + 0.5) * 6 / 60 - 0.5
    columns = (np.arange(63) + 0.5) * 9 / 63 - 0.5
    expected = ndimage.map_coordinates(values, np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest")
    np.testing.assert_allclose(to_pixels(values, 60, 63), expected, atol=1e-5)


def test_peak_stays_where_it_is() -> None:
    values = np.zeros((16, 16), dtype=np.float32)
    values[3, 11] = 1
    y, x = np.unravel_index(to_pixels(values, 480, 480).argmax(), (480, 480))
    assert abs(y - 3.5 * 30) <= 1
    assert abs(x - 11.5 * 30) <= 1


def test_impossible_pixels() -> None:
    with pytest.raises(AnomalyError):
        to_pixels(grid(3, 3), 0, 5)
    with pytest.raises(AnomalyError):
        to_pixels(grid(0, 3), 5, 5)
