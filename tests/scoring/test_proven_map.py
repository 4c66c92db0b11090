"""A map from bounds: right wherever the score and the regions rest on it, and nowhere too small."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anomaly.scoring import (
    ProvenMaps,
    find_regions,
    fuse_grids,
    image_score,
    part_scores,
    to_pixels,
)
from anomaly.types import BoolArray, Float32Array


class Bounds:
    """Distances that are ``excess`` too large until they are proven."""

    def __init__(self, right: Float32Array, excess: Float32Array) -> None:
        self.right, self.distance = right, (right + excess).astype(np.float32)
        self.proven: BoolArray = np.zeros(right.shape, bool)
        self.asked = 0

    def prove(self, which: BoolArray) -> None:
        assert which.any()
        self.asked += 1
        self.distance = np.where(which, self.right, self.distance).astype(np.float32)
        self.proven = self.proven | which


def grid(shape: tuple[int, int], *, seed: int) -> Float32Array:
    return np.random.default_rng(seed).gamma(9.0, 0.1, size=shape).astype(np.float32)


def two_taps(shape: tuple[int, int], *, seed: int, excess: float = 0.2) -> list[Bounds]:
    coarse = (-(-shape[0] // 2), -(-shape[1] // 2))
    return [
        Bounds(grid(of, seed=seed + i), excess * grid(of, seed=seed + i + 9)) for i, of in enumerate((shape, coarse))
    ]


def maps(taps: list[Bounds], smoothing: float = 1.0, share: float = 0.01) -> ProvenMaps:
    return ProvenMaps(taps, [0.7, 1.3], smoothing, share)


def exact(taps: list[Bounds], smoothing: float) -> Float32Array:
    return fuse_grids([tap.right for tap in taps], scales=[0.7, 1.3], smoothing=smoothing)


shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=14)
excesses = st.sampled_from([0.0, 0.02, 0.5, 40.0])
smoothings = st.sampled_from([0.0, 0.5, 1.0, 2.0])


@given(shape=shapes, seed=st.integers(0, 999), excess=excesses, smoothing=smoothings, share=st.floats(0.001, 1))
def test_the_score_is_that_of_the_proven_map(
    shape: tuple[int, int], seed: int, excess: float, smoothing: float, share: float
) -> None:
    taps = two_taps(shape, seed=seed, excess=excess)
    right = exact(taps, smoothing)
    found = maps(taps, smoothing, share).for_score()
    assert image_score(found, top_share=share) == image_score(right, top_share=share)
    assert (found >= right).all()
    lowest = np.sort(right, axis=None)[::-1][max(1, int(np.ceil(round(share * right.size, 6)))) - 1]
    np.testing.assert_array_equal(found[found >= lowest], right[right >= lowest])


@given(
    shape=shapes, seed=st.integers(0, 999), excess=excesses, smoothing=smoothings, place=st.floats(0, 1),
    height=st.integers(1, 60), width=st.integers(1, 60),
)  # fmt: skip
def test_what_a_map_shows_above_a_value_is_right_in_pixels(
    shape: tuple[int, int], seed: int, excess: float, smoothing: float, place: float, height: int, width: int
) -> None:
    taps = two_taps(shape, seed=seed, excess=excess)
    right = exact(taps, smoothing)
    value = float(np.quantile(right, place))
    found = maps(taps, smoothing).above(value, height=height, width=width)
    assert (found >= right).all()
    shown, wanted = (to_pixels(of, height, width) for of in (found, right))
    assert find_regions(shown, value) == find_regions(wanted, value)


@given(
    seed=st.integers(0, 999), excess=excesses, smoothing=smoothings, place=st.floats(0.5, 1),
    share=st.sampled_from([0.003, 0.02, 0.2]), parts=st.integers(1, 6),
)  # fmt: skip
def test_parts_above_a_value_get_the_score_of_the_proven_map(
    seed: int, excess: float, smoothing: float, place: float, share: float, parts: int
) -> None:
    taps = two_taps((14, 18), seed=seed, excess=excess)
    labels = np.zeros((14, 18), np.int32)
    for number in range(1, parts + 1):
        labels[2:9, 3 * number - 3 : 3 * number - 1] = number
    right = exact(taps, smoothing)
    value = float(np.quantile(right, place))
    found = maps(taps, smoothing, share).in_parts(labels, count=parts, value=value)
    scores, wanted = (part_scores(of, labels, count=parts, top_share=share) for of in (found, right))
    for score, expected in zip(scores, wanted, strict=True):
        assert score == expected if score > value else expected <= score
    assert [score > value for score in scores] == [score > value for score in wanted]


@pytest.mark.parametrize("smoothing", [0.5, 2.0])
def test_little_is_proven_in_few_rounds(smoothing: float) -> None:
    taps = two_taps((96, 128), seed=3, excess=0.05)
    taps[0].right[40:46, 60:66] += 3
    taps[0].distance[40:46, 60:66] += 3
    maps(taps, smoothing, 0.003).for_score()
    assert 0 < taps[0].proven.mean() < 0.1
    assert 0 < taps[1].proven.mean() < 0.2
    assert taps[0].asked <= 3


def test_nothing_is_proven_that_is_below_the_value() -> None:
    taps = two_taps((20, 20), seed=1)
    maps(taps).above(99.0, height=40, width=40)
    assert not any(tap.proven.any() for tap in taps)


@pytest.mark.parametrize(
    "ask",
    [
        lambda taps: ProvenMaps(taps, [1, 1], 1.0, 0.01).for_score(),
        lambda taps: ProvenMaps(taps, [1, 1], 1.0, 0.01).above(1.0, height=9, width=9),
    ],
)
def test_equal_values_everywhere_are_all_proven(ask: Callable[[list[Bounds]], Float32Array]) -> None:
    taps = [Bounds(np.ones(shape, np.float32), np.zeros(shape, np.float32)) for shape in ((9, 7), (3, 3))]
    np.testing.assert_array_equal(ask(taps), np.ones((9, 7), np.float32))
    assert all(tap.proven.all() for tap in taps)
