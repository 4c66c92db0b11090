"""What ``--train`` says of mislabelled training images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from anomaly.cli import main
from anomaly.config import Config
from anomaly.imaging import load_image
from tests.parts import TINY, write_dataset, write_part

pytestmark = pytest.mark.slow


def test_they_are_listed_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, model = write_dataset(tmp_path / "data", undamaged=24, damaged=6), tmp_path / "model"
    for i in range(3):
        write_part(data / "good" / f"wrong_{i}.png", 700 + i, damaged=True)
    call = ["--train", "--data", str(data), "--model", str(model), "--device", "cpu", *TINY]
    assert main([*call, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["suspects"]
    banked = (model / "splits.csv").read_text()
    wrong = {line.split(",")[0] for line in banked.splitlines() if "wrong" in line and ",bank," in line}
    assert wrong, "the seed puts one into the memory bank"
    assert wrong <= {suspect["image"] for suspect in told}
    folder = tmp_path / "model-suspects"
    for suspect in told:
        assert suspect["score"] > suspect["limit"]
        assert Path(suspect["heatmap"]).parent == folder
        assert load_image(suspect["heatmap"], limits=Config().image).shape[2] == 3
    (folder / "mine.txt").write_text("keep")
    shutil.copy(told[0]["heatmap"], folder / "suspect-99_old.png")
    assert main(call) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"suspects: {len(told)} of the ") and "model-suspects" in line for line in lines)
    assert [line.split("  ")[0] for line in lines if line.startswith("suspect ")] == [
        f"suspect {suspect['image']}" for suspect in told
    ]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["mine.txt", *(Path(suspect["heatmap"]).name for suspect in told)]
    )
