from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest

from memory_bank import _threads
from memory_bank._threads import each, one_blas_thread, set_threads, threads


def test_every_task_is_done_once_by_at_most_so_many_threads() -> None:
    done, names = [], set()

    def work(task: int) -> None:
        time.sleep(0.001)
        done.append(task)
        names.add(threading.get_ident())

    each(work, range(50), most=3)
    assert sorted(done) == list(range(50))
    assert 1 < len(names) <= 3


@pytest.mark.parametrize("most", [1, 3])
def test_an_error_is_raised_when_all_have_stopped(most: int) -> None:
    def work(task: int) -> None:
        if task == 5:
            raise KeyError(task)

    with pytest.raises(KeyError, match="5"):
        each(work, range(20), most=most)
    assert not [thread for thread in threading.enumerate() if thread.name == "searching"]


def test_each_thread_has_a_number_of_its_own() -> None:
    found = []

    def ask() -> None:
        set_threads(5)
        found.append(threads())

    before = threads()
    other = threading.Thread(target=ask)
    other.start()
    other.join()
    assert found == [5]
    assert threads() == before >= 1


def test_the_blas_gets_its_threads_back() -> None:
    pytest.importorskip("threadpoolctl")
    np.ones((2, 2)) @ np.ones((2, 2))

    def counts() -> list[int]:
        # Only the BLAS of NumPy: what other libraries brought along since is not touched.
        (found,) = _threads._controllers()
        return [library.num_threads for library in found.lib_controllers]

    before = counts()
    with one_blas_thread() as alone, one_blas_thread():
        assert alone
        assert set(counts()) == {1}
    assert counts() == before


def test_without_threadpoolctl_the_blas_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_threads, "_blas", [])
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with one_blas_thread() as alone:
        assert not alone
