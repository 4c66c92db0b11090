from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomaly.errors import ReportError
from anomaly.report.results import Example, TestResults, read_results, results_folder, write_results
from anomaly.types import DAMAGED
from tests.report.samples import capture, found


def results() -> TestResults:
    return TestResults(
        training="abc",
        calibration=1,
        created="2026-11-22T10:00:00+00:00",
        data="parts/",
        seconds_per_image=0.1,
        images=tuple(found(2, defect="rust", damaged_px=9)),
        failed=(("x.png", "empty"),),
        pixels={"undefined": "the data have no masks"},
        capture=tuple(capture("a")),
        missing=1,
        examples=(Example("example-1.jpg", "a.png", DAMAGED, DAMAGED, 1.5, "rust"),),
    )


def test_what_was_recorded_is_read_back(tmp_path: Path) -> None:
    write_results(results(), tmp_path)
    assert read_results(tmp_path) == results()


def test_nothing_recorded(tmp_path: Path) -> None:
    assert read_results(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "images": []}'])
def test_a_damaged_record_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ReportError, match="delete the file") as caught:
        read_results(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("created",), 5),
        (("data",), None),
        (("pixels",), None),
        (("failed",), [["x.png"]]),
        (("examples", 0, "file"), 5),
        (("images", 0, "score"), "x"),
        (("images", 0, "score"), 10**400),
        (("images", 0, "label"), "broken"),
        (("images", 0, "verdict"), 1),
        (("capture", 0), None),
        (("capture", 0, "split"), "other"),
    ],
)
def test_a_record_of_other_types_is_an_error_that_names_the_place(
    tmp_path: Path, place: tuple[str | int, ...], value: object
) -> None:
    write_results(results(), tmp_path)
    path = tmp_path / "results.json"
    record = json.loads(path.read_text())
    at = record
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    path.write_text(json.dumps(record))
    with pytest.raises(ReportError, match=f"{place[0]}.*: delete the file") as caught:
        read_results(tmp_path)
    assert str(path) in str(caught.value)


def test_a_record_nested_too_deep_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("[" * 200_000)
    with pytest.raises(ReportError, match="delete the file"):
        read_results(tmp_path)


def test_a_record_belongs_to_one_training_and_calibration(tmp_path: Path) -> None:
    folders = {results_folder(tmp_path, training=t, calibration=c) for t in ("a", "b") for c in (0, 1)}
    assert len(folders) == 4
