"""``--report``: the figures of the PDF are the recorded ones, and what is not known is said."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from anomaly.cli import main
from anomaly.cli.json_keys import KEYS
from anomaly.detector import fingerprint, load_detector
from tests.parts import TINY, write_dataset, write_part

HEADINGS = (
    "Summary",
    "1 How the data were divided",
    "2 What happens to a photograph",
    "3 Experiments for choosing",
    "4 How well this model does",
    "5 How to improve it further",
    "6 How to keep it from degrading",
    "7 How to collect better photographs",
    "Appendix",
)


def train(model: Path, data: Path) -> None:
    assert main(["--train", "--data", str(data), "--model", str(model), "--device", "cpu", "--quiet", *TINY]) == 0


def report(model: Path, folder: Path, *more: str) -> str:
    """Make a report and return its text with single blanks."""
    output = folder / "report.pdf"
    words = ["--report", "--model", str(model), "--work", str(folder / "work"), "--output", str(output), "--quiet"]
    assert main([*words, "--device", "cpu", *more]) == 0
    return text_of(output)


def text_of(pdf: Path) -> str:
    pages = PdfReader(pdf).pages
    assert 3 <= len(pages) <= 8
    text = " ".join(" ".join(page.extract_text() for page in pages).replace("\u00ad", "").split())
    places = [text.find(heading) for heading in HEADINGS]
    assert -1 not in places, HEADINGS[places.index(-1)]
    assert places == sorted(places)
    return text


def recorded(folder: Path) -> dict[str, Any]:
    (path,) = (folder / "work").glob("test-*/results.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_figures_are_the_recorded_ones(trained_model: Path, tmp_path: Path) -> None:
    text = report(trained_model, tmp_path)
    images = recorded(tmp_path)["images"]
    damaged = [image for image in images if image["label"] == "damaged"]
    undamaged = [image for image in images if image["label"] == "undamaged"]
    missed = sum(image["verdict"] == "undamaged" for image in damaged)
    flagged = sum(image["verdict"] == "damaged" for image in undamaged)
    assert (len(damaged), len(undamaged)) == (3, 3)
    cards = f"{missed} of {len(damaged)} damaged batches missed"
    assert cards in text
    assert f"{flagged} of {len(undamaged)} undamaged batches flagged in vain" in text
    assert re.search(rf"all {missed} of 3 [\d.]+ % \([\d.]+ to [\d.]+ %\) {flagged} of 3", text)
    assert fingerprint(trained_model) in text
    assert f"On {len(images)} batches" in text
    assert "No experiment is on record for these photographs." in text
    assert "python model.py --experiment --data" in text


@pytest.mark.slow
def test_every_count_about_test_photographs_is_a_recorded_one(trained_model: Path, tmp_path: Path) -> None:
    text = report(trained_model, tmp_path)
    allowed = {len(recorded(tmp_path)["images"]), 3, 14, 6, 20, 100}
    sections = text[text.index("How often it errs") : text.index("1 How the data were divided")]
    assert {int(n) for n in re.findall(r"\d+ of (\d+)", sections)} <= allowed


@pytest.mark.slow
def test_the_test_split_is_judged_once(trained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = report(trained_model, tmp_path)
    monkeypatch.setattr("anomaly.cli.report.examine", lambda *_, **__: pytest.fail("judged again"))
    assert report(trained_model, tmp_path) == first


@pytest.mark.slow
def test_settings_by_hand_are_not_said_to_be_compared(trained_model: Path, tmp_path: Path) -> None:
    text = report(trained_model, tmp_path)
    assert "Settings as given: automatic selection is off; no experiment is on record." in text
    assert "quick comparison" not in text
    assert "labelled photographs that chose the threshold" in text


def test_json_says_where(
    trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], parts_folder: Path
) -> None:
    report(trained_model, tmp_path, "--json", "--data", str(parts_folder))
    facts = json.loads(capsys.readouterr().out)
    assert tuple(facts) == KEYS["--report"]
    assert Path(facts["report"]).is_file()
    assert Path(facts["results"]).is_file()
    assert 3 <= facts["pages"] <= 8
    assert facts["test"] == {"judged": 6, "not_found": 0, "failed": 0}


@pytest.mark.slow
def test_photographs_that_are_gone_are_named_as_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path / "parts", undamaged=14, damaged=6)
    train(tmp_path / "model", data)
    data.rename(tmp_path / "elsewhere")
    text = report(tmp_path / "model", tmp_path, "--json")
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["results"] is None
    assert facts["test"] == {"judged": 0, "not_found": 6, "failed": 0}
    assert "the photographs of the test split were not found" in text
    assert "--report --data DIR" in text
    assert not list((tmp_path / "work").glob("*"))
    again = report(tmp_path / "model", tmp_path, "--data", str(tmp_path / "elsewhere"))
    assert "damaged batches missed" in again


def kept_for_the_test(model: Path) -> list[str]:
    return [entry.name for entry in load_detector(model, device="cpu").provenance.splits if entry.split == "test"]


@pytest.mark.slow
def test_some_test_photographs_that_are_not_found_are_counted_wherever_figures_stand(
    trained_model: Path, parts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(parts_folder, tmp_path / "some")
    (data / kept_for_the_test(trained_model)[0]).unlink()
    words = ["--report", "--model", str(trained_model), "--work", str(tmp_path / "work"), "--device", "cpu", "--json"]
    words += ["--output", str(tmp_path / "report.pdf")]
    for more in (["--data", str(data)], []):  # judged now, and read from the record
        assert main([*words, *more]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["test"] == {"judged": 5, "not_found": 1, "failed": 0}
        said = f"1 photograph of the test split was not found in {data} as training saw it: the figures are without"
        assert said in err
        said = "1 photograph of the test split was not found in the folder as training saw it: the figures are without"
        assert text_of(tmp_path / "report.pdf").count(said) == 2  # summary and section 4


def test_test_photographs_that_are_not_in_the_folder_are_told(
    trained_model: Path, parts_folder: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(parts_folder, tmp_path / "some")
    test = kept_for_the_test(trained_model)
    for name in test:
        (data / name).unlink()
    text = report(trained_model, tmp_path, "--data", str(data))
    assert recorded(tmp_path)["missing"] == len(test) == 6
    assert text.count("none of the 6 photographs of the test split was judged (6 were not found in") == 2
    assert "no photograph was kept for a test" not in text
    assert "No photograph is in the test split" not in text


@pytest.mark.slow
def test_without_damaged_photographs(tmp_path: Path) -> None:
    for i in range(14):
        write_part(tmp_path / "parts" / f"good_{i:02d}.png", i)
    train(tmp_path / "model", tmp_path / "parts")
    text = report(tmp_path / "model", tmp_path)
    assert "What it is fit for is not known" in text
    assert "unknown damaged batches missed: there is no damaged image" in text
    assert "Not one damaged batch was photographed" in text


@pytest.mark.slow
def test_ten_photographs_of_two_part_types(tmp_path: Path) -> None:
    for part_type, seed in (("gears", 0), ("springs", 50)):
        write_dataset(tmp_path / "parts" / part_type, undamaged=3, damaged=2, seed=seed)
    train(tmp_path / "model", tmp_path / "parts")
    text = report(tmp_path / "model", tmp_path)
    assert "10 photographs from" in text
    assert "springs" in text
    assert "Too few damaged batches were tested" in text


@pytest.mark.slow
def test_ten_photographs_of_one_part_type_and_no_experiment(tmp_path: Path) -> None:
    write_dataset(tmp_path / "parts" / "gears", undamaged=6, damaged=4)
    train(tmp_path / "model", tmp_path / "parts")
    text = report(tmp_path / "model", tmp_path)
    assert "10 photographs from" in text
    assert "part type gears)" in text
    assert "Too few damaged batches were tested to say what it is fit for" in text
    assert "The data name no sessions" in text
    assert "No experiment is on record for these photographs." in text
    assert "(the learning curve) was not measured" in text
    assert "the data do not say which photographs belong together" in text


@pytest.mark.slow
def test_without_a_test_split(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "parts", undamaged=8, damaged=3)
    more = ["--set", "split.test=0"]
    words = ["--train", "--data", str(data), "--model", str(tmp_path / "model"), "--device", "cpu", "--quiet"]
    assert main([*words, *TINY, *more]) == 0
    text = report(tmp_path / "model", tmp_path)
    assert "no photograph was kept for a test" in text
    assert "validation: " in text


@pytest.mark.slow
def test_a_model_fitted_on_bare_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from anomaly import Config, PatchCore
    from anomaly.config import replace_setting

    images = [write_part(tmp_path / f"{i}.png", i) for i in range(3)]
    config = replace_setting(replace_setting(Config(), "geometry.size", 96), "bank.max_rows", 100)
    PatchCore(config, device="cpu").fit(images).save(tmp_path / "model")
    text = report(tmp_path / "model", tmp_path)
    assert "no threshold yet" in text
    assert "does not record which photograph served for what" in text
    capsys.readouterr()
    words = ["--report", "--model", str(tmp_path / "model"), "--data", str(tmp_path), "--work", str(tmp_path / "work")]
    assert main([*words, "--output", str(tmp_path / "report.pdf"), "--device", "cpu"]) == 0
    remark = capsys.readouterr().err
    assert "this trained model does not record its photographs, so --data is not used" in remark
    assert "are not here" not in remark


@pytest.mark.parametrize("name", ["report.txt", "nowhere/report.pdf"])
def test_an_output_that_cannot_be_is_refused_before_the_work(
    name: str, trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--report", "--model", str(trained_model), "--output", str(tmp_path / name)]) == 1
    assert "ends in .pdf" in capsys.readouterr().err


def test_other_photographs_are_refused(trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path / "others", undamaged=3, damaged=1, seed=9000)
    words = ["--report", "--model", str(trained_model), "--output", str(tmp_path / "r.pdf")]
    assert main([*words, "--data", str(data), "--work", str(tmp_path / "work"), "--quiet"]) == 1
    assert "none of the 4 photographs" in capsys.readouterr().err
