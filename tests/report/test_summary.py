from __future__ import annotations

import dataclasses

from anomaly.calibration import CalibrationRecord, calibrate
from anomaly.evaluation import Rate, rate_interval
from anomaly.report.document import Missing, Paragraph
from anomaly.report.evidence import Evidence
from anomaly.report.section_results import not_judged
from anomaly.report.section_summary import readiness, summarise
from anomaly.types import DAMAGED, UNDAMAGED
from tests.report.samples import evidence, examined, found, passed, scores


def rate(count: int, n: int) -> Rate:
    found = rate_interval(count, n)
    assert isinstance(found, Rate)
    return found


def test_what_it_is_fit_for() -> None:
    assert readiness(None, None)[0] == "plain"
    for few in (rate(1, 7), rate(0, 8), rate(2, 7)):  # the upper end decides, however narrow the range
        assert "Too few" in readiness(few, rate(0, 7))[1]
        assert "people inspect as before" in readiness(few, rate(0, 7))[1]
    assert readiness(rate(0, 100), rate(0, 100)) == (
        "good",
        "**Fit to pass batches without a second look**, as long as the checks of section 6 are kept.",
    )
    assert "second pair of eyes" in readiness(rate(5, 50), rate(0, 50))[1]
    assert readiness(rate(40, 50), None)[0] == "bad"
    assert "60.0 % of the good batches" in readiness(rate(5, 50), rate(30, 50))[1]


def calibrated() -> CalibrationRecord:
    good, bad = [1.0] * 3, [2.0] * 3
    validation = (*scores(UNDAMAGED, good), *scores(DAMAGED, bad))
    return CalibrationRecord(1, "2026-11-22T10:00:00+00:00", "training", "training", calibrate(good, bad), validation)


def test_the_summary_says_how_many_test_photographs_its_figures_are_without() -> None:
    def told(known: Evidence) -> str:
        blocks = summarise(dataclasses.replace(known, record=calibrated()), ()).section.blocks
        return next(b.text for b in blocks if isinstance(b, Paragraph) and b.text.startswith("**How often"))

    test = (*passed(3), *found(2))
    assert told(evidence(examined(test[:4], missing=1), test=test)) == (
        "**How often it errs.** On 4 batches that it had never seen before (1 photograph of the test split "
        "was not found in the folder as training saw it: the figures are without):"
    )
    assert told(evidence(examined(test), test=test)).endswith("never seen before:")


def test_a_test_was_planned_where_the_splits_say_so() -> None:
    def untested(known: Evidence) -> str:
        blocks = summarise(dataclasses.replace(known, record=calibrated()), ()).section.blocks
        return next(block.what for block in blocks if isinstance(block, Missing))

    planned = evidence(examined(missing=2), test=found(2))
    assert untested(planned) == f"How often it errs is not known here: {not_judged(planned)}."
    assert "were not found." in untested(evidence(test=found(2)))
    assert "no photograph was kept for a test" in untested(evidence(examined(), bank=2))
