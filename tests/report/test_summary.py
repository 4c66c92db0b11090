from __future__ import annotations

import dataclasses

from anomaly.calibration import CalibrationRecord, calibrate
from anomaly.evaluation import Rate, rate_interval
from anomaly.report.document import Missing
from anomaly.report.evidence import Evidence
from anomaly.report.section_results import not_judged
from anomaly.report.section_summary import readiness, summarise
from anomaly.types import DAMAGED, UNDAMAGED
from tests.report.samples import evidence, examined, found, scores


def rate(count: int, n: int) -> Rate:
    found = rate_interval(count, n)
    assert isinstance(found, Rate)
    return found


def test_what_it_is_fit_for() -> None:
    assert readiness(None, None)[0] == "plain"
    assert "Too few" in readiness(rate(1, 7), rate(0, 7))[1]
    assert readiness(rate(0, 100), rate(0, 100)) == (
        "good",
        "**Fit to pass batches without a second look**, as long as the checks of section 6 are kept.",
    )
    assert "second pair of eyes" in readiness(rate(5, 50), rate(0, 50))[1]
    assert readiness(rate(40, 50), None)[0] == "bad"
    assert "60.0 % of the good batches" in readiness(rate(5, 50), rate(30, 50))[1]


def test_a_test_was_planned_where_the_splits_say_so() -> None:
    good, bad = [1.0] * 3, [2.0] * 3
    validation = (*scores(UNDAMAGED, good), *scores(DAMAGED, bad))
    record = CalibrationRecord(1, "2026-11-22T10:00:00+00:00", "training", "training", calibrate(good, bad), validation)

    def untested(known: Evidence) -> str:
        blocks = summarise(dataclasses.replace(known, record=record), ()).section.blocks
        return next(block.what for block in blocks if isinstance(block, Missing))

    planned = evidence(examined(missing=2), test=found(2))
    assert untested(planned) == f"How often it errs is not known here: {not_judged(planned)}."
    assert "were not found." in untested(evidence(test=found(2)))
    assert "no photograph was kept for a test" in untested(evidence(examined(), bank=2))
