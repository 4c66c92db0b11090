from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from anomaly.cli.rows import CSV_COLUMNS, JSON_FIELDS, Row, csv_row, json_line, json_object, text_line
from anomaly.types import CaptureQuality, NearestPatch, Prediction, Region

PREDICTION = Prediction(
    path="image.png",
    label="damaged",
    score=1.84,
    threshold=1.21,
    anomaly_map=np.zeros((2, 2), np.float32),
    regions=(Region(312, 188, 42, 37, 900, 2.5, 320, 200), Region(1, 2, 3, 4, 5, 1.5, 1, 2)),
    nearest=(NearestPatch("good/17.png", 310, 190, 12.5), NearestPatch("good/3.png", 1, 2, 9.0)),
    quality=CaptureQuality(640, 480, 0.5, 0.2, 0.01, 0.0, 0.1),
    calibration_version=3,
)


def _with(**changes: Any) -> Row:
    return Row("image.png", replace(PREDICTION, **changes))


def test_json_has_the_agreed_fields_in_order() -> None:
    value = json.loads(json_line(json_object(_with())))
    assert tuple(value) == JSON_FIELDS
    assert value["regions"][1] == {"x": 1, "y": 2, "width": 3, "height": 4, "area_px": 5, "peak": 1.5}
    assert value["nearest"] == {"image": "good/17.png", "x": 310, "y": 190, "distance": 12.5}
    assert value["quality"]["sharpness"] == 0.01
    assert value["probability"] is None
    assert value["error"] is None


def test_an_image_that_could_not_be_read_has_no_label_and_no_numbers() -> None:
    value = json_object(Row("x.png", None, "expected an image"))
    assert tuple(value) == JSON_FIELDS
    assert {name for name, entry in value.items() if entry is not None} == {"path", "error"}
    flat = csv_row(Row("x.png", None, "expected an image"))
    assert {name for name, entry in flat.items() if entry is not None} == {"path", "error"}


def test_csv_holds_the_same_without_nesting() -> None:
    flat = csv_row(_with())
    assert tuple(flat) == CSV_COLUMNS
    assert (flat["regions"], flat["region_x"], flat["region_peak"]) == (2, 312, 2.5)
    assert (flat["nearest_image"], flat["width"], flat["calibration_version"]) == ("good/17.png", 640, 3)
    assert not any(isinstance(value, dict | list | tuple) for value in flat.values())


def test_scores_are_written_exactly() -> None:
    score = 0.1 + 0.2
    assert json.loads(json_line(json_object(_with(score=score))))["score"] == score


def test_without_calibration_there_is_no_label_and_regions_are_unknown() -> None:
    row = _with(label=None, threshold=None, regions=(), calibration_version=None)
    assert json_object(row)["regions"] is None
    assert csv_row(row)["regions"] is None
    assert "score only" in text_line(row)
    assert "damaged" not in text_line(row)


def test_text() -> None:
    line = text_line(_with())
    assert line == "image.png  damaged    score 1.84, threshold 1.21  2 regions, worst at x=312 y=188 (42x37 px)"
    sure = text_line(_with(probability=0.97, probability_low=0.91, probability_high=0.99))
    assert "probability 0.97 (0.91-0.99)" in sure
    unsure = text_line(_with(label="reinspect", score=1.0, reinspect_above=0.9, regions=()))
    assert unsure == "image.png  reinspect  score 1.00, thresholds 0.900 and 1.21"
    assert "damaged    p-value 0.048  score" in text_line(_with(p_value=1 / 21))
    assert "p-value" not in text_line(_with(p_value=1 / 21, probability=0.97))
    assert text_line(_with(label="undamaged", score=0.5, regions=())) == (
        "image.png  undamaged  score 0.500, threshold 1.21"
    )


@pytest.mark.parametrize("label", ["damaged", "undamaged", "reinspect", "not judged"])
def test_two_spaces_at_least_stand_after_every_label(label: str) -> None:
    assert f"  {label}  " in text_line(_with(label=label))


@pytest.mark.parametrize("score", [1.2100000001, 1.2099999999])
def test_the_text_shows_on_which_side_a_close_score_is(score: float) -> None:
    line = text_line(_with(score=score))
    shown, threshold = line.split("score ")[1].split(", threshold ")
    assert (float(shown) > float(threshold.split()[0])) == (score > 1.21)


@pytest.mark.parametrize("name", ["a\nb.png", "a\x1b[31m.png", "a\u202egnp.exe", "caf\udce9.png", "a\tb.png"])
def test_whatever_the_name_holds_the_text_is_one_printable_line(name: str) -> None:
    for row in (Row(name, PREDICTION), Row(name, None, f"cannot read {name}")):
        assert text_line(row).isprintable()
    assert json.loads(json_line(json_object(Row(name, PREDICTION))))["path"] == name
    assert json_line(json_object(Row(name, PREDICTION))).isascii()
