from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from anomaly.detector.beside import beside, one_ahead


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


def test_the_next_item_is_made_meanwhile_and_no_further_one() -> None:
    made: list[int] = []
    ready = [threading.Event() for _ in range(5)]

    def items() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            ready[number].set()
            yield number

    found = []
    for number in one_ahead(items()):
        if number < 3:
            assert ready[number + 1].wait(60)
        assert made == list(range(min(number + 2, 4)))
        found.append(number)
    assert found == [0, 1, 2, 3]
    assert list(one_ahead([])) == []


def test_an_item_that_fails_comes_after_those_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("the third")

    ahead = one_ahead(items())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(KeyError, match="the third"):
        next(ahead)


def test_whoever_stops_waits_for_the_item_under_way() -> None:
    done = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        threading.Event().wait(0.2)
        done.set()
        yield 2

    ahead = one_ahead(items())
    assert next(ahead) == 1
    ahead.close()
    assert done.is_set()
