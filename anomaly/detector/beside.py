"""Work beside other work: Pillow, NumPy and the network let go of the interpreter while they compute."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from functools import partial
from typing import TypeVar

Result = TypeVar("Result")


def beside(work: Callable[[], Result]) -> Callable[[], Result]:
    """Start ``work`` in a thread of its own.

    ``concurrent.futures`` would do as much, and takes 13 ms to import, which a single prediction is too short for.

    Returns
    -------
    callable
        Waits for it, and returns what it returned or raises what it raised.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised where the result is asked for
            errors.append(error)

    thread = threading.Thread(target=run, name="beside", daemon=True)
    thread.start()

    def wait() -> Result:
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    return wait


def one_ahead(items: Iterable[Result]) -> Generator[Result, None, None]:
    """Ask for the next item while the caller works on the last one.

    Only one item is under way at a time, so they may be made by what knows one caller at a time, such as a generator or
    an embedding network. Errors are raised where the item's turn comes. Whoever stops before waits for the item under
    way.
    """
    iterator, end = iter(items), object()
    waiting = beside(partial(next, iterator, end))
    try:
        while (item := waiting()) is not end:
            waiting = beside(partial(next, iterator, end))
            yield item
    finally:
        with suppress(Exception):
            waiting()
