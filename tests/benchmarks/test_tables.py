from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anomaly.config import Config
from anomaly.errors import OutputError
from benchmarks._machine import provenance
from benchmarks._sets import public_settings
from benchmarks.tables import NOTHING, markdown


@pytest.fixture
def results(tmp_path: Path) -> Path:
    about = provenance() | {"date": "2026-11-22T16:55:41+00:00"}
    about["machine"] = {"processor": "A processor", "cores": 2, "memory_gib": 23.5, "system": "Linux x86_64"}
    settings = public_settings(Config())
    one = {
        "set": "bottle", "n_train": 209, "n_test_undamaged": 20, "n_test_damaged": 63, "image_auroc": 0.9987,
        "image_auroc_unseen_half": 1.0, "pixel_auroc": 0.98512, "aupro": {"undefined": "the set has no masks"},
        "fit_seconds": 41.4, "ms_per_image": 68.6,
    }  # fmt: skip
    _write(tmp_path / "real_sets.json", about | {"device": "cpu", "seed": 3, "config": settings, "sets": [one]})

    def fit(auroc: Any, seconds: float) -> dict[str, Any]:
        return {
            "image_auroc": auroc, "fit_seconds": seconds, "ms_per_image": 20.0, "fit_peak_mib": 900, "bank_rows": 614,
        }  # fmt: skip

    pair = {
        "set": "bottle", "n_train": 60, "goodparts": [fit(1.0, 4.0), fit(0.99, 6.0)],
        "anomalib": [fit(0.97, 40.0), fit({"undefined": "one class"}, 60.0)],
    }  # fmt: skip
    side = {"max_train": 60, "seeds": [0, 1], "goodparts": settings, "anomalib": {"image_size": [256, 256]}}
    process = {
        "process": "import torch", "seconds": 1.614, "peak_mib": 310, "ours_to_this_time": 0.3123,
        "ours_to_this_memory": 0.5,
    }  # fmt: skip
    cold = {"set": "bottle", "runs": 7, "anomalib_bank_rows": 614, "processes": [process]}
    _write(
        tmp_path / "compare_anomalib.json",
        {"accuracy": about | {"settings": side, "sets": [pair]}, "cold": about | cold},
    )
    return tmp_path


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def test_every_figure_stands_in_its_place(results: Path) -> None:
    lines = markdown(results).splitlines()
    assert "| bottle | 209 | 20 + 63 | 99.9 | 100.0 | 98.5 | - | 41 s | 69 ms |" in lines
    assert (
        "| bottle | 60 | 614 / 614 | 99.5 (99.0-100.0) | 97.0 (97.0-97.0) | 5 / 50 s | 20 / 20 ms | 900 / 900 MiB |"
    ) in lines
    assert "| `import torch` | 1.61 s | 31 % | 310 MiB | 50 % |" in lines
    assert lines.count("Measured 2026-11-22, A processor, 2 cores, 23.5 GiB, Linux x86_64.") == 2
    assert "seed 3" in lines[0]


def test_every_row_has_as_many_cells_as_its_header(results: Path) -> None:
    for table in (part for part in markdown(results).split("\n\n") if part.startswith("|")):
        assert len({row.count("|") for row in table.splitlines()}) == 1


def test_a_part_that_was_not_measured_is_left_out(results: Path) -> None:
    (results / "real_sets.json").unlink()
    found = json.loads((results / "compare_anomalib.json").read_text(encoding="utf-8"))
    _write(results / "compare_anomalib.json", {"cold": found["cold"]})
    assert markdown(results).startswith("**One prediction as a whole process**")
    assert "Beside anomalib" not in markdown(results)


def test_without_result_files_that_is_what_is_said(tmp_path: Path) -> None:
    assert markdown(tmp_path) == NOTHING


def test_something_else_under_the_name_of_a_result_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real_sets.json").write_text("[]")
    with pytest.raises(OutputError, match="no result file"):
        markdown(tmp_path)
