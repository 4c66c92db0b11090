"""Intervals by resampling: the measure itself in every draw, coverage under a known law, nothing said of nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from anomaly.evaluation import Interval, Undefined, average_precision, average_precision_interval
from anomaly.evaluation.bootstrap import pixel_intervals, resampled
from anomaly.interop import pixel_histograms, pixel_metrics
from anomaly.interop.pixel_histograms import histogram_metrics

RNG = np.random.default_rng(2)


def test_a_draw_has_as_many_images_of_each_label():
    strata = np.arange(17) < 5
    weights = np.concatenate(list(resampled(strata, draws=300)))
    assert weights.shape == (300, 17)
    assert (weights[:, :5].sum(axis=1) == 5).all()
    assert (weights[:, 5:].sum(axis=1) == 12).all()


@pytest.mark.parametrize("decimals", [0, 6])
def test_the_interval_is_that_of_resampled_scores(decimals):
    scores = np.round(np.concatenate([RNG.normal(0, 1, 40), RNG.normal(1.5, 1, 25)]), decimals)
    damaged = np.arange(65) >= 40
    found = average_precision_interval(scores, damaged)
    assert isinstance(found, Interval)
    assert found.value == average_precision(scores, damaged)
    (weights,) = resampled(damaged, draws=2000)
    slow = [average_precision(np.repeat(scores, w), np.repeat(damaged, w)) for w in weights[:400].astype(int)]
    assert found.low == pytest.approx(np.quantile(slow, 0.025), abs=0.02)
    assert found.high == pytest.approx(np.quantile(slow, 0.975), abs=0.02)
    assert average_precision_interval(scores, damaged) == found


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    truth = average_precision(
        np.concatenate([RNG.normal(0, 1, 200_000), RNG.normal(1.5, 1, 200_000)]), np.arange(400_000) >= 200_000
    )
    damaged = np.arange(80) >= 40
    inside = 0
    for _ in range(200):
        scores = np.concatenate([RNG.normal(0, 1, 40), RNG.normal(1.5, 1, 40)])
        found = average_precision_interval(scores, damaged, draws=400)
        inside += found.low <= truth <= found.high
    assert stats.binomtest(inside, 200).proportion_ci(0.999).high >= 0.93


def test_no_overlap_has_no_interval_instead_of_one_without_width():
    found = average_precision_interval([1.0, 2.0, 3.0, 4.0], [False, False, True, True])
    assert isinstance(found, Undefined)
    assert "no spread" in found.reason
    assert average_precision_interval([1.0], [True]) == Undefined("there is no undamaged image")


def spotted(n):
    """Noisy maps with spots that are found now well, now badly."""
    maps, masks = [], []
    for number in range(n):
        map_ = RNG.normal(0, 1, (24, 20 + number % 3)).astype(np.float32)
        mask = None
        if number % 2:
            mask = np.zeros(map_.shape, dtype=bool)
            mask[4:9, 5:10] = mask[15:17, 2:4] = True
            map_[mask] += RNG.uniform(0, 4)
        maps.append(map_)
        masks.append(mask)
    return maps, masks


@pytest.mark.slow
def test_histograms_say_what_anomalib_says():
    maps, masks = spotted(12)
    exact = pixel_metrics(maps, masks)
    found = pixel_histograms(maps, masks).metrics(np.ones(12))
    assert found == pytest.approx((exact.auroc, exact.aupro), abs=0.005)
    twice = pixel_histograms(maps, masks).metrics(np.array([2.0, 1.0] * 6))
    again = pixel_metrics(maps + maps[::2], masks + masks[::2])
    assert twice == pytest.approx((again.auroc, again.aupro), abs=0.005)


def test_pixel_intervals_are_over_images():
    maps, masks = spotted(30)
    found = histogram_metrics(maps, masks)
    intervals = pixel_intervals(maps, masks, auroc=found[0], aupro=found[1])
    for interval, value in zip(intervals, found, strict=True):
        assert isinstance(interval, Interval)
        assert 0 <= interval.low < value == interval.value < interval.high <= 1
        assert interval.high - interval.low > 0.02  # 15 images, not 14,000 pixels


def test_one_image_with_a_mask_has_no_interval():
    maps, masks = spotted(2)
    assert all(isinstance(found, Undefined) for found in pixel_intervals(maps, masks, auroc=0.9, aupro=0.8))


def test_one_image_with_anything_but_defects_has_no_interval():
    maps, masks = spotted(4)
    maps, masks = [maps[1], maps[3]], [masks[1], np.ones(maps[3].shape, dtype=bool)]
    reason = Undefined("resampling needs at least two images with a pixel that is no defect")
    assert pixel_intervals(maps, masks, auroc=0.5, aupro=0.5) == (reason, reason)


def test_a_draw_of_nothing_but_defects_does_not_count():
    maps, masks = spotted(8)
    maps, masks = maps[1::2], masks[1::2]
    for at in (0, 1):
        masks[at] = np.ones(maps[at].shape, dtype=bool)
    found = histogram_metrics(maps, masks)
    for interval, value in zip(pixel_intervals(maps, masks, auroc=found[0], aupro=found[1]), found, strict=True):
        assert isinstance(interval, Interval)
        assert 0 <= interval.low <= value == interval.value <= interval.high <= 1
