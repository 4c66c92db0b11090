from __future__ import annotations

import pytest

from anomaly.detector.sampling import evenly, firsts


@pytest.mark.parametrize("n", [0, 1, 2, 7, 60, 209])
@pytest.mark.parametrize("most", [1, 2, 5, 60])
def test_as_many_as_asked_for_each_once_and_in_order(n: int, most: int) -> None:
    for chosen in (evenly(n, most), firsts(n, most)):
        assert len(chosen) == min(n, most)
        assert chosen == sorted(set(chosen))
        assert set(chosen) <= set(range(n))


def test_the_two_differ_in_what_they_do_at_the_end() -> None:
    assert evenly(10, 4) == [0, 3, 6, 9]
    assert firsts(10, 4) == [0, 2, 5, 7]
