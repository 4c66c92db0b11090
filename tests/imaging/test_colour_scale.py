from __future__ import annotations

import pytest

from anomaly.imaging.colour_scale import UNCALIBRATED_SCALE, scale_end


def test_the_threshold_is_the_middle() -> None:
    assert scale_end(0.6) == 1.2


@pytest.mark.parametrize("threshold", [None, 0.0, -1.0])
def test_a_scale_without_a_threshold_has_room_for_ordinary_images(threshold: float | None) -> None:
    assert scale_end(threshold) == UNCALIBRATED_SCALE
