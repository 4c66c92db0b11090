"""A tiny run of experiment_check.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import experiment_check
from tests.parts import write_dataset

SPACE = """
trials = 2
repeats = 1
patches = 500
[axes]
"geometry.size" = [64]
"bank.max_rows" = [50, 100]
"""


@pytest.mark.slow
def test_every_seed_is_held_against_the_interval(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "parts", undamaged=20, damaged=12)
    (tmp_path / "space.toml").write_text(SPACE)
    output = tmp_path / "out.json"
    words = [str(data), "--space", str(tmp_path / "space.toml"), "--seeds", "0", "5", "--output", str(output)]
    assert experiment_check.main(words) == 0
    found = json.loads(output.read_text(encoding="utf-8"))["check"]
    low, high = found["predicted"]["low"], found["predicted"]["high"]
    assert [one["seed"] for one in found["seeds"]] == [0, 5]
    assert all(one["within"] == (low <= one["auroc"] <= high) for one in found["seeds"])
    assert found["all_within"] == all(one["within"] for one in found["seeds"])
    assert found["test"]["damaged"] > 0


def test_a_folder_without_images_is_a_known_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert experiment_check.main([str(tmp_path), "--output", str(tmp_path / "out.json")]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")
