from __future__ import annotations

from pathlib import Path

import pytest

from anomaly.errors import OutputError
from anomaly.evaluation.metrics import Undefined
from benchmarks._machine import provenance
from benchmarks._results import format_table, percent, plain, read_results, write_results


def test_first_column_is_left_aligned_and_the_others_right_aligned() -> None:
    table = format_table(("set", "AUROC"), [("bottle", "99.9"), ("nut", "100.00")])
    assert table.splitlines() == [
        "set      AUROC",
        "------  ------",
        "bottle    99.9",
        "nut     100.00",
    ]


def test_a_table_without_rows_still_has_its_header() -> None:
    assert format_table(("set", "n"), []) == "set  n\n---  -"


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 2 cells"):
        format_table(("set", "n"), [("bottle",)])


def test_an_undefined_measure_is_a_dash_for_people_and_keeps_its_reason_in_the_file() -> None:
    undefined = Undefined("the set has no masks")
    assert (percent(undefined), percent(0.98765)) == ("-", "98.77")
    assert (plain(undefined), plain(1 / 3)) == ({"undefined": "the set has no masks"}, 0.333333)


def test_results_are_read_back(tmp_path: Path) -> None:
    file = tmp_path / "results" / "figures.json"
    assert read_results(file) == {}
    write_results(file, {"sets": [{"set": "many/a", "image_auroc": 1.0}]})
    assert read_results(file) == {"sets": [{"set": "many/a", "image_auroc": 1.0}]}
    assert [path.name for path in file.parent.iterdir()] == ["figures.json"]


@pytest.mark.parametrize("text", ["/home/somebody/data", "no such file: '/data/a.png'", "C:\\data", "=/opt/x"])
def test_a_path_of_this_machine_never_gets_into_a_result_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(OutputError, match="paths of this machine"):
        write_results(tmp_path / "figures.json", {"sets": [{"reason": text}]})
    assert not list(tmp_path.iterdir())


def test_a_result_file_that_is_something_else_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    for text in ("not JSON", "[1, 2]"):
        file.write_text(text)
        with pytest.raises(OutputError, match="no result file"):
            read_results(file)


def test_provenance_names_hardware_and_versions_and_nothing_private(tmp_path: Path) -> None:
    about = provenance()
    write_results(tmp_path / "figures.json", about)
    assert set(about) == {"date", "machine", "versions"}
    assert set(about["machine"]) == {"processor", "cores", "memory_gib", "system"}
    assert about["machine"]["cores"] >= 1
    assert about["machine"]["memory_gib"] > 0
    assert about["versions"]["numpy"][0].isdigit()
