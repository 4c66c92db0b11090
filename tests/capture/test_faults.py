"""Faults that are learnt by planting them, on made-up embeddings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from anomaly.capture import FAULTS, CaptureReference
from anomaly.capture.faults import LEAST_STRENGTH, FaultFilter, PlantedFault, strongest
from anomaly.capture.files import reference_from_files, reference_to_files
from anomaly.capture.fit import fit_reference
from anomaly.imaging.faults import PLANT
from anomaly.types import CaptureSample
from tests.capture.samples import CHANGE, QUALITY, draw_sample, draw_samples, planted_in


def changed(sample: CaptureSample, times: float) -> CaptureSample:
    return dataclasses.replace(sample, embedding=(sample.embedding + times * CHANGE).astype(np.float32))


def fitted(n: int, seed: int = 0) -> CaptureReference:
    samples = draw_samples(seed, n)
    return fit_reference(samples, false_alarm_rate=0.01, planted=planted_in(samples))


def warnings(reference: CaptureReference, sample: CaptureSample) -> tuple[str, ...]:
    return reference.judge(sample, QUALITY, refuse_at=2.0).warnings


@pytest.mark.parametrize("n", [17, 60])
def test_a_fault_is_noticed_where_the_whole_embedding_is_still_ordinary(n: int) -> None:
    reference = fitted(n)
    unaware = dataclasses.replace(reference, filters=())
    new = [changed(sample, 1.3) for sample in draw_samples(500, 60)]
    noticed = [any(FAULTS["nearer"] in words for words in warnings(reference, sample)) for sample in new]
    assert np.mean(noticed) > 0.9
    assert np.mean([bool(warnings(unaware, sample)) for sample in new]) < 0.6


@pytest.mark.parametrize("n", [12, 30, 120])
def test_hardly_an_ordinary_picture_is_taken_for_one_with_a_fault(n: int) -> None:
    warned = 0
    for seed in range(3):
        reference = fitted(n, seed)
        warned += sum(bool(warnings(reference, sample)) for sample in draw_samples(1000 + seed, 300))
    assert warned <= 0.015 * 900  # the rate, and what 900 draws leave open


def test_strength_is_measured_in_planted_faults() -> None:
    reference = fitted(60)
    (found,) = reference.filters
    for times in (0.0, 1.0, 2.0):
        new = [changed(sample, times).embedding.astype(np.float64) for sample in draw_samples(7, 200)]
        assert np.mean([found.strength(embedding) for embedding in new]) == pytest.approx(times, abs=0.1)
    assert found.limit >= LEAST_STRENGTH


def test_a_fault_alone_never_refuses_a_picture() -> None:
    reference = fitted(60)
    unaware = dataclasses.replace(reference, filters=())
    sample = changed(draw_samples(3, 1)[0], 3.0)
    found, without = (r.judge(sample, QUALITY, refuse_at=2.0) for r in (reference, unaware))
    assert len(found.warnings) == len(without.warnings) + 1
    assert (found.refused, found.everywhere) == (without.refused, without.everywhere)


def test_small_changes_are_none_however_alike_pictures_are() -> None:
    random = np.random.default_rng(0)
    alike = [draw_sample(random) for _ in range(30)]
    first = alike[0]
    alike = [
        dataclasses.replace(s, embedding=first.embedding + random.normal(0, 1e-3, 24).astype(np.float32)) for s in alike
    ]
    reference = fit_reference(alike, false_alarm_rate=0.01, planted=planted_in(alike))
    (found,) = reference.filters
    assert found.limit == LEAST_STRENGTH
    assert found.strength(changed(alike[3], 0.3).embedding.astype(np.float64)) < found.limit
    assert found.strength(changed(alike[3], 0.4).embedding.astype(np.float64)) > found.limit


def test_only_the_strongest_fault_is_told() -> None:
    weak, strong = (
        FaultFilter("darker", np.ones(2, np.float32), 0.0, 1.0),
        FaultFilter("nearer", np.ones(2, np.float32), 0.0, 0.5),
    )
    found = strongest((weak, strong), np.ones(2))
    assert found is not None
    assert found[0] is strong
    assert "4.0 times" in strong.phrase(found[1])
    assert strongest((weak, strong), np.zeros(2)) is None
    assert strongest((), np.ones(2)) is None


@pytest.mark.parametrize(
    ("fault", "shifts", "believed"),
    [
        ("out_of_focus", {"log_sharpness": 2.5}, False),
        ("out_of_focus", {"log_sharpness": -2.5}, True),
        ("out_of_focus", {}, True),
        ("darker", {"brightness": 0.3}, False),
        ("brighter", {"brightness": 0.3}, True),
        ("brighter", {"brightness": -0.3}, False),
        ("nearer", {"log_aspect": -0.5}, False),
        ("farther_mirrored", {"log_aspect": 0.5}, False),
    ],
)
def test_pixels_that_tell_otherwise_are_believed(fault: str, shifts: dict[str, float], believed: bool) -> None:
    samples = draw_samples(0, 60)
    reference = fit_reference(samples, false_alarm_rate=0.01, planted=planted_in(samples, fault))
    found = warnings(reference, changed(draw_sample(np.random.default_rng(3), **shifts), 2.0))
    assert any(FAULTS[fault] in words for words in found) == believed
    assert found


def test_what_changes_nothing_is_not_learnt() -> None:
    samples = draw_samples(0, 12)
    planted = [PlantedFault("darker", i, sample.embedding) for i, sample in enumerate(samples[:4])]
    reference = fit_reference(samples, false_alarm_rate=0.01, planted=planted + planted_in(samples))
    assert [one.fault for one in reference.filters] == ["nearer"]


@pytest.mark.parametrize("n", [3, 4])
def test_few_pictures_and_one_planted_fault_are_enough_to_fit(n: int) -> None:
    samples = draw_samples(0, n)
    (found,) = fit_reference(samples, false_alarm_rate=0.01, planted=planted_in(samples)[:1]).filters
    assert np.isfinite(found.limit)
    assert found.limit > 1  # so few pictures say little


def test_faults_planted_in_outliers_count_no_more_than_these() -> None:
    random = np.random.default_rng(5)
    samples = [draw_sample(random, log_sharpness=-4.0), *draw_samples(0, 60)]
    odd = [PlantedFault("nearer", 0, samples[0].embedding + np.float32(50))]
    rest = [dataclasses.replace(one, sample=one.sample + 1) for one in planted_in(samples[1:])]
    with_odd = fit_reference(samples, false_alarm_rate=0.01, planted=odd + rest)
    without = fit_reference(samples[1:], false_alarm_rate=0.01, planted=planted_in(samples[1:]))
    np.testing.assert_array_equal(with_odd.filters[0].weights, without.filters[0].weights)


def test_files_hold_them_exactly_and_older_ones_have_none() -> None:
    reference = fitted(20)
    files = reference_to_files(reference)
    read = reference_from_files(files)
    assert read is not None
    assert reference_to_files(read) == files
    sample = draw_samples(4, 1)[0]
    assert [one.strength(sample.embedding) for one in read.filters] == [
        one.strength(sample.embedding) for one in reference.filters
    ]
    without = reference_from_files(reference_to_files(dataclasses.replace(reference, filters=())))
    assert without is not None
    assert without.filters == ()


def test_every_fault_can_be_planted_and_described() -> None:
    assert list(PLANT) == list(FAULTS)
