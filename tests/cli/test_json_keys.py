"""What ``docs/cli.md`` says of ``--json`` is what is printed; verbs that take long are asked in their own tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from anomaly.cli import main
from anomaly.cli.json_keys import KEYS, REMARKS
from tests.parts import write_dataset, write_part


@pytest.fixture
def model(trained_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_model, tmp_path / "model"))


def printed(capsys: pytest.CaptureFixture[str], *words: str | Path) -> list[dict[str, Any]]:
    main([*map(str, words), "--json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_of_verbs_that_are_quick(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    on_model = ("--model", model)
    image, journal = write_part(tmp_path / "odd.png", 950), tmp_path / "j.sqlite"
    printed(capsys, "--predict", image, "--journal", journal, *on_model)
    labelled = write_dataset(tmp_path / "new", undamaged=3, damaged=3, seed=9000)
    calls = {
        "--info": ["--info", *on_model],
        "--evaluate": ["--evaluate", "--data", labelled, *on_model],
        "--verdict": ["--verdict", image, "--truth", "undamaged", "--journal", journal],
        "--recalibrate": ["--recalibrate", "--miss-cost", "2", *on_model],
        "--recalibrate --history": ["--recalibrate", "--history", *on_model],
        "--learn-good, --forget": ["--learn-good", image, *on_model],
    }
    for verb, words in calls.items():
        assert tuple(printed(capsys, *words)[0]) == KEYS[verb], verb
    assert set(REMARKS) < set(KEYS)
