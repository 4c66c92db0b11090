from __future__ import annotations

import numpy as np
import pytest

from memory_bank._exact import squared_distances
from memory_bank._screen import Frame, allowance, certainty, frame_of, left_factor, right_factor, squared_norms
from memory_bank.types import Float32Array, Float64Array
from tests.memory_bank.data import walks, word_counts


def everything_with_everything(offset: float, scale: float) -> tuple[Float32Array, Frame, Float64Array, Float32Array]:
    """Vectors, their frame, their squared norms in it, and the product of each with each."""
    vectors = (np.concatenate([word_counts(150, 30), walks(150, 30)]) + np.float32(offset)) * np.float32(scale)
    frame = frame_of(vectors)
    placed = frame.place(vectors)
    norms = squared_norms(placed)
    return vectors, frame, norms, left_factor(placed) @ right_factor(placed, norms, frame.margin).T


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e8])
@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e20])
def test_a_pair_that_is_ruled_out_is_truly_farther(offset: float, scale: float) -> None:
    vectors, frame, norms, product = everything_with_everything(offset, scale)
    ruled_out = 0
    for at, vector in enumerate(vectors):
        truly = squared_distances(vectors, vector) * frame.scale**2
        # The tightest limit there is for each row: its own distance, and a hair more.
        for limit in (truly, np.nextafter(truly, np.inf)):
            assert (product[:, at] < allowance(limit, norms, frame.margin)).all()
        ruled_out += np.count_nonzero(product[:, at] >= allowance(0.9 * truly, norms, frame.margin))
    if offset < 1e8:
        assert ruled_out > 0.95 * product.size  # and it rules nearly all others out


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e8])
@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e20])
def test_a_pair_that_is_certain_is_truly_nearer(offset: float, scale: float) -> None:
    vectors, frame, norms, product = everything_with_everything(offset, scale)
    certain = 0
    for at, vector in enumerate(vectors):
        truly = squared_distances(vectors, vector) * frame.scale**2
        # The widest limit that no row keeps: its own distance, less a hair.
        for limit in (truly, np.nextafter(truly, 0)):
            assert (product[:, at] >= certainty(limit, norms, frame.margin, largest=norms.max())).all()
        certain += np.count_nonzero(product[:, at] < certainty(1.1 * truly, norms, frame.margin, largest=norms.max()))
    if offset < 1e8:
        assert certain > 0.95 * product.size


def test_the_frame_centres_and_scales_by_a_power_of_two() -> None:
    frame = frame_of(walks(100) * np.float32(1000))
    assert np.frexp(frame.scale)[0] == 0.5
    placed = frame.place(walks(100) * np.float32(1000))
    assert 0.5 <= np.abs(placed).max() <= 1
    assert np.abs(placed.mean(axis=0)).max() < 1e-5
    assert frame_of(np.zeros((3, 2), np.float32)).scale == 1
