"""Tiny runs of speed.py and scale.py, and the page made of their results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import _speed_parts, performance, performance_plots, scale, speed
from benchmarks._timing import in_turn, summary
from memory_bank import select_coreset
from tests.parts import write_part

MEASURED = {
    "date": "2026-11-22T12:00:00+00:00", "load_before": 0.1,
    "machine": {"processor": "A processor", "cores": 2, "memory_gib": 8, "system": "Linux x86_64"},
}  # fmt: skip


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("photographs")
    return [str(write_part(folder / f"{i}.png", i)) for i in range(6)]


def test_sides_run_in_turn_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    rounds = in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert [tuple(found) for found in rounds] == [("a", "b")] * 2


def test_the_ratio_is_the_median_of_ratios_not_the_ratio_of_medians() -> None:
    rounds = [{"a": 1.0, "b": 1.0}, {"a": 4.0, "b": 2.0}, {"a": 30.0, "b": 10.0}]
    assert summary(rounds, "a", "b") == {"seconds": {"a": 4.0, "b": 2.0}, "ratio": 2.0, "rounds": 3}


@pytest.mark.slow
def test_stages_of_a_prediction(photographs: list[str]) -> None:
    (found,) = _speed_parts.stages({"images": photographs, "sides": [96], "rows": 200})
    assert found["images"] == 6
    assert max(found["rows"]) == 200
    assert set(found["ms"]) == {"decode", "network", "search", "whole"}
    assert found["whole_to_decode_and_network"] > 0.5


@pytest.mark.slow
def test_a_folder_and_a_bank(photographs: list[str]) -> None:
    (folder,) = _speed_parts.folder({"images": photographs, "sides": [96], "rows": 50, "count": 7, "rounds": 1})
    assert (folder["images"], folder["rounds"]) == (7, 1)
    banks = _speed_parts.search({"rows": [500, 900], "queries": 40, "rounds": 1})
    assert [(bank["rows"], bank["kind"], bank["largest_to_nearest"]) for bank in banks] == [
        (500, "pruned", 1.0),
        (900, "pruned", 1.0),
    ]


@pytest.mark.slow
def test_concatenated_taps_have_the_width_that_anomalib_uses(photographs: list[str]) -> None:
    vectors = _speed_parts.concatenated(photographs, rows=1500)
    assert vectors.shape == (1500, 152)
    coreset = select_coreset(vectors, 20, seed=0)
    assert _speed_parts.covering_radius(vectors, coreset.index) == pytest.approx(coreset.radius[-1], rel=1e-5)


def test_results_of_one_part_leave_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "scale.json"
    output.write_text(json.dumps({"fit": {"kept": True}}), encoding="utf-8")
    monkeypatch.setitem(scale.PARTS, "search", lambda options: {"banks": [], "queries": options.queries})
    assert scale.main(["--only", "search", "--queries", "7", "--output", str(output)]) == 0
    content = json.loads(output.read_text(encoding="utf-8"))
    assert content["fit"] == {"kept": True}
    assert content["search"]["queries"] == 7
    assert content["search"]["machine"]["cores"] >= 1


def test_a_folder_without_images_is_a_known_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert speed.main([str(tmp_path), "--only", "stages", "--output", str(tmp_path / "out.json")]) == 1
    assert "expected at least 4 images" in capsys.readouterr().err


def test_coresets_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speed.main(["--coresets", "many"])
    assert "expected ROWS:SHARE" in capsys.readouterr().err


def test_the_page_has_a_table_for_every_part(tmp_path: Path) -> None:
    two = {"goodparts": 2.0, "anomalib": 40.0}
    results = {
        "speed.json": {
            "stages": {"sizes": [{"side": 256, "rows": [10000, 2560], "images": 4, "whole_to_decode_and_network": 1.4,
                                  "ms": {"decode": 1, "network": 10, "search": 4, "whole": 15}}]},
            "folder": {"sizes": [{"side": 256, "images": 10, "seconds": {"one": 2.0, "several": 1.0}, "ratio": 2.0}]},
            "cold": {"runs": 5, "processes": [{"process": "import torch", "seconds": 2, "peak_mib": 600,
                                               "ours_to_this_time": 0.31}]},
            "coreset": {"sizes": [{"rows": 61440, "d": 152, "ratio": 0.1, "seconds": two, "times_faster": 20.0,
                                   "covering_radius": two}]},
            "fit": {"images": 60, "rounds": 1, "seconds": two, "peak_mib": two, "times_faster": 20.0,
                    "memory_ratio": 0.5},
        },
        "scale.json": {
            "fit": {"side": 512, "most_rows": 10000, "fits": [{"images": 500, "seconds": 50, "peak_mib": 900}]},
            "search": {"queries": 4096, "banks": [{"rows": 1000000, "kind": "faiss-cells", "seconds": {"this": 0.5},
                       "ratio": 3.1, "building_seconds": 9.0, "largest_to_nearest": 1.004}]},
        },
    }  # fmt: skip
    for name, content in results.items():
        measured = {part: {**MEASURED, **found} for part, found in content.items()}
        (tmp_path / name).write_text(json.dumps(measured), encoding="utf-8")
    page = performance.page(tmp_path)
    assert page.count("\n## ") == 7
    assert page.count("Measured 2026-11-22, A processor, 2 cores, 8 GiB, Linux x86_64; load before: 0.1.") == 7
    assert "| 256 px | 10,000 / 2,560 | 1 ms | 10 ms | 4 ms | 15 ms | 1.40 |" in page
    assert "20.0 times faster in 50 % of the memory" in page
    assert "| 1,000,000 | `faiss-cells` | 500 ms | 3.1 | 9.0 s | 0.40 % |" in page


def test_what_was_measured_at_two_sizes_is_drawn(tmp_path: Path) -> None:
    fits = [{"images": n, "seconds": n / 10, "peak_mib": 800 + n} for n in (500, 1000, 2000)]
    bank = {"kind": "faiss-flat", "ratio": 1.0, "building_seconds": 1.0, "largest_to_nearest": 1.0}
    banks = [{**bank, "rows": 10_000, "seconds": {"this": 0.5}}]
    scale_results = {
        "fit": {**MEASURED, "side": 512, "most_rows": 10_000, "fits": fits},
        "search": {**MEASURED, "queries": 4096, "banks": banks},
    }
    (tmp_path / "scale.json").write_text(json.dumps(scale_results), encoding="utf-8")
    found = performance_plots.plots(tmp_path)
    assert list(found) == ["fit"]
    assert found["fit"].x == (500, 1000, 2000)
    assert found["fit"].panels["peak memory in MiB"]["fit"] == (1300, 1800, 2800)
    page = performance.page(tmp_path)
    assert "![seconds of a fit and peak memory in MiB against images](images/performance-fit.svg)" in page
    picture = performance_plots.draw(found["fit"])
    assert picture == performance_plots.draw(found["fit"])
    assert b"<svg" in picture
    assert len(picture) < 20_000


def test_without_results_the_page_says_so(tmp_path: Path) -> None:
    assert performance.page(tmp_path).endswith("No result file is here yet.\n")
