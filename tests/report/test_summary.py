from __future__ import annotations

from anomaly.evaluation import Rate, rate_interval
from anomaly.report.section_summary import readiness


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
