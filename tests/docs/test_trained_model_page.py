"""docs/trained-model.md describes the files and keys that a real trained model has."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from anomaly.cli import main
from anomaly.detector.model_reading import FORMAT
from tests.docs.pages import read
from tests.parts import TINY

PAGE = "docs/trained-model.md"


def described_files() -> list[re.Pattern[str]]:
    """The file names of the first table; TAP stands for any tap, digits for any number."""
    table = read(PAGE).split("| file | what it holds |")[1].split("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines()[2:]]
    names = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    return [re.compile(re.sub(r"\d+", r"\\d+", name).replace("TAP", r"\w+").replace(".", r"\.")) for name in names]


def described_keys() -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", read(PAGE).split("| key | what it holds |")[1].split("\n\n")[0], re.MULTILINE)


@pytest.mark.slow
def test_every_file_is_described_and_every_described_file_is_there(
    trained_model: Path, parts_folder: Path, tmp_path: Path
) -> None:
    model = tmp_path / "whitened"
    words = ["--train", "--data", str(parts_folder), "--model", str(model), "--device", "cpu", "--quiet", *TINY]
    assert main([*words, "--set", "embedding.whitening=true"]) == 0
    patterns = described_files()
    for folder in (trained_model, model):
        for path in folder.rglob("*"):
            name = path.relative_to(folder).as_posix()
            assert path.is_dir() or any(pattern.fullmatch(name) for pattern in patterns), name
    names = [path.relative_to(model).as_posix() for path in model.rglob("*")]
    assert [p.pattern for p in patterns if not any(p.fullmatch(name) for name in names)] == []


def test_the_keys_of_the_manifest_are_the_described_ones(trained_model: Path) -> None:
    manifest = json.loads((trained_model / "manifest.json").read_text(encoding="utf-8"))
    assert list(manifest) == described_keys()
    assert read(PAGE).count(f"Format {FORMAT}.") == 1


def test_what_the_manifest_does_not_name_is_ignored(trained_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained_model, model)
    (model / "note.txt").write_text("from the press shop")
    assert main(["--info", "--model", str(model)]) == 0
