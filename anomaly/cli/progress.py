"""Progress on stderr: a bar with the time left on a terminal, sparse lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from anomaly.cli.output import say

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_PATIENCE = 1.0
"""Seconds of work that are told at all: shorter work shows no bar and does not load the library for it."""
_EVERY = 30.0
"""Seconds between two lines where stderr is no terminal."""


class Reporter:
    """A :class:`anomaly.detector.Progress` that shows where long work stands; use it in a ``with`` block.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._stage = ""
        self._started = self._told = time.monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away, for a question on the terminal; more work shows another one."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` steps of ``stage`` are finished."""
        if self._quiet:
            return
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._told, self._task = stage, now, now, None
        if self._terminal:
            self._draw(stage, done, total, now)
        elif done == total:
            if now - self._started >= _PATIENCE:
                say(f"{stage}: {done} of {total} done in {now - self._started:.0f} s")
        elif now - self._told >= _EVERY:
            self._told = now
            left = (now - self._started) / max(1, done) * (total - done)
            say(f"{stage}: {done} of {total}, about {left:.0f} s left")

    def remark(self, line: str) -> None:
        """Say something on stderr, above the bar."""
        if not self._quiet:
            say(line)

    def _draw(self, stage: str, done: int, total: int, now: float) -> None:
        if self._bar is None:
            if now - self._started < _PATIENCE and total - done < 100:
                return
            self._bar = _bar()
            self._bar.start()
        if self._task is None:
            self._task = self._bar.add_task(stage, total=total)
        self._bar.update(self._task, completed=done)


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        # A row is one line, however narrow the terminal is: the terminal wraps it, and it can be copied whole.
        console=Console(stderr=True, soft_wrap=True),
        transient=True,
        # Lines for a terminal are printed above the bar; a pipe must get them as they are.
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        redirect_stderr=True,
    )
