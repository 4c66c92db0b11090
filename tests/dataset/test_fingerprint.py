from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from anomaly.dataset.fingerprint import Comparison, thumbnail
from anomaly.types import UInt8Array
from tests.dataset.conftest import texture


def photo(seed: int, *, product: float = 0.0) -> UInt8Array:
    """A picture with the resolution of a camera: structure of several pixels, so that a shift by one is small."""
    grain = texture(seed, height=160, width=240, product=product)
    return np.asarray(Image.fromarray(grain).resize((720, 480), Image.Resampling.BICUBIC))


def jpeg(quality: int) -> Callable[[UInt8Array], UInt8Array]:
    def save_again(image: UInt8Array) -> UInt8Array:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    return save_again


def resized(factor: float) -> Callable[[UInt8Array], UInt8Array]:
    def resize(image: UInt8Array) -> UInt8Array:
        height, width = image.shape[:2]
        return np.asarray(Image.fromarray(image).resize((round(width * factor), round(height * factor))))

    return resize


COPIES: dict[str, Callable[[UInt8Array], UInt8Array]] = {
    "JPEG 60": jpeg(60),
    "JPEG 95": jpeg(95),
    "2 % brighter": lambda image: np.clip(image * 1.02, 0, 255).astype(np.uint8),
    "2 % darker": lambda image: (image * 0.98).astype(np.uint8),
    "one pixel to the right": lambda image: np.pad(image, ((0, 0), (1, 0), (0, 0)), mode="edge")[:, :-1],
    "one pixel up": lambda image: np.pad(image, ((0, 1), (0, 0), (0, 0)), mode="edge")[1:],
    "3 % larger": resized(1.03),
    "5 % smaller": resized(0.95),
    "half": resized(0.5),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_recognised(kind: str) -> None:
    image = photo(1)
    comparison = Comparison(np.stack([thumbnail(image), thumbnail(COPIES[kind](image))]))
    assert comparison.candidates(0, 2).tolist() == [[0, 1]]
    assert comparison.same(0, 1)
    assert comparison.share(0, 1) == pytest.approx(comparison.share(1, 0))


def test_pictures_of_one_product_are_not_copies_of_each_other() -> None:
    pictures = np.stack([thumbnail(photo(seed, product=0.7)) for seed in range(6)])
    small = pictures.reshape(6, 16, 8, 16, 8).mean(axis=(2, 4)).reshape(6, -1)
    assert np.corrcoef(small).min() > 0.8, "the pictures are to look alike, or this proves nothing"
    comparison = Comparison(pictures)
    assert not any(comparison.same(a, b) for a in range(6) for b in range(a))


def test_pictures_without_structure_are_not_declared_copies() -> None:
    flat = [np.full((64, 64, 3), grey, dtype=np.uint8) for grey in (20, 128, 129)]
    comparison = Comparison(np.stack([thumbnail(image) for image in flat]))
    assert comparison.candidates(0, 3).tolist() == []
    assert not comparison.same(1, 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (7, 5)])
def test_any_size_makes_a_thumbnail(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), dtype=np.uint8)
    assert thumbnail(image).shape == (128, 128)
    assert thumbnail(image).dtype == np.uint8


def test_candidates_come_in_blocks_without_losing_or_repeating_a_pair() -> None:
    image = thumbnail(photo(1))
    comparison = Comparison(np.stack([image] * 5))
    pairs = [tuple(pair) for start in range(0, 5, 2) for pair in comparison.candidates(start, min(start + 2, 5))]
    assert sorted(pairs) == [(a, b) for a in range(5) for b in range(a + 1, 5)]
