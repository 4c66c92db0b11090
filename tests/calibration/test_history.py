"""Records go to text and back exactly; nothing is ever deleted; tampering is noticed."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from anomaly.calibration import (
    CalibrationHistory,
    CalibrationRecord,
    ScoredImage,
    calibrate,
    scores_by_label,
)
from anomaly.errors import CalibrationError

TIME = "2026-11-22T15:58:00+00:00"


def scored(name, label, score, **more):
    content = more.pop("content", name)
    return ScoredImage(name, hashlib.sha256(content.encode()).hexdigest(), label, score, **more)


def a_record(version=1, reason="training", seed=0):
    rng = np.random.default_rng(seed)
    scores = tuple(
        scored(f"{label}{i}.png", label, float(rng.normal(middle, 1)), part_type="gear", defect="")
        for label, middle in (("undamaged", 1), ("damaged", 3))
        for i in range(6)
    )
    return CalibrationRecord(version, TIME, reason, "validation split", calibrate(*scores_by_label(scores)), scores)


def test_text_and_back_is_exact_and_deterministic():
    record = a_record()
    text = record.to_json()
    back = CalibrationRecord.from_json(text)
    assert back == record
    assert back.to_json() == text
    assert back.calibration.threshold.hex() == record.calibration.threshold.hex()
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_names_of_any_script_survive():
    image = scored("Zahnräder/損傷\n1.png", "undamaged", 0.1)
    scores = (image, scored("b", "damaged", 0.30000000000000004))
    record = CalibrationRecord(1, TIME, "ü", "s", calibrate(*scores_by_label(scores)), scores)
    assert CalibrationRecord.from_json(record.to_json()) == record


def test_a_promise_survives():
    scores = tuple(scored(str(i), "undamaged", i / 7) for i in range(70))
    calibration = calibrate(*scores_by_label(scores), objective="max-false-alarm-rate", target=0.05, confidence=0.9)
    record = CalibrationRecord(1, TIME, "r", "s", calibration, scores)
    assert CalibrationRecord.from_json(record.to_json()) == record


def tampered(change):
    value = json.loads(a_record().to_json())
    change(value)
    return json.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        tampered(lambda v: v.update(format=2)),
        tampered(lambda v: v.pop("reason")),
        tampered(lambda v: v.update(extra=1)),
        tampered(lambda v: v.update(version="1")),
        tampered(lambda v: v.update(version=True)),
        tampered(lambda v: v.update(version=0)),
        tampered(lambda v: v.update(created="yesterday")),
        tampered(lambda v: v.update(created="2026-11-22T15:58:00")),
        tampered(lambda v: v.update(created="2026-11-22T15:58:00+01:00")),
        tampered(lambda v: v.update(scores={})),
        tampered(lambda v: v["scores"].pop()),
        tampered(lambda v: v["scores"][0].update(score=99.0)),
        tampered(lambda v: v["scores"][0].update(score="1")),
        tampered(lambda v: v["scores"][0].update(score=10**400)),
        tampered(lambda v: v["scores"][0].update(label="broken")),
        tampered(lambda v: v["scores"][0].update(sha256="abc")),
        tampered(lambda v: v["scores"].append(None)),
        tampered(lambda v: v["calibration"].update(threshold=None)),
        tampered(lambda v: v["calibration"].update(threshold=50.0)),
        tampered(lambda v: v["calibration"].update(objective="f1")),
        tampered(lambda v: v["calibration"].update(notes=[1])),
        tampered(lambda v: v["calibration"].update(target=0.5)),
        a_record().to_json().replace('"reason"', '"version": 1, "reason"'),
        a_record().to_json().replace('"target": null', '"target": NaN'),
    ],
)
def test_damaged_text_is_a_named_error_of_one_line(text):
    with pytest.raises(CalibrationError) as caught:
        CalibrationRecord.from_json(text)
    assert "\n" not in str(caught.value)


def test_the_newest_stands_and_a_rollback_is_recorded():
    history = CalibrationHistory((a_record(1),), 1).append(a_record(2, "more images", seed=1))
    assert history.active.version == 2
    back = history.rollback(1, created=TIME, reason="too many false alarms")
    assert back.active.version == 1
    assert len(back.records) == 2
    assert (back.rollbacks[0].from_version, back.rollbacks[0].to_version) == (2, 1)
    assert [line[:6] for line in back.lines()[:2]] == ["* 0001", "  0002"]
    assert "too many false alarms" in back.lines()[2]
    again = back.append(a_record(back.next_version, seed=2))
    assert (again.active_version, again.next_version) == (3, 4)
    assert again.rollbacks == back.rollbacks


def test_history_goes_to_texts_and_back():
    history = CalibrationHistory((a_record(1),), 1).append(a_record(2, seed=1))
    history = history.rollback(1, created=TIME, reason="r")
    texts = history.to_texts()
    assert sorted(texts) == ["0001.json", "0002.json", "history.json"]
    assert CalibrationHistory.from_texts(texts) == history
    texts.pop("history.json")
    assert CalibrationHistory.from_texts(texts).active_version == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.pop("0001.json"),
        lambda t: t.clear(),
        lambda t: t.update({"0002.json": t["0001.json"]}),
        lambda t: t.update({"notes.json": "{}"}),
        lambda t: t.update({"history.json": '{"format": 1, "active_version": 3, "rollbacks": []}'}),
        lambda t: t.update({"history.json": '{"format": 1, "active_version": 1, "rollbacks": [1]}'}),
        lambda t: t.update({"history.json": "{}"}),
    ],
)
def test_a_damaged_history_is_refused(change):
    texts = CalibrationHistory((a_record(1),), 1).append(a_record(2, seed=1)).to_texts()
    change(texts)
    with pytest.raises(CalibrationError):
        CalibrationHistory.from_texts(texts)


@pytest.mark.parametrize("version", [0, 2, 3])
def test_a_rollback_goes_to_another_existing_version(version):
    history = CalibrationHistory((a_record(1),), 1).append(a_record(2, seed=1))
    with pytest.raises(CalibrationError):
        history.rollback(version, created=TIME, reason="r")


def test_appending_out_of_turn_is_refused():
    with pytest.raises(CalibrationError, match="without a gap"):
        CalibrationHistory((a_record(1),), 1).append(a_record(3))


def test_the_list_says_what_two_promised_rates_leave_to_people():
    rng = np.random.default_rng(3)
    scores = tuple(
        scored(f"{label}{i}.png", label, float(rng.normal(middle, 1)), part_type="gear")
        for label, middle in (("undamaged", 1), ("damaged", 1.5))
        for i in range(70)
    )
    rates = {"max_miss_rate": 0.05, "max_false_alarm_rate": 0.06}
    both = calibrate(*scores_by_label(scores), objective="both-rates", **rates)
    assert both.reinspect_above is not None
    both = dataclasses.replace(both, by_part_type={"gear": dataclasses.replace(both)})
    record = CalibrationRecord(1, TIME, "r", "s", both, scores)
    (line,) = CalibrationHistory((record,), 1).lines()
    assert "both-rates (misses at most 0.05, false alarms at most 0.06)" in line
    assert f"thresholds {both.reinspect_above:.6g} and {both.threshold:.6g}, reinspect between" in line
    counts = both.reinspected_damaged, both.reinspected_undamaged
    assert "{} of 70 damaged and {} of 70 undamaged to be reinspected".format(*counts) in line
    assert "thresholds of their own: gear" in line


def test_the_list_is_short_where_there_is_one_threshold():
    record = a_record()
    (line,) = CalibrationHistory((record,), 1).lines()
    counts = record.calibration.lines()[0]
    assert line == f"* 0001  {TIME}  accuracy  threshold {record.calibration.threshold:.6g}  {counts}  (training)"
