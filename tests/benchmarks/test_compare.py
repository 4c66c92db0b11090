from __future__ import annotations

import sys
from pathlib import Path

import pytest

from anomaly.config import Config
from anomaly.dataset import LabelledImage
from anomaly.types import DAMAGED, UNDAMAGED
from benchmarks._accuracy import Settings, make_job
from benchmarks._anomalib_side import bank_rows
from benchmarks._cold import OURS, TORCH, measure_rounds, summarise
from benchmarks._processes import Finished, ProcessFailedError, python, run_measured
from benchmarks._sets import SetImages
from benchmarks.compare_anomalib import main


def images(n_train: int, n_test: int) -> SetImages:
    train = tuple(LabelledImage(Path(f"g{i}.png"), f"train/good/{i}.png", UNDAMAGED) for i in range(n_train))
    test = tuple(LabelledImage(Path(f"t{i}.png"), f"test/d/{i}.png", DAMAGED) for i in range(n_test))
    return SetImages(train, test)


def test_both_systems_get_the_same_capped_images_and_number_of_rows() -> None:
    settings = Settings(Config(), ratio=0.01, max_train=60, seeds=2, normalisation="backbone")
    job = make_job(images(100, 50), settings, seed=1)
    assert len(job["train"]) == 60
    assert job["rows"] == bank_rows(60, 0.01) == 614
    assert (len(job["test"]), len(job["damaged"]), job["seed"]) == (50, 50, 1)
    assert len(job["timed"]) == 21
    assert job["timed"][0] == 0


def test_ratios_are_taken_round_by_round_and_then_the_median() -> None:
    rounds = [
        {OURS: Finished(1.0, 100, ""), TORCH: Finished(2.0, 200, "")},
        {OURS: Finished(3.0, 100, ""), TORCH: Finished(4.0, 400, "")},
        {OURS: Finished(9.0, 100, ""), TORCH: Finished(10.0, 400, "")},
    ]
    ours, torch = summarise(rounds)
    assert (ours.name, ours.seconds, ours.time_ratio, ours.memory_ratio) == (OURS, 3.0, 1.0, 1.0)
    assert (torch.seconds, torch.time_ratio, torch.memory_ratio) == (4.0, 0.75, 0.25)


def test_rounds_alternate_after_one_for_warming_up(tmp_path: Path) -> None:
    log = tmp_path / "log"
    commands = {name: python("-c", f"open({str(log)!r}, 'a').write({name!r})") for name in "ab"}
    rounds = measure_rounds(commands, folder=tmp_path, runs=2)
    assert log.read_text() == "ab" + "ba" + "ab"
    assert [list(measured) for measured in rounds] == [["a", "b"], ["a", "b"]]


def test_a_process_is_measured_from_outside(tmp_path: Path) -> None:
    inner = "import os; block = bytearray(b'x') * (300 << 20); print(os.environ['ASKED'], os.getcwd())"
    # Measured by a fresh process: this one may have grown beyond what is measured.
    outer = (
        "import sys; from pathlib import Path; from benchmarks._processes import python, run_measured\n"
        "found = run_measured(python('-c', sys.argv[1]), folder=Path(sys.argv[2]), environment={'ASKED': 'yes'})\n"
        "print(found.peak_mb, found.seconds, found.output)"
    )
    peak_mb, seconds, asked, folder = run_measured(python("-c", outer, inner, str(tmp_path))).output.split()
    assert (asked, folder) == ("yes", str(tmp_path))
    assert 300 < float(peak_mb) < 400
    assert 0 < float(seconds) < 60


def test_a_failing_process_is_reported_with_what_it_said() -> None:
    with pytest.raises(ProcessFailedError, match=r"status 3:\nout of paper"):
        run_measured(python("-c", "import sys; print('out of paper', file=sys.stderr); sys.exit(3)"))


def test_a_hanging_process_is_ended() -> None:
    with pytest.raises(ProcessFailedError, match="status -9"):
        run_measured(python("-c", "import time; time.sleep(60)"), timeout=0.3)


def test_the_measuring_process_stays_small() -> None:
    code = (
        "import sys, benchmarks.compare_anomalib\n"
        "print(*({'torch', 'anomalib', 'openvino', 'scipy', 'timm'} & set(sys.modules)))"
    )
    assert run_measured(python("-c", code)).output.split() == []


def test_a_folder_without_sets_is_one_line_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--output", str(tmp_path / "out.json")]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: expected folders with train/good")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("option", [["--ratio", "0"], ["--max-train", "1"], ["--seeds", "0"], ["--runs", "0"]])
def test_an_option_out_of_range_is_a_usage_error(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["data", *option])
    assert option[0] in capsys.readouterr().err


def test_the_interpreter_is_this_one() -> None:
    assert python("-c", "pass") == [sys.executable, "-c", "pass"]
