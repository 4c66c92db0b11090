"""``kill -9`` at any moment leaves a trained model that loads and predicts as before."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anomaly.cli import main
from tests.parts import TINY, write_dataset, write_part

ROOT = Path(__file__).parents[2]
# Loads the libraries once and runs each call of the command line in a fork.
DRIVER = """
import json, os, sys
import torch, timm, scipy.stats
import anomaly.cli.recalibrate, anomaly.cli.train, anomaly.detector.training, anomaly.embedding.network
from anomaly.cli import main
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)
        os._exit(main(json.loads(line)))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class _Calls:
    def __init__(self, process: subprocess.Popen[str], model: Path) -> None:
        self._process = process
        self._model = model

    def run(self, words: list[str], *, after: float | None = None, of_saving: bool = False) -> tuple[int, float, float]:
        """Run a call, killed ``after`` so many seconds from its start or from when it begins to save.

        Returns the exit status and the seconds until saving began and until the end.
        """
        started = time.monotonic()
        self._send(words)
        child, saving = int(self._receive()), 0.0
        while _runs(child):
            now = time.monotonic() - started
            if not saving and any(self._model.parent.glob(f".{self._model.name}.new-{child}-*")):
                saving = now
            if after is not None and now >= after and not of_saving:
                os.kill(child, signal.SIGKILL)
                break
            if after is not None and of_saving and saving and now >= saving + after:
                os.kill(child, signal.SIGKILL)
                break
            time.sleep(0.0005)
        status = int(self._receive())
        return status, saving, time.monotonic() - started

    def _send(self, words: list[str]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def _receive(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _runs(child: int) -> bool:
    try:
        return Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[_Calls]:
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield _Calls(process, tmp_path / "models" / "model")
        process.stdin.close()


def _predicted(model: Path, image: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(["--predict", str(image), "--model", str(model)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_at_20_random_moments(calls: _Calls, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moments = random.Random(20)
    data, model = write_dataset(tmp_path / "data", undamaged=8, damaged=4), tmp_path / "models" / "model"
    image = write_part(tmp_path / "image.png", 2000)
    train = ["--train", "--data", str(data), "--model", str(model), "--device", "cpu", *TINY]
    train += ["--set", "embedding.whitening=false"]
    recalibrate = ["--recalibrate", "--model", str(model)]
    # The same data, seed and stored scores give the same predictions, whichever side of the exchange the kill was on.
    kills = 0
    for words, whole, saving_only in ((train, 4, 4), (recalibrate, 6, 6)):
        status, saved, ended = calls.run(words)
        assert status == 0
        expected = _predicted(model, image, capsys)
        left = [False] * whole + [True] * saving_only
        while left:
            span = ended - saved if left[0] else ended
            status, *times = calls.run(words, after=moments.uniform(0, span), of_saving=left[0])
            assert status in (0, -signal.SIGKILL)
            assert _predicted(model, image, capsys) == expected
            if status == 0:  # it was over sooner than the time before: draw again, from the shorter span
                saved, ended = times
            else:
                kills += 1
                left.pop(0)
    assert kills == 20
    assert calls.run(recalibrate)[0] == 0
    assert [path.name for path in model.parent.iterdir()] == ["model"]
