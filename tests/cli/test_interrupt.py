"""``--predict FOLDER`` interrupted by Ctrl-C at random moments: it ends soon, says so, and leaves no half table."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.parts import write_part

ROOT = Path(__file__).parents[2]
MOMENTS = int(os.environ.get("GOODPARTS_INTERRUPTS", "12"))
SOON = 20.0
"""Seconds, generous for a busy machine: what is waited for are three images of a few milliseconds."""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    sources = [write_part(folder / f"{i:03d}.png", 4000 + i, damaged=i % 5 == 0) for i in range(20)]
    for i in range(20, 240):
        os.link(sources[i % 20], folder / f"{i:03d}.png")
    return folder


def _begun(words: list[str]) -> subprocess.Popen[str]:
    """A process that has told its first verdict."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "model.py"), *words],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_interrupted_at_random_moments(trained_model: Path, photographs: Path, tmp_path: Path) -> None:
    table, journal = tmp_path / "out.csv", tmp_path / "journal.sqlite"
    words = ["--predict", str(photographs), "--model", str(trained_model), "--device", "cpu", "--exit-code"]
    words += ["--csv", str(table), "--journal", str(journal)]
    process = _begun(words)
    started = time.monotonic()
    process.communicate()
    span = time.monotonic() - started
    assert process.returncode == 3
    whole = table.read_bytes()
    assert whole.count(b"\n") == 241
    moments, interrupted = random.Random(23), 0
    for number in range(MOMENTS):
        table.unlink(missing_ok=True)
        process = _begun(words)
        time.sleep(moments.uniform(0, span))
        process.send_signal(signal.SIGINT)
        if number % 3 == 2:  # somebody impatient
            time.sleep(moments.uniform(0, 0.02))
            process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        err = process.communicate(timeout=120)[1]
        assert time.monotonic() - sent < SOON
        if table.exists():  # all was judged; the signal came while the process was leaving, or found it gone
            assert table.read_bytes() == whole
            assert process.returncode in (3, 130, -signal.SIGINT)
            continue
        interrupted += 1
        # A second signal may find a process that is leaving already, and end it there.
        assert process.returncode == 130 or (number % 3 == 2 and process.returncode == -signal.SIGINT), err
        assert err.splitlines()[-1:] == ["interrupted"]
    assert interrupted > MOMENTS // 4
    assert {path.name for path in tmp_path.iterdir()} <= {
        table.name,
        *(journal.name + end for end in ("", "-wal", "-shm")),
    }
    with sqlite3.connect(journal) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
