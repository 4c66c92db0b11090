from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from anomaly.errors import ImageError
from anomaly.imaging import measure_quality
from anomaly.types import UInt8Array


def grey(values: UInt8Array) -> UInt8Array:
    return np.repeat(np.asarray(values, dtype=np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (2, 2), (127, 64), (128, 65), (129, 66), (400, 31)])
def test_against_plain_formulas(shape: tuple[int, int]) -> None:
    luma = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    quality = measure_quality(grey(luma))
    unit = luma / 255.0
    assert (quality.height, quality.width) == shape
    assert quality.brightness == pytest.approx(unit.mean())
    assert quality.contrast == pytest.approx(unit.std())
    assert quality.clipped_dark == pytest.approx((luma == 0).mean())
    assert quality.clipped_bright == pytest.approx((luma == 255).mean())
    assert quality.sharpness == pytest.approx(ndimage.laplace(unit, mode="nearest").var(), abs=1e-12)


def test_constant_picture() -> None:
    quality = measure_quality(np.full((9, 11, 3), 255, dtype=np.uint8))
    assert quality.brightness == 1.0
    assert quality.contrast == pytest.approx(0.0, abs=1e-12)
    assert quality.sharpness == 0.0
    assert (quality.clipped_dark, quality.clipped_bright) == (0.0, 1.0)


def test_blur_lowers_sharpness() -> None:
    sharp = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    blurred = ndimage.gaussian_filter(sharp.astype(float), 1.5).astype(np.uint8)
    assert measure_quality(grey(blurred)).sharpness < 0.1 * measure_quality(grey(sharp)).sharpness


def test_refuses_what_is_no_image() -> None:
    with pytest.raises(ImageError):
        measure_quality(np.zeros((4, 4), dtype=np.uint8))
