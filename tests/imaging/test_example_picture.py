from __future__ import annotations

import numpy as np
import pytest

from anomaly.errors import ConfigError, ImageError
from anomaly.imaging.example_picture import render_example
from tests.parts import draw_part


def test_photograph_and_map_side_by_side() -> None:
    image = draw_part(1, damaged=True)
    values = np.ones(image.shape[:2], dtype=np.float32)
    values[20:40, 30:50] = 1.4
    picture = render_example(image, values, scale_max=2.0, threshold=1.5, height=96)
    assert picture.shape == (96, 2 * 96 + 6, 3)
    assert np.array_equal(picture[:, :96], image)
    marked = render_example(image, values, scale_max=2.0, threshold=1.2, mask=values > 1, height=96)
    assert not np.array_equal(marked[:, :96], picture[:, :96])
    assert not np.array_equal(marked[:, 102:], picture[:, 102:])


def test_long_pictures_stay_narrow_enough() -> None:
    image = np.zeros((40, 400, 3), dtype=np.uint8)
    picture = render_example(image, np.zeros((40, 400), dtype=np.float32), scale_max=1.0, threshold=None, height=100)
    assert picture.shape == (15, 306, 3)


def test_what_does_not_fit_is_refused() -> None:
    image = draw_part(1)
    with pytest.raises(ImageError, match="predict again"):
        render_example(image, np.zeros((3, 3), dtype=np.float32), scale_max=1.0, threshold=None)
    with pytest.raises(ConfigError):
        render_example(image, np.zeros(image.shape[:2], dtype=np.float32), scale_max=0.0, threshold=None)
