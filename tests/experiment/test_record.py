"""Records of experiments: kept, found again, and passed over where they are of no use."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from anomaly.errors import ExperimentError
from anomaly.experiment.record import RECORD, Experiment, TrialRow, find_experiment, read_experiment, write_experiment


def experiment(identity: str = "e", *, images: str = "i", created: str = "2026-11-22T10:00:00+00:00") -> Experiment:
    row = TrialRow(0, {"embedding.taps": ("block4",)}, 0.1, 0.01, 0.9, 0.8, 0.95, 3, 1.0)
    return Experiment(
        identity=identity, created=created, data="parts/", dataset="d", images=images,
        config={"seed": 0, "bank": {"turns": 1}}, space={"folds": 5, "repeats": 2},
        undamaged=20, damaged=9, units=29, kept_together=True, trials=(row,), best=0, chosen=0, reason="the only one",
        importance={},
    )  # fmt: skip


def written(work: Path, found: Experiment) -> Path:
    folder = work / f"experiment-{found.identity}"
    folder.mkdir()
    write_experiment(found, folder)
    return folder / RECORD


def test_the_newest_on_these_photographs_is_found(tmp_path: Path) -> None:
    old = experiment("b")
    new = dataclasses.replace(old, identity="a", created="2026-11-23T10:00:00+00:00")
    for one in (old, new, experiment("c", images="others", created="2027")):
        assert read_experiment(written(tmp_path, one)) == one
    assert find_experiment(tmp_path, images="i") == find_experiment(tmp_path, images="i", dataset="d") == new
    assert find_experiment(tmp_path, images="i", dataset="another") is None


def test_a_record_that_says_nothing_of_its_photographs_is_passed_over_and_told(tmp_path: Path) -> None:
    known = experiment()
    written(tmp_path, known)
    for name, text in (("x", "no JSON"), ("y", "[]"), ("z", "{}")):
        (tmp_path / f"experiment-{name}").mkdir()
        (tmp_path / f"experiment-{name}" / RECORD).write_text(text)
    told: list[str] = []
    assert find_experiment(tmp_path, images="i", remark=told.append) == known
    assert [name in line for name, line in zip("xyz", told, strict=True)] == [True] * 3
    assert all("cannot be used" in line and "\n" not in line for line in told)


def test_a_record_that_cannot_be_used_stops_those_alone_who_ask_for_its_photographs(tmp_path: Path) -> None:
    path = written(tmp_path, experiment())
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    told: list[str] = []
    assert find_experiment(tmp_path, images="others", remark=told.append) is None
    assert not told
    with pytest.raises(ExperimentError, match="another format"):
        find_experiment(tmp_path, images="i")


@pytest.mark.parametrize(
    "change",
    [
        {"chosen": 99}, {"best": 99}, {"config": None}, {"config": {"bank": 5}}, {"created": 5}, {"trials": []},
        {"trials": [{"number": None}]}, {"space": {}}, {"space": {"folds": "5", "repeats": 2}},
        {"importance": {"a": "b"}}, {"memory_curve": [{"n": 1}]}, {"another": 1}, {"memory_curve": None},
    ],
)  # fmt: skip
def test_a_record_of_other_types_is_an_error_that_names_the_file(tmp_path: Path, change: dict[str, object]) -> None:
    path = written(tmp_path, experiment())
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ExperimentError, match="delete the file and run --experiment again") as caught:
        read_experiment(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_number_of_a_trial_is_a_whole_number(tmp_path: Path) -> None:
    path = written(tmp_path, experiment())
    value = json.loads(path.read_text())
    for number in (None, "0", 0.5, True):
        value["trials"][0]["number"] = number
        path.write_text(json.dumps(value))
        with pytest.raises(ExperimentError, match=r"trials\[0\]\.number"):
            read_experiment(path)


def test_a_record_nested_too_deep_is_passed_over_or_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, experiment())
    path.write_text("[" * 200_000)
    with pytest.raises(ExperimentError, match="delete the file"):
        read_experiment(path)
    assert find_experiment(tmp_path, images="i") is None
