"""Two promised rates at once: two thresholds, or one that keeps both."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math

import numpy as np
import pytest

from anomaly.calibration import (
    CalibrationRecord,
    ScoredImage,
    calibrate,
    max_false_alarm_threshold,
    max_miss_threshold,
    scores_by_label,
)
from anomaly.errors import CalibrationError, PromiseNotPossibleError

RNG = np.random.default_rng(3)
UNDAMAGED, DAMAGED = RNG.normal(1, 1, 120), RNG.normal(3, 1, 90)
BOTH = {"objective": "both-rates", "max_miss_rate": 0.05, "max_false_alarm_rate": 0.05}


def test_what_keeps_neither_promise_is_to_be_reinspected():
    found = calibrate(UNDAMAGED, DAMAGED, **BOTH)
    assert found.threshold == max_false_alarm_threshold(UNDAMAGED, DAMAGED, target=0.05, confidence=0.95)
    assert found.reinspect_above == max_miss_threshold(UNDAMAGED, DAMAGED, target=0.05, confidence=0.95)
    assert found.reinspect_above < found.threshold
    labels = {name: [found.label(score) for score in scores] for name, scores in (("u", UNDAMAGED), ("d", DAMAGED))}
    assert found.false_alarms == labels["u"].count("damaged") <= 0.05 * 120
    assert found.misses == labels["d"].count("undamaged") <= 0.05 * 90
    assert found.reinspected_undamaged == labels["u"].count("reinspect") > 0
    assert found.reinspected_damaged == labels["d"].count("reinspect") > 0
    assert "to be reinspected" in found.lines()[1]
    assert "both together with at least 0.9." in " ".join(found.lines())


def test_the_ends_of_the_band():
    found = calibrate(UNDAMAGED, DAMAGED, **BOTH)
    lower, upper = found.reinspect_above, found.threshold
    assert [found.label(score) for score in (lower, np.nextafter(lower, 9), upper, np.nextafter(upper, 9))] == [
        "undamaged", "reinspect", "reinspect", "damaged",
    ]  # fmt: skip


@pytest.mark.parametrize("shift", [4.0, 9.0])
def test_where_one_threshold_keeps_both_promises_there_is_one(shift):
    damaged = DAMAGED + shift
    found = calibrate(UNDAMAGED, damaged, **BOTH)
    assert found.reinspect_above is None
    assert found.reinspected_undamaged == found.reinspected_damaged == 0
    assert max_false_alarm_threshold(UNDAMAGED, damaged, target=0.05, confidence=0.95) <= found.threshold
    assert found.threshold <= max_miss_threshold(UNDAMAGED, damaged, target=0.05, confidence=0.95)
    if shift == 9:
        assert found.threshold == calibrate(UNDAMAGED, damaged).threshold


def test_two_thresholds_in_one_gap_are_one():
    found = calibrate(np.arange(60.0), np.arange(60.0) + 60.3, **BOTH)
    assert found.reinspect_above is None
    assert 59 < found.threshold < 60.3


def test_either_promise_that_cannot_be_carried_is_refused():
    with pytest.raises(PromiseNotPossibleError, match="59 damaged"):
        calibrate(UNDAMAGED, DAMAGED[:50], **BOTH)
    with pytest.raises(PromiseNotPossibleError, match="59 undamaged"):
        calibrate(UNDAMAGED[:50], DAMAGED, **BOTH)


@pytest.mark.parametrize(
    "wrong",
    [
        {"objective": "both-rates"},
        {"objective": "both-rates", "max_miss_rate": 0.1},
        {"objective": "both-rates", "max_false_alarm_rate": 0.1},
        {**BOTH, "target": 0.1},
        {**BOTH, "max_miss_rate": 5},
        {**BOTH, "miss_cost": 5},
        {"max_miss_rate": 0.1},
        {"objective": "max-miss-rate", "target": 0.1, "max_miss_rate": 0.1},
    ],
)
def test_rates_that_would_be_ignored_are_errors(wrong):
    with pytest.raises(CalibrationError) as caught:
        calibrate(UNDAMAGED, DAMAGED, **wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"reinspect_above": 99.0},
        {"reinspect_above": None},
        {"reinspect_above": math.nan},
        {"reinspected_damaged": -1},
        {"reinspected_damaged": 91},
        {"confidence": None},
    ],
)
def test_a_contradictory_band_is_refused(wrong):
    with pytest.raises(CalibrationError):
        dataclasses.replace(calibrate(UNDAMAGED, DAMAGED, **BOTH), **wrong)


def a_record(**objective):
    scores = tuple(
        ScoredImage(f"{label}{i}", hashlib.sha256(f"{label}{i}".encode()).hexdigest(), label, float(score))
        for label, values in (("undamaged", UNDAMAGED), ("damaged", DAMAGED))
        for i, score in enumerate(values)
    )
    calibration = calibrate(*scores_by_label(scores), **objective)
    return CalibrationRecord(1, "2026-11-22T15:58:00+00:00", "r", "s", calibration, scores)


def test_both_rates_survive_in_the_record_and_so_do_probabilities():
    record = a_record(**BOTH)
    back = CalibrationRecord.from_json(record.to_json())
    assert back == record
    assert back.calibration.probability(2.0) == record.calibration.probability(2.0) is not None
    assert back.calibration.p_value(2.0) == record.calibration.p_value(2.0)


def test_a_record_of_one_threshold_has_the_fields_that_it_always_had():
    assert not {"reinspect_above", "max_miss_rate", "validation"} & set(json.loads(a_record().to_json())["calibration"])


def test_a_band_whose_counts_do_not_follow_is_noticed():
    value = json.loads(a_record(**BOTH).to_json())
    value["calibration"]["reinspected_damaged"] -= 1
    with pytest.raises(CalibrationError, match="counts do not follow"):
        CalibrationRecord.from_json(json.dumps(value))
