from __future__ import annotations

from anomaly.calibration import calibrate
from anomaly.report.operating_points import operating_points
from anomaly.types import DAMAGED, UNDAMAGED
from tests.report.samples import judged, scores

GOOD = [1.0 + i / 100 for i in range(60)]
BAD = [1.5 + i / 20 for i in range(30)]


def test_chosen_on_validation_and_counted_on_test() -> None:
    standing = calibrate(GOOD, BAD)
    validation = [*scores(UNDAMAGED, GOOD), *scores(DAMAGED, BAD)]
    test = [
        judged(1, DAMAGED, DAMAGED, score=9.0),
        judged(2, DAMAGED, UNDAMAGED, score=0.1),
        judged(3, UNDAMAGED, UNDAMAGED),
    ]
    points = operating_points(standing, validation, test)
    assert points[0].calibration == standing
    assert all(point.test is not None and point.test.misses == 1 for point in points)
    promised = next(point for point in points if point.options == "--max-miss-rate 0.1")
    assert promised.calibration is not None
    assert promised.calibration.threshold < standing.threshold
    assert promised.calibration.n_damaged == 30


def test_what_the_labels_cannot_carry_is_refused_with_the_number_that_could() -> None:
    standing = calibrate(GOOD[:10], BAD[:10])
    points = operating_points(standing, [*scores(UNDAMAGED, GOOD[:10]), *scores(DAMAGED, BAD[:10])], [])
    refusals = {point.options: point.refusal for point in points if point.calibration is None}
    assert refusals == {
        "--max-miss-rate 0.1": "needs 29 damaged validation photographs",
        "--max-false-alarm-rate 0.05": "needs 59 undamaged validation photographs",
    }
    assert all(point.test is None for point in points)


def test_without_a_threshold_or_damaged_photographs() -> None:
    assert operating_points(None, [], []) == ()
    points = operating_points(calibrate(GOOD, []), scores(UNDAMAGED, GOOD), [])
    assert {point.refusal for point in points if "miss" in point.options} == {
        "needs labelled damaged photographs",
        "needs 29 damaged validation photographs",
    }
