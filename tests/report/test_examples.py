from __future__ import annotations

from anomaly.report.examples import choose_examples
from anomaly.types import DAMAGED, UNDAMAGED
from tests.report.samples import judged


def test_right_and_wrong_by_rule() -> None:
    images = [
        *(judged(i, DAMAGED, DAMAGED, score=2.0 + i) for i in range(3)),
        *(judged(10 + i, DAMAGED, UNDAMAGED, score=1.0 + i / 10) for i in range(3)),
        *(judged(20 + i, UNDAMAGED, UNDAMAGED, score=0.5 + i / 10) for i in range(3)),
        *(judged(30 + i, UNDAMAGED, DAMAGED, score=2.0 + i) for i in range(2)),
    ]
    assert [image.score for image in choose_examples(images)] == [3.0, 2.0, 0.6, 1.1, 1.0, 3.0]


def test_each_once_and_fewer_where_there_are_fewer() -> None:
    assert choose_examples([]) == ()
    one = judged(1, DAMAGED, DAMAGED)
    assert choose_examples([one]) == (one,)
    assert choose_examples([judged(1, DAMAGED, None)]) == ()
