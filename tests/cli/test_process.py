"""What only a process of its own can show."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.parts import write_part

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, str(ROOT / "model.py")]
FORBIDDEN = ("torch", "torchvision", "timm", "anomalib", "sklearn", "matplotlib", "scipy")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for i in range(30):
        write_part(folder / f"{i:02d}.png", 2000 + i, damaged=i == 0)
    return folder


@pytest.mark.parametrize("verb", ["--predict", "--heatmap"])
def test_a_cold_call_imports_nothing_heavy(verb: str, trained_model: Path, photographs: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from anomaly.cli import main\n"
        "assert 'numpy' not in sys.modules and 'faiss' not in sys.modules\n"
        "status = main(sys.argv[1:])\n"
        "print(os.environ['OMP_WAIT_POLICY'], status, *sorted(sys.modules), file=sys.stderr)\n"
    )
    words = [verb, str(photographs / "00.png"), "--model", str(trained_model), "--device", "cpu"]
    words += ["--output", str(tmp_path / "out.png")] if verb == "--heatmap" else []
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    policy, status, *modules = done.stderr.split()
    assert (policy, status) == ("PASSIVE", "0"), done.stderr
    loaded = set(modules)
    assert not loaded & set(FORBIDDEN)
    assert "rich" not in loaded
    assert "faiss" not in loaded  # it is for large banks
    assert "openvino" in loaded


def test_without_a_stderr_its_lines_go_nowhere_else(trained_model: Path, photographs: Path, tmp_path: Path) -> None:
    images = [str(photographs / "00.png"), str(tmp_path / "none.png")]
    words = [*PROGRAM, "--predict", *images, "--model", str(trained_model), "--device", "cpu"]
    table = tmp_path / "table.csv"
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *words, "--csv", str(table)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 1
    assert [line.split("  ")[0] for line in done.stdout.splitlines()] == images
    assert len(table.read_text().splitlines()) == 3


def test_a_wait_policy_that_the_user_set_stays(trained_model: Path) -> None:
    code = "import os; from anomaly.cli import main; main(['--help']); print(os.environ['OMP_WAIT_POLICY'])"
    environment = {**os.environ, "OMP_WAIT_POLICY": "ACTIVE"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "ACTIVE"


@pytest.mark.parametrize(
    ("words", "status"),
    [(["--exit-code"], 3), ([], 0), (["--nonsense"], 2), (["--csv", "/"], 1)],
)
def test_exit_status_of_the_process(words: list[str], status: int, trained_model: Path, photographs: Path) -> None:
    call = [*PROGRAM, "--predict", str(photographs / "00.png"), "--model", str(trained_model), *words]
    assert subprocess.run(call, capture_output=True, timeout=120).returncode == status


def test_a_reader_that_leaves_early_gets_no_traceback(trained_model: Path, photographs: Path) -> None:
    call = [*PROGRAM, "--predict", str(photographs), "--model", str(trained_model)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert "00.png" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_a_full_stdout_is_a_known_error(trained_model: Path, photographs: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    call = [*PROGRAM, "--predict", str(photographs / "00.png"), "--model", str(trained_model)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write to standard output")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_interrupted(trained_model: Path, photographs: Path, tmp_path: Path) -> None:
    many = [str(photographs)] * 400  # enough for a busy machine not to finish before the signal
    call = [*PROGRAM, "--predict", *many, "--model", str(trained_model), "--csv", str(tmp_path / "out.csv")]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert "00.png" in process.stdout.readline()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        err = process.stderr.read()
    assert process.returncode == 130
    assert err == "interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_without_unicode_is_no_obstacle(trained_model: Path, tmp_path: Path) -> None:
    image = write_part(tmp_path / "Größe.png", 2000)
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    call = [*PROGRAM, "--predict", str(image), "--model", str(trained_model)]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "Gr\\xf6\\xdfe.png  undamaged" in done.stdout
