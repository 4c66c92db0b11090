from __future__ import annotations

import numpy as np
import pytest

from anomaly.detector.scales import tap_scales
from anomaly.errors import TooFewImagesError


def test_a_typical_undamaged_score_becomes_one() -> None:
    scores = np.abs(np.random.default_rng(0).normal(5.0, 1.0, size=(40, 3))) * [1.0, 10.0, 0.1]
    scales = np.array(tap_scales(scores))
    assert np.mean(scores / scales) == pytest.approx(1.0)


def test_a_tap_that_varies_half_as_much_counts_twice() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=4000)
    scores = np.stack([10 + noise, 10 + 0.5 * rng.permutation(noise)], axis=1)
    steady, calm = tap_scales(scores)
    assert steady / calm == pytest.approx(2.0, rel=0.02)


def test_the_unit_of_a_tap_does_not_matter() -> None:
    scores = np.random.default_rng(2).uniform(4, 6, size=(20, 2))
    one, other = np.array(tap_scales(scores)), np.array(tap_scales(scores * [1.0, 7.0]))
    np.testing.assert_allclose(other, one * [1.0, 7.0])


def test_few_images_move_the_taps_little_apart() -> None:
    scores = np.array([[10.0, 10.0], [10.2, 13.0]])
    assert max(tap_scales(scores)) / min(tap_scales(scores)) < 3
    same = np.array([[4.0, 5.0], [4.0, 5.0]])
    np.testing.assert_allclose(tap_scales(same), [4.0, 5.0])


def test_images_that_are_all_there_twice_say_nothing_of_a_new_one() -> None:
    with pytest.raises(TooFewImagesError, match="every undamaged image is there twice"):
        tap_scales(np.array([[0.0, 1.0], [0.0, 1.2]]))
