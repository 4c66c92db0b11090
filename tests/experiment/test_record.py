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
        identity=identity, created=created, data="parts/", dataset="d", images=images, config={}, space={},
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
