from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from anomaly.detector.beside import beside, wait_in_turn


def test_both_go_on_at_the_same_time() -> None:
    started, go_on = threading.Event(), threading.Event()

    def work() -> str:
        started.set()
        assert go_on.wait(60)
        return "done"

    result = beside(work)
    assert started.wait(60)
    go_on.set()
    assert result() == "done"
    assert result() == "done"


def test_an_error_comes_where_the_result_is_asked_for() -> None:
    def fail() -> None:
        raise KeyError("inside")

    result = beside(fail)
    with pytest.raises(KeyError, match="inside"):
        result()


def test_in_their_order_each_when_the_next_has_been_started() -> None:
    begun: list[int] = []

    def started() -> Iterator[Callable[[], int]]:
        for number in range(4):
            begun.append(number)
            yield beside(lambda n=number: n)  # type: ignore[misc]

    found = []
    for number in wait_in_turn(started()):
        assert begun == list(range(min(number + 2, 4)))
        found.append(number)
    assert found == [0, 1, 2, 3]
    assert list(wait_in_turn([])) == []


@pytest.mark.parametrize("ending", ["closed", "next fails"])
def test_what_is_under_way_is_waited_for(ending: str) -> None:
    done = threading.Event()

    def slow() -> None:
        threading.Event().wait(0.2)
        done.set()

    def started() -> Iterator[Callable[[], None]]:
        yield lambda: None
        yield beside(slow)
        raise KeyError("the third")

    answers = wait_in_turn(started())
    next(answers)
    if ending == "closed":
        answers.close()
    else:
        with pytest.raises(KeyError, match="the third"):
            next(answers)
    assert done.is_set()
