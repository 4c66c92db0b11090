from __future__ import annotations

import numpy as np
import pytest

from anomaly.drift.evidence import BETS, SHARES, SequentialTest


def run(reference: np.ndarray, values: np.ndarray) -> list[float]:
    test = SequentialTest(reference, np.array([0.4, 0.4, 0.2]), usual_share=0.05)
    evidence = []
    for row in values:
        test.update(row, flagged=False)
        evidence.append(test.evidence)
    return evidence


def test_worked_by_hand() -> None:
    test = SequentialTest(np.array([[1.0], [2.0], [3.0]]), np.array([0.5, 0.5]), usual_share=0.2)
    p = 0.25  # 9 is the largest of four
    first = [1 * k * p ** (k - 1) for k in BETS]
    assert test.update(np.array([9.0]), flagged=True)[0] == pytest.approx(np.mean(first))
    p = 2 / 5  # 9 is at least as large as 9 and as itself
    second = [(r + 1) * k * p ** (k - 1) for r, k in zip(first, BETS, strict=True)]
    assert test.update(np.array([9.0]), flagged=True)[0] == pytest.approx(np.mean(second))
    shares = 0.2 + 0.8 * np.array(SHARES)
    flags = np.mean((shares / 0.2 + 1) * shares / 0.2)
    assert test.evidence == pytest.approx(0.5 * np.mean(second) + 0.5 * flags)


@pytest.mark.parametrize(("share", "found"), [(0.05, False), (0.4, True)])
def test_the_share_of_flags(share: float, found: bool) -> None:
    random = np.random.default_rng(6)
    test = SequentialTest(np.zeros((5, 0)), np.array([1.0]), usual_share=0.05)
    evidence = []
    for _ in range(50 if found else 2000):
        test.update(np.zeros(0), flagged=random.random() < share)
        evidence.append(test.evidence)
    assert (max(evidence) >= 10_000) == found


@pytest.mark.parametrize("law", ["normal", "heavy", "ties"])
def test_evidence_grows_by_at_most_one_a_picture_on_average(law: str) -> None:
    random = np.random.default_rng(0)
    ends = []
    for _ in range(300):
        draw = random.standard_t(2, size=(70, 2)) if law == "heavy" else random.normal(size=(70, 2))
        values = np.round(draw) if law == "ties" else draw
        ends.append(run(values[:40], values[40:])[-1])
    assert np.mean(ends) < 30 * 1.25  # the bound, and what 300 draws of a skewed law leave open


def test_no_false_alarm_in_20000_ordinary_pictures() -> None:
    random = np.random.default_rng(1)
    alarms = sum(max(run(random.normal(size=(40, 2)), random.normal(size=(500, 2)))) >= 10_000 for _ in range(40))
    assert alarms <= 2  # at most 20000 / 10000 are expected


def test_a_shift_is_found_and_dated() -> None:
    random = np.random.default_rng(2)
    values = random.normal(size=(70, 2))
    values[30:, 1] += 4
    test = SequentialTest(random.normal(size=(80, 2)), np.array([0.4, 0.4, 0.2]), usual_share=0.05)
    evidence = []
    for row in values:
        by_stream = test.update(row, flagged=False)
        evidence.append(test.evidence)
        if test.evidence >= 10_000:
            break
    assert evidence[-1] >= 10_000
    assert 32 < len(evidence) < 50
    assert by_stream.argmax() == 1
    assert abs(test.start(1) - 30) <= 3
