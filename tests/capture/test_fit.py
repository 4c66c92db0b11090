from __future__ import annotations

import numpy as np
import pytest

from anomaly.capture.fit import fit_reference
from anomaly.capture.reference import COLUMNS
from anomaly.errors import TooFewImagesError
from tests.capture.samples import QUALITY, draw_sample, draw_samples


@pytest.mark.parametrize("n", [12, 30, 60, 120])
def test_hardly_an_ordinary_picture_is_warned_of(n: int) -> None:
    warned = 0
    for seed in range(3):
        reference = fit_reference(draw_samples(seed, n), false_alarm_rate=0.01)
        new = draw_samples(1000 + seed, 300)
        warned += sum(bool(reference.judge(sample, QUALITY, refuse_at=2.0).warnings) for sample in new)
    assert warned <= 0.015 * 900  # the rate, and what 900 draws leave open


@pytest.mark.parametrize("n", [30, 120])
def test_the_limits_are_no_wider_than_it_takes(n: int) -> None:
    reference = fit_reference(draw_samples(0, n), false_alarm_rate=0.01)
    assert np.all(reference.limit > 2.5)
    assert np.all(reference.limit < 6.0)


def test_a_few_outliers_among_many_do_not_widen_the_limits() -> None:
    random = np.random.default_rng(5)
    clean = draw_samples(0, 60)
    odd = [draw_sample(random, log_sharpness=-4.0) for _ in range(2)]
    without, with_odd = (fit_reference(s, false_alarm_rate=0.01) for s in (clean, clean + odd))
    column = COLUMNS.index("log_sharpness")
    reach = [float(r.limit[column] * r.scale[column]) for r in (without, with_odd)]
    assert reach[1] < 1.2 * reach[0]
    assert len(with_odd.samples) == 60


def test_two_kinds_of_light_are_both_ordinary() -> None:
    random = np.random.default_rng(7)
    both = [draw_sample(random, brightness=0.2 * (i % 2)) for i in range(60)]
    reference = fit_reference(both, false_alarm_rate=0.01)
    for shift in (0.0, 0.2):
        assert not reference.judge(draw_sample(random, brightness=shift), QUALITY, refuse_at=2.0).warnings


def test_too_few_images_are_refused() -> None:
    with pytest.raises(TooFewImagesError, match="at least 3"):
        fit_reference(draw_samples(0, 2), false_alarm_rate=0.01)


def test_equal_pictures_give_finite_limits() -> None:
    samples = [draw_samples(0, 1)[0]] * 5
    reference = fit_reference(samples, false_alarm_rate=0.01)
    assert np.isfinite(reference.limit).all()
    assert not reference.judge(samples[0], QUALITY, refuse_at=2.0).warnings
