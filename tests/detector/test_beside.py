from __future__ import annotations

import threading

import pytest

from anomaly.detector.beside import beside


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
