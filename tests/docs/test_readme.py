"""What README.md shows is what happens."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from anomaly.calibration import images_needed
from anomaly.cli import main
from anomaly.cli.rows import Row, text_line
from anomaly.config import Config
from anomaly.dataset import SplitAssignment, find_duplicates, read_dataset, split_dataset
from anomaly.dataset.splits import LEAST_UNDAMAGED
from anomaly.embedding.registry import backbone, backbone_names
from anomaly.types import DAMAGED, CaptureQuality, Prediction, Region
from benchmarks.performance import page as performance_page
from benchmarks.performance_plots import plots
from benchmarks.tables import markdown
from tests.docs.pages import ROOT, blocks, commands, inline_code, read
from tests.parts import TINY, write_dataset, write_part
from tools.update_readme import HEATMAP, demo_commands, run_demo, section

PARTS = ROOT / "data" / "parts"


@pytest.fixture(scope="module")
def split() -> SplitAssignment:
    """Of the bundled pictures, with the default settings."""
    dataset, config = read_dataset(PARTS), Config()
    duplicates = find_duplicates(dataset.images, limits=config.image)
    return split_dataset(dataset, config.split, seed=config.seed, duplicates=duplicates)


@pytest.fixture
def a_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders and files that the README's commands name."""
    write_dataset(tmp_path / "parts", undamaged=12, damaged=12)
    write_dataset(tmp_path / "labelled", undamaged=3, damaged=3, seed=100)
    write_dataset(tmp_path / "newly_labelled", undamaged=2, damaged=2, seed=200)
    write_dataset(tmp_path / "photos", undamaged=2, damaged=1, seed=300)
    write_part(tmp_path / "image.png", 400, damaged=True)
    (tmp_path / "small.toml").write_text('trials = 2\nrepeats = 1\n[axes]\n"scoring.smoothing" = [0.5, 1.0]\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def without_numbers(text: str) -> list[str]:
    """Lines of the demo without what may differ between two machines: digits of measured numbers, fingerprints.

    Nor what hangs on nearly equal numbers: which settings were chosen, which sessions have the most errors, which
    undamaged images look strangest and whether one was left out.
    """
    text = re.sub(r"fingerprint \w+", "fingerprint", text)
    text = re.sub(r"\d+ regions?,? (worst )?", "regions ", text)
    text = re.sub(r"^settings: .*$", "settings:", text, flags=re.MULTILINE)
    close = ("group ", "suspect ", "suspects: ")
    lines = [
        line
        for line in text.splitlines()
        if not line.startswith(close) and "left out of the memory bank, because" not in line
    ]
    return [line if line.startswith("$") else re.sub(r"\d+(\.\d+)?", "#", line) for line in lines]


# --- the demo -------------------------------------------------------------------------------------------------------


def test_the_demo_image_is_damaged_and_training_has_not_seen_it(split: SplitAssignment) -> None:
    (predict,) = [words for words in demo_commands() if "--predict" in words]
    image = predict[-1]
    names = [f"data/parts/{image.name}" for image in split.select("test", label=DAMAGED)]
    assert image in names


def test_the_demo_shows_the_split_that_training_makes(split: SplitAssignment) -> None:
    shown = section(read("README.md"), "demo").splitlines()
    for part in ("bank", "validation", "test"):
        for part_type in ("gears", "springs"):
            images = [image for image in split.select(part) if image.part_type == part_type]
            damaged = sum(image.label == DAMAGED for image in images)
            assert f"{part} {part_type}: {len(images) - damaged} undamaged, {damaged} damaged images" in shown
    assert set(split.notes) <= set(shown)


def test_the_demo_shows_the_commands_of_the_makefile() -> None:
    shown = [line for line in section(read("README.md"), "demo").splitlines() if line.startswith("$")]
    assert shown == [f"$ python {' '.join(words)}" for words in demo_commands()]
    assert demo_commands()[-1][-1] == HEATMAP


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif("README_DEMO" not in os.environ, reason="runs the whole demo, for minutes: make check-demo")
def test_the_demo_prints_what_is_shown(tmp_path: Path) -> None:
    (shown,) = blocks(section(read("README.md"), "demo"), "console")
    printed = run_demo(tmp_path)
    assert without_numbers(printed) == without_numbers(shown), "run: python tools/update_readme.py --demo"
    assert (tmp_path / HEATMAP).is_file()


# --- the commands ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="the README promises Linux only")
def test_every_command_does_its_work(a_users_folder: Path) -> None:
    (shell,) = [code for code in blocks(read("README.md"), "sh") if "model.py" in code]
    for words in commands(f"```sh\n{shell}```"):
        if "--ray" in words and importlib.util.find_spec("ray") is None:
            continue  # of the extra [cluster]; tests/cli/test_predict_cluster.py says so where it skips
        if "--experiment" in words:
            words += ["--device", "cpu", *TINY[:4], "--space", "small.toml"]
        elif "--from-experiment" in words:
            words += ["--device", "cpu"]
        elif "--train" in words:
            words += ["--device", "cpu", *TINY]
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            status = main(words)
        # Twelve parts cannot carry a promise, and `--exit-code` tells of the damaged one.
        expected = 1 if "--max-miss-rate" in words else 3 if "--exit-code" in words else 0
        assert status == expected, f"{' '.join(words)}\n{told.getvalue()}"
    for made in ("trained", "trained_lite2", "verdicts.csv", "why.png", "compared.csv", "compared.png", "report.pdf"):
        assert (a_users_folder / made).exists(), made
    assert len(list((a_users_folder / "heatmaps").rglob("*.png"))) == 3


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_python_example_runs(a_users_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(read("README.md"), "python")
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("damaged ")
    assert last.endswith(" damaged")


# --- statements -----------------------------------------------------------------------------------------------------


def test_the_verdict_line_is_what_predict_prints() -> None:
    region = {"area_px": 900, "peak": 2.0, "peak_x": 320, "peak_y": 200}
    prediction = Prediction(
        path="image.png",
        label=DAMAGED,
        score=1.84,
        threshold=1.21,
        anomaly_map=np.zeros((1, 1), np.float32),
        regions=(Region(x=312, y=188, width=42, height=37, **region), Region(0, 0, 9, 9, 50, 1.5, 3, 3)),  # type: ignore[arg-type]
        nearest=(),
        quality=CaptureQuality(640, 480, 0.5, 0.2, 0.01, 0.0, 0.0),
        calibration_version=1,
        probability=0.97,
        probability_low=0.91,
        probability_high=0.99,
    )
    assert f"\n    {text_line(Row('image.png', prediction))}\n" in read("README.md")


def test_the_tables_are_those_of_the_result_files() -> None:
    assert section(read("README.md"), "results") == markdown(), "run: python tools/update_readme.py"


def test_the_performance_page_is_that_of_the_result_files() -> None:
    assert read("docs/performance.md") == performance_page(), "run: python tools/update_readme.py"
    assert all((ROOT / "docs" / "images" / plot.name).is_file() for plot in plots().values())


def test_the_two_commands_that_do_everything_are_make_targets() -> None:
    told = re.findall(r"^    make (\w+)", read("README.md"), flags=re.MULTILINE)
    assert told == ["demo", "test"]
    targets = re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE)
    assert set(told) <= set(targets)


def test_promises_cost_as_many_images_as_is_said() -> None:
    text = " ".join(read("README.md").split())
    five, one = (images_needed(rate, confidence=0.95) for rate in (0.05, 0.01))
    assert f"5 % takes {five} damaged images at 95 % confidence, 1 % takes {one}" in text


def test_every_backbone_is_named_and_which_ones_come_with_the_installation() -> None:
    paragraph = read("README.md").split("**Backbones**")[1].split("\n\n")[0]
    embedded, others = (part for part in paragraph.split("come with the installation"))
    for name in backbone_names():
        assert f"`{name}`" in (embedded if backbone(name).embedded else others)


def test_the_least_number_of_photographs_is_the_one_that_is_enforced() -> None:
    assert LEAST_UNDAMAGED == 5
    assert "At least five undamaged photographs are needed" in read("README.md")


def test_verbs_that_need_no_training_libraries_are_the_ones_that_are_named() -> None:
    paragraph = read("README.md").split("The second is enough for")[1].split("\n\n")[0]
    assert [code for code in inline_code(paragraph) if code.startswith("--")] == [
        "--predict", "--heatmap", "--recalibrate", "--verdict", "--monitor", "--learn-good", "--forget",
        "--info", "--train", "--experiment", "--evaluate", "--report",
    ]  # fmt: skip
