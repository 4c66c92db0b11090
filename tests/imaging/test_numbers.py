from __future__ import annotations

import pytest

from anomaly.imaging.numbers import score_text


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (1, "1.00"),
        (0.9, "0.900"),
        (1.8449, "1.84"),
        (0.99999, "1.00"),
        (123.4, "123"),
        (0.00123, "0.00123"),
        (0, "0.00"),
    ],
)
def test_three_digits_whatever_they_are(score: float, text: str) -> None:
    assert score_text(score) == text


def test_as_many_digits_as_wanted() -> None:
    assert score_text(1.5, 6) == "1.50000"
