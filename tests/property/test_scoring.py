"""What must hold for every map, whatever its size and values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anomaly.imaging.components import label_components
from anomaly.scoring import find_regions, fuse_grids, image_score, to_pixels
from anomaly.types import BoolArray, Float32Array

maps = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(0, 8, width=16).map(float),
)
masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
shares = st.floats(0.001, 1)


@given(values=maps, share=shares, factor=st.sampled_from([0.25, 2.0, 1024.0]))
def test_scaling_the_distances_scales_everything(values: Float32Array, share: float, factor: float) -> None:
    scaled = (values * np.float32(factor)).astype(np.float32)
    assert image_score(scaled, top_share=share) == pytest.approx(factor * image_score(values, top_share=share))
    plain = fuse_grids([values, values[:1]], scales=[0.7, 1.3], smoothing=1.0)
    np.testing.assert_allclose(
        fuse_grids([scaled, scaled[:1]], scales=[0.7, 1.3], smoothing=1.0), factor * plain, rtol=1e-5
    )
    np.testing.assert_allclose(to_pixels(scaled, 9, 11), factor * to_pixels(values, 9, 11), rtol=1e-5)


@given(values=maps, share=shares, seed=st.integers(0, 2**32 - 1))
def test_score_does_not_depend_on_where_the_values_stand(values: Float32Array, share: float, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(values.ravel()).reshape(values.shape)
    assert image_score(shuffled, top_share=share) == image_score(values, top_share=share)


@given(values=maps, share=shares, data=st.data())
def test_raising_one_value_never_lowers_the_score(values: Float32Array, share: float, data: st.DataObject) -> None:
    raised = values.copy()
    place = data.draw(st.tuples(*(st.integers(0, side - 1) for side in values.shape)))
    raised[place] += 1
    assert image_score(raised, top_share=share) >= image_score(values, top_share=share)


@given(values=maps, share=shares)
def test_score_lies_between_mean_and_maximum(values: Float32Array, share: float) -> None:
    score = image_score(values, top_share=share)
    assert score <= float(values.max())
    assert score >= float(values.astype(np.float64).mean()) - 1e-9


@given(values=maps, height=st.integers(1, 99), width=st.integers(1, 99))
def test_pixels_have_the_asked_shape_and_no_new_extremes(values: Float32Array, height: int, width: int) -> None:
    pixels = to_pixels(values, height, width)
    assert pixels.shape == (height, width)
    assert pixels.min() >= values.min()
    assert pixels.max() <= values.max()


@given(values=maps, smoothing=st.floats(0, 5))
def test_smoothing_stays_in_range_and_keeps_the_mean(values: Float32Array, smoothing: float) -> None:
    smooth = fuse_grids([values], scales=[1.0], smoothing=smoothing)
    assert smooth.min() >= values.min() - 1e-5
    assert smooth.max() <= values.max() + 1e-5
    # A mirrored border loses nothing as long as the Gaussian is mirrored at most once.
    if 4 * smoothing < min(values.shape):
        assert smooth.astype(np.float64).mean() == pytest.approx(values.astype(np.float64).mean(), abs=1e-4)


@given(values=maps, axis=st.sampled_from([0, 1]))
def test_flipping_the_image_flips_the_map(values: Float32Array, axis: int) -> None:
    flipped = np.flip(values, axis)
    fused = fuse_grids([values], scales=[1.0], smoothing=1.0)
    np.testing.assert_allclose(fuse_grids([flipped], scales=[1.0], smoothing=1.0), np.flip(fused, axis), atol=1e-5)
    np.testing.assert_allclose(to_pixels(flipped, 17, 23), np.flip(to_pixels(values, 17, 23), axis), atol=1e-5)


@given(values=maps, threshold=st.floats(-1, 9))
def test_regions_account_for_every_pixel_above_the_threshold(values: Float32Array, threshold: float) -> None:
    regions = find_regions(values, threshold)
    above = values.astype(np.float64) > threshold
    assert sum(region.area_px for region in regions) == above.sum()
    assert (len(regions) > 0) == bool(values.max() > np.float64(threshold))
    for region in regions:
        assert region.peak > threshold
        assert values[region.peak_y, region.peak_x] == region.peak
        assert region.x <= region.peak_x < region.x + region.width <= values.shape[1]
        assert region.y <= region.peak_y < region.y + region.height <= values.shape[0]
        assert max(region.width, region.height) <= region.area_px <= region.width * region.height
    assert [region.peak for region in regions] == sorted((r.peak for r in regions), reverse=True)


@given(values=maps, low=st.floats(0, 8), high=st.floats(0, 8))
def test_raising_the_threshold_never_gains_area(values: Float32Array, low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert sum(r.area_px for r in find_regions(values, high)) <= sum(r.area_px for r in find_regions(values, low))


@given(mask=masks)
def test_neighbours_share_a_label(mask: BoolArray) -> None:
    labels, count = label_components(mask)
    np.testing.assert_array_equal(labels > 0, mask)
    assert set(np.unique(labels[mask]).tolist()) == set(range(1, count + 1))
    height, width = mask.shape
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = labels[: height - down, max(0, -right) : width - max(0, right)]
        there = labels[down:, max(0, right) : width + min(0, right)]
        both = (here > 0) & (there > 0)
        np.testing.assert_array_equal(here[both], there[both])
    turned, turned_count = label_components(np.rot90(mask))
    assert turned_count == count
    assert (turned > 0).sum() == mask.sum()
