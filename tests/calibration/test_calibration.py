"""calibrate() chooses the rule, refuses what does not belong to it and explains itself."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest

from anomaly.calibration import Calibration, accuracy_threshold, calibrate, cost_threshold
from anomaly.errors import CalibrationError, PromiseNotPossibleError

RNG = np.random.default_rng(5)
UNDAMAGED, DAMAGED = RNG.normal(1, 0.3, 80), RNG.normal(3, 0.8, 70)


def test_accuracy_counts_what_the_threshold_does():
    calibration = calibrate(UNDAMAGED, DAMAGED)
    assert calibration.threshold == accuracy_threshold(UNDAMAGED, DAMAGED)
    assert (calibration.n_undamaged, calibration.n_damaged) == (80, 70)
    assert calibration.misses == sum(calibration.label(score) == "undamaged" for score in DAMAGED)
    assert calibration.false_alarms == sum(calibration.label(score) == "damaged" for score in UNDAMAGED)
    assert calibration.target is calibration.confidence is calibration.miss_cost is None
    assert calibration.lines()[0].startswith(f"{calibration.misses} of 70 damaged missed")


def test_a_score_equal_to_the_threshold_is_undamaged():
    calibration = calibrate([1.0], [2.0])
    assert calibration.label(calibration.threshold) == "undamaged"
    assert calibration.label(np.nextafter(calibration.threshold, 9.0)) == "damaged"


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_no_verdict_on_a_score_that_is_none(score):
    with pytest.raises(CalibrationError, match="finite"):
        calibrate([1.0], [2.0]).label(score)


def test_undamaged_images_alone_rest_on_a_false_alarm_target_and_say_so():
    calibration = calibrate(UNDAMAGED[:30], [])
    assert (calibration.objective, calibration.target) == ("false-alarm-target", 0.05)
    assert calibration.n_damaged == calibration.misses == 0
    assert any("No damaged image was labelled" in note for note in calibration.notes)
    assert not any("cannot support" in note for note in calibration.notes)
    assert "no damaged image" in calibration.lines()[0]


def test_too_few_undamaged_images_are_named():
    calibration = calibrate(UNDAMAGED[:8], [])
    assert calibration.false_alarms == 0
    assert any("8 undamaged" in note and "19 are needed" in note for note in calibration.notes)


def test_one_image_is_counted_as_one():
    (note,) = (note for note in calibrate(UNDAMAGED[:1], []).notes if "cannot support" in note)
    assert note.startswith("1 undamaged validation image cannot support")


def test_promises_are_recorded_with_target_and_confidence():
    alarm = calibrate(UNDAMAGED, DAMAGED, objective="max-false-alarm-rate", target=0.05, confidence=0.9)
    miss = calibrate(UNDAMAGED, DAMAGED, objective="max-miss-rate", target=0.05)
    assert (alarm.target, alarm.confidence) == (0.05, 0.9)
    assert (miss.target, miss.confidence) == (0.05, 0.95)
    assert alarm.false_alarms <= 0.05 * 80
    assert miss.misses <= 0.05 * 70
    with pytest.raises(PromiseNotPossibleError):
        calibrate(UNDAMAGED, DAMAGED, objective="max-miss-rate", target=0.01)


def test_cost():
    calibration = calibrate(UNDAMAGED, DAMAGED, objective="cost", miss_cost=10)
    assert calibration.threshold == cost_threshold(UNDAMAGED, DAMAGED, miss_cost=10)
    assert calibration.miss_cost == 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": 0.05},
        {"miss_cost": 10},
        {"confidence": 0.9},
        {"objective": "cost"},
        {"objective": "cost", "miss_cost": 2, "target": 0.1},
        {"objective": "cost", "miss_cost": 2, "confidence": 0.9},
        {"objective": "cost", "miss_cost": math.nan},
        {"objective": "cost", "miss_cost": 1.7e308},
        {"objective": "cost", "miss_cost": "ten"},
        {"objective": "false-alarm-target", "target": 1e-310},
        {"objective": "max-miss-rate"},
        {"objective": "max-miss-rate", "target": 5},
        {"objective": "max-miss-rate", "target": 0.1, "confidence": 95},
        {"objective": "max-miss-rate", "target": 0.1, "miss_cost": 2},
        {"objective": "false-alarm-target", "target": 0.1, "confidence": 0.9},
        {"objective": "f1"},
    ],
)
def test_a_parameter_that_would_be_ignored_is_an_error(wrong):
    with pytest.raises(CalibrationError) as caught:
        calibrate(UNDAMAGED, DAMAGED, **wrong)
    assert not isinstance(caught.value, PromiseNotPossibleError)
    assert "\n" not in str(caught.value)


def test_hopeless_scores_are_remarked_upon():
    assert any("do not score higher" in note for note in calibrate([5.0, 6.0], [1.0, 2.0]).notes)
    assert any("Every validation image" in note for note in calibrate([5.0], [1.0, 2.0]).notes)
    assert any("No validation image" in note for note in calibrate([5.0, 6.0], [1.0]).notes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": math.nan},
        {"misses": 71},
        {"false_alarms": -1},
        {"objective": "f1"},
        {"objective": "cost"},
        {"target": 0.1},
        {"confidence": 0.95},
    ],
)
def test_a_contradictory_record_is_refused(wrong):
    with pytest.raises(CalibrationError):
        dataclasses.replace(calibrate(UNDAMAGED, DAMAGED), **wrong)


def test_a_calibration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        calibrate([1.0], [2.0]).threshold = 5.0  # type: ignore[misc]
    assert isinstance(calibrate([1.0], [2.0]), Calibration)


def test_calibration_imports_numpy_and_nothing_heavier():
    heavy = "('scipy', 'torch', 'PIL', 'sklearn')"
    code = f"import sys, anomaly.calibration; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("price", [-1, 0, math.inf])
def test_a_record_with_an_impossible_price_does_not_load(price: float) -> None:
    calibration = calibrate(UNDAMAGED, DAMAGED, objective="cost", miss_cost=10)
    with pytest.raises(CalibrationError, match="miss_cost must be positive"):
        dataclasses.replace(calibration, miss_cost=price)
