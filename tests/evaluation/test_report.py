"""Counts first, rates with intervals, slices, and nothing silently 0."""

import hashlib
import json
from functools import partial

import numpy as np

from anomaly.calibration import ScoredImage, calibrate, calibrate_by_type
from anomaly.evaluation import Interval, Rate, Reliability, Undefined, add_pixel_metrics, evaluate_scores


def scored(name, label, score, **more):
    return ScoredImage(name, hashlib.sha256(name.encode()).hexdigest(), label, score, **more)


IMAGES = [
    scored("g1", "undamaged", 1.0, part_type="gear"),
    scored("g2", "undamaged", 2.6, part_type="gear"),
    scored("g3", "damaged", 4.0, part_type="gear", defect="dent"),
    scored("s1", "undamaged", 1.2, part_type="spring"),
    scored("s2", "damaged", 2.0, part_type="spring", defect="crack"),
    scored("s3", "damaged", 5.0, part_type="spring", defect="crack"),
]
CALIBRATION = calibrate([1.0, 1.1], [3.9, 4.0])


def test_counts_come_first():
    report = evaluate_scores(IMAGES, CALIBRATION)
    overall = report.overall
    assert isinstance(overall.miss_rate, Rate)
    assert isinstance(overall.false_alarm_rate, Rate)
    assert isinstance(overall.accuracy, Rate)
    assert (overall.miss_rate.count, overall.miss_rate.n) == (1, 3)
    assert (overall.false_alarm_rate.count, overall.false_alarm_rate.n) == (1, 3)
    assert (overall.accuracy.count, overall.accuracy.n) == (4, 6)
    assert report.lines()[0] == "1 of 3 damaged missed, 1 of 3 undamaged flagged"
    assert report.lines()[1].startswith("miss rate 33.3 % (0.8-90.6 %)")


def test_an_image_with_several_kinds_of_damage_counts_under_each() -> None:
    images = [
        scored("g1", "undamaged", 1.0),
        scored("g2", "damaged", 4.0, defect="dent+rust"),
        scored("g3", "damaged", 5.0, defect="rust+rust"),
    ]
    report = evaluate_scores(images, CALIBRATION)
    assert [(part.name, part.n_damaged) for part in report.by_defect] == [("dent", 1), ("rust", 2)]


def test_slices_by_part_type_and_damage():
    report = evaluate_scores(IMAGES, CALIBRATION)
    assert [part.name for part in report.by_part_type] == ["gear", "spring"]
    assert [(part.n_undamaged, part.n_damaged) for part in report.by_part_type] == [(2, 1), (1, 2)]
    crack, dent = report.by_defect
    assert (crack.name, crack.n_undamaged, crack.n_damaged) == ("crack", 3, 2)
    assert isinstance(dent.auroc, Interval)
    assert dent.auroc.value == 1.0
    assert "damage crack: 1 of 2 damaged missed" in report.lines()


def test_without_calibration_rates_are_undefined_and_areas_are_not():
    report = evaluate_scores(IMAGES, None)
    assert isinstance(report.overall.miss_rate, Undefined)
    assert isinstance(report.overall.auroc, Interval)
    assert report.threshold is None
    assert "not calibrated" in report.lines()[0]


def test_one_class_leaves_the_other_rate_undefined():
    report = evaluate_scores([image for image in IMAGES if image.label == "undamaged"], CALIBRATION)
    assert isinstance(report.overall.false_alarm_rate, Rate)
    assert isinstance(report.overall.miss_rate, Undefined)
    assert report.lines()[0] == "no damaged image, 1 of 3 undamaged flagged"
    assert "miss rate undefined: there is no damaged image" in report.lines()
    assert "image AUROC undefined: there is no damaged image" in report.lines()


def test_no_image_at_all():
    report = evaluate_scores([], CALIBRATION)
    assert isinstance(report.overall.accuracy, Undefined)
    assert isinstance(report.overall.auroc, Undefined)


def test_to_dict_is_json_with_reasons():
    found = json.loads(json.dumps(evaluate_scores(IMAGES[:2], CALIBRATION).to_dict(), allow_nan=False))
    assert found["overall"]["auroc"] == {"undefined": "there is no damaged image"}
    assert found["overall"]["false_alarm_rate"]["count"] == 1
    assert found["pixels"] == {"undefined": "no masks were given"}
    assert found["by_part_type"][0]["name"] == "gear"


def test_masks_that_mark_nothing_or_everything_are_undefined():
    report = evaluate_scores(IMAGES, CALIBRATION)
    flat = np.ones((2, 2), dtype=np.float32)
    for masks in ([None], [np.zeros((2, 2), dtype=bool)], [np.ones((2, 2), dtype=bool)]):
        pixels = add_pixel_metrics(report, maps=[flat], masks=masks).pixels
        assert isinstance(pixels, Undefined)
        assert "pixel" in pixels.reason


def test_what_is_to_be_reinspected_is_neither_missed_nor_flagged():
    rng = np.random.default_rng(0)
    calibration = calibrate(
        rng.normal(1, 1, 100),
        rng.normal(3, 1, 100),
        objective="both-rates",
        max_miss_rate=0.1,
        max_false_alarm_rate=0.1,
    )
    lower, upper = calibration.reinspect_above, calibration.threshold
    images = [
        scored("a", "undamaged", lower - 1),
        scored("b", "undamaged", (lower + upper) / 2),
        scored("c", "undamaged", upper + 1),
        scored("d", "damaged", lower - 1),
        scored("e", "damaged", upper),
        scored("f", "damaged", upper + 1),
    ]
    report = evaluate_scores(images, calibration)
    overall = report.overall
    assert (overall.miss_rate.count, overall.miss_rate.n) == (1, 3)
    assert (overall.false_alarm_rate.count, overall.false_alarm_rate.n) == (1, 3)
    assert (overall.reinspected.count, overall.reinspected.n) == (2, 6)
    assert (overall.accuracy.count, overall.accuracy.n) == (2, 4)
    assert report.lines()[0] == "1 of 3 damaged missed, 1 of 3 undamaged flagged, 2 to be reinspected"
    assert report.to_dict()["reinspect_above"] == lower


def test_groups_with_errors_are_told_the_worst_first_and_all_are_in_the_json():
    images = [scored(f"{group}{i}", "damaged", 0.5, group=group) for group, n in (("x", 1), ("y", 3)) for i in range(n)]
    images += [scored(f"g{i}", "undamaged", 1.0, group=f"g{i}") for i in range(4)]
    report = evaluate_scores(images, CALIBRATION)
    told = [line for line in report.lines() if line.startswith("group")]
    assert told[0] == "groups: 2 of 6 with an error"
    assert [line.split(":")[0] for line in told[1:]] == ["group y", "group x"]
    assert len(report.to_dict()["by_group"]) == 6


def test_every_measure_has_an_interval_or_says_why_not():
    report = evaluate_scores(IMAGES, CALIBRATION)
    assert isinstance(report.overall.average_precision_interval, Interval)
    (dent,) = [part for part in report.by_defect if part.name == "dent"]
    assert isinstance(dent.average_precision_interval, Undefined)
    assert any(line.startswith("probabilities: expected calibration error") for line in report.lines())
    normals_only = evaluate_scores(IMAGES, calibrate([1.0, 1.1], []))
    assert any("probabilities undefined: no damaged image" in line for line in normals_only.lines())


def test_a_part_type_without_probabilities_is_named_and_the_others_count():
    validation = [scored(f"g{i}", "undamaged", 1 + i / 100, part_type="gear") for i in range(40)]
    validation += [scored(f"d{i}", "damaged", 2 + i / 100, part_type="gear") for i in range(5)]
    validation += [scored(f"s{i}", "undamaged", 1 + i / 100, part_type="spring") for i in range(40)]
    choose = partial(calibrate, objective="max-false-alarm-rate", target=0.1)
    calibration = calibrate_by_type(validation, choose)
    assert set(calibration.by_part_type) == {"gear", "spring"}
    report = evaluate_scores(IMAGES, calibration)
    gears = evaluate_scores([image for image in IMAGES if image.part_type == "gear"], calibration)
    assert isinstance(report.probabilities, Reliability)
    assert isinstance(gears.probabilities, Reliability)
    assert (report.probabilities.n, report.probabilities.brier) == (3, gears.probabilities.brier)
    assert report.to_dict()["probabilities"]["part_types_without"] == ["spring"]
    assert gears.probabilities.part_types_without == ()
    assert any("; without spring: no damaged image of that type was labelled" in line for line in report.lines())
    springs = evaluate_scores([image for image in IMAGES if image.part_type == "spring"], calibration)
    assert springs.probabilities == Undefined("no damaged image was labelled when the detector was calibrated")
