from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from anomaly import Config, Detector, PatchCore
from anomaly.capture import FAULTS
from anomaly.config import BankConfig, CaptureConfig, GeometryConfig
from anomaly.imaging.faults import PLANT
from anomaly.types import UInt8Array
from tests.parts import draw_part, write_part

SMALL = Config(geometry=GeometryConfig(96), bank=BankConfig(max_rows=300))


@pytest.fixture(scope="module")
def detector(trained_model: Path) -> Detector:
    return Detector.load(trained_model, device="cpu")


def test_ordinary_parts_are_not_warned_of(detector: Detector) -> None:
    found = [detector.predict(draw_part(seed)) for seed in range(700, 712)]
    assert [prediction.quality.warnings for prediction in found] == [()] * 12
    assert {prediction.label for prediction in found} == {"undamaged"}


def test_damage_alone_never_makes_a_picture_not_judged(detector: Detector) -> None:
    found = [detector.predict(draw_part(seed, damaged=True)) for seed in range(700, 712)]
    assert {prediction.label for prediction in found} == {"damaged"}


def dark(picture: UInt8Array) -> UInt8Array:
    return (picture * 0.2).astype(np.uint8)


def bright(picture: UInt8Array) -> UInt8Array:
    return np.clip(picture * 2.5, 0, 255).astype(np.uint8)


def blurred(picture: UInt8Array) -> UInt8Array:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(4)))


def noise(picture: UInt8Array) -> UInt8Array:
    return np.random.default_rng(0).integers(0, 256, picture.shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("spoil", "words"), [(dark, "darker"), (bright, "over-exposed"), (blurred, "out of focus"), (noise, "unlike")]
)
def test_what_is_far_out_is_never_undamaged(detector: Detector, spoil: object, words: str) -> None:
    assert callable(spoil)
    found = detector.predict(spoil(draw_part(700)))
    assert found.label == "not judged"
    assert any(words in warning for warning in found.quality.warnings)
    unchecked = dataclasses.replace(detector, capture=None).predict(spoil(draw_part(700)))
    assert unchecked.label in ("undamaged", "damaged")
    assert unchecked.quality.warnings == ()
    assert unchecked.score == found.score


# Not the blur: a seventh of a pixel in pictures as small as these.
@pytest.mark.parametrize("fault", ["darker", "brighter", "nearer", "farther_mirrored", "farther_repeated"])
def test_slight_faults_are_named(detector: Detector, fault: str) -> None:
    assert detector.capture is not None
    assert [one.fault for one in detector.capture.filters] == list(FAULTS)
    found = [detector.predict(PLANT[fault](draw_part(seed))).quality.warnings for seed in range(700, 708)]
    named = [any(FAULTS[fault] in words for words in warnings) for warnings in found]
    assert sum(named) >= 6


def test_it_is_kept_with_the_trained_model(detector: Detector, tmp_path: Path) -> None:
    detector.save(tmp_path / "copy")
    read = Detector.load(tmp_path / "copy", device="cpu")
    for picture in (draw_part(1), dark(draw_part(1))):
        before, after = detector.predict(picture), read.predict(picture)
        assert (after.label, after.quality) == (before.label, before.quality)


@pytest.mark.slow
def test_it_can_be_switched_off(tmp_path: Path) -> None:
    images = [write_part(tmp_path / f"{i}.png", i) for i in range(4)]
    config = dataclasses.replace(SMALL, capture=CaptureConfig(check=False))
    assert PatchCore(config, device="cpu").fit(images).capture is None
    assert PatchCore(SMALL, device="cpu").fit(images).capture is not None
    assert PatchCore(SMALL, device="cpu").fit(images[:2]).capture is None
