"""The test split judged once, and every photograph measured."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import anomaly.report.examination
from anomaly.detector import load_detector
from anomaly.imaging import measure_quality
from anomaly.imaging.decode import load_image
from anomaly.report import examine, find_photographs
from anomaly.report.examination import meets
from anomaly.types import DAMAGED


def test_a_photograph_that_was_judged_is_measured_without_being_opened_again(
    trained_model: Path, parts_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def spy(path, *, limits):
        opened.append(path)
        return load_image(path, limits=limits)

    monkeypatch.setattr(anomaly.report.examination, "load_image", spy)
    detector = load_detector(trained_model, device="cpu")
    splits = detector.provenance.splits
    photographs = find_photographs(parts_folder, splits)
    results, judged = examine(detector, photographs, training="abc", data="parts")
    test = {photographs[entry.sha256].path for entry in splits if entry.split == "test"}
    assert test == {image.path for image in judged.values()}
    assert sorted(opened) == sorted({image.path for image in photographs.values()} - test)
    assert [row.name for row in results.capture] == [entry.name for entry in splits]
    for row, entry in zip(results.capture, splits, strict=True):
        quality = measure_quality(load_image(photographs[entry.sha256].path, limits=detector.config.image))
        assert (row.width, row.height, row.brightness, row.contrast, row.sharpness) == (
            quality.width, quality.height, quality.brightness, quality.contrast, quality.sharpness
        )  # fmt: skip


def test_marks_meet_damage_where_they_share_a_pixel() -> None:
    marks = np.zeros((8, 10), dtype=np.float32)
    marks[2:4, 2:5] = 1.0
    mask = np.zeros((8, 10), dtype=np.bool_)
    mask[4:6, 5:8] = True  # they touch at a corner
    assert not meets(marks, mask, threshold=0.5)
    mask[3, 4] = True
    assert meets(marks, mask, threshold=0.5)
    assert not meets(marks, mask, threshold=1.0)
    doubled = mask.repeat(2, axis=0).repeat(2, axis=1)
    assert meets(marks, doubled, threshold=0.5)


def test_whether_it_marks_the_damage_is_recorded_for_what_was_found_and_has_a_mask(
    trained_model: Path, parts_folder: Path, tmp_path: Path
) -> None:
    detector = load_detector(trained_model, device="cpu")
    photographs = find_photographs(parts_folder, detector.provenance.splits)
    corner, whole = np.zeros((96, 96), dtype=np.uint8), np.full((96, 96), 255, dtype=np.uint8)
    corner[0, 0] = 255
    for name, pixels, met in (("corner", corner, False), ("whole", whole, True)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        masked = {
            sha256: dataclasses.replace(image, mask=tmp_path / f"{name}.png") if image.label == DAMAGED else image
            for sha256, image in photographs.items()
        }
        results, _ = examine(detector, masked, training="abc", data="parts")
        found = [image.met for image in results.images if image.verdict == image.label == DAMAGED]
        assert found
        assert set(found) == {met}
        assert {image.met for image in results.images if DAMAGED not in (image.verdict, image.label)} == {None}
    results, _ = examine(detector, photographs, training="abc", data="parts")
    assert {image.met for image in results.images if image.damaged_px is None} <= {None}
