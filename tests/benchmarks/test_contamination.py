from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.contamination import main
from tests.parts import write_part


@pytest.mark.slow
def test_a_small_set_is_measured_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data" / "discs"
    for i in range(18):
        write_part(folder / "train" / "good" / f"{i:02d}.png", i)
    for i in range(14):
        write_part(folder / "test" / "good" / f"{i:02d}.png", 100 + i)
        write_part(folder / "test" / "blob" / f"{i:02d}.png", 200 + i, damaged=True)
    output = tmp_path / "out.json"
    assert main([str(tmp_path / "data"), "--size", "96", "--draws", "1", "--output", str(output)]) == 0
    told = capsys.readouterr().out
    assert "10 % mislabelled: " in told
    sets = json.loads(output.read_text())["sets"]
    assert [(entry["share"], entry["undamaged"], entry["planted"]) for entry in sets] == [
        (0.0, 18, 0),
        (0.05, 18, 1),
        (0.1, 18, 2),
    ]
    for entry in sets:
        assert entry["planted_named"] == entry["planted"], "a blob stands out"
        # Validation images show such blobs; where they are told apart all the same, nothing is looked for.
        assert entry["planted_left_out"] in (0, entry["planted"])
        assert entry["auroc_tolerating"] == 1.0
        assert entry["undamaged_left_out"] <= entry["undamaged_named"]
        assert entry["auroc"] == entry["auroc_after"] == 1.0
