from __future__ import annotations

import io
import sys

import pytest

from anomaly.cli import progress as module
from anomaly.cli.output import emit
from anomaly.cli.progress import Reporter


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_short_work_is_not_told(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(quiet=False) as progress:
        for done in range(1, 4):
            progress("embedding", done, 3)
    assert capsys.readouterr().err == ""


def test_long_work_is_told_now_and_then_with_the_time_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter(quiet=False) as progress:
        for done in range(101):
            clock[0] = float(done)
            progress("embedding", done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "embedding: 30 of 100, about 70 s left"
    assert lines[-1] == "embedding: 100 of 100 done in 100 s"
    assert len(lines) == 4


def test_quiet_is_quiet(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(quiet=True) as progress:
        progress("embedding", 0, 2)
        clock[0] = 100.0
        progress("embedding", 1, 2)
        progress.remark("hello")
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with Reporter(quiet=False) as progress:
        progress("embedding images", 0, 200)
        progress("embedding images", 100, 200)
    assert "embedding images" in terminal.getvalue()
    assert "100/200" in terminal.getvalue()


def test_a_bar_on_stderr_leaves_a_piped_stdout_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", _Terminal())
    with Reporter(quiet=False) as progress:
        progress("judging", 1, 200)
        emit("image.png  damaged")
        progress("judging", 2, 200)
    assert capsys.readouterr().out == "image.png  damaged\n"


def test_a_row_above_the_bar_is_one_line_however_narrow_the_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", _Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    row = " ".join(f"word{n}" for n in range(60))
    with Reporter(quiet=False) as progress:
        progress("judging", 1, 200)
        emit(row)
        progress("judging", 2, 200)
    assert row in terminal.getvalue()
