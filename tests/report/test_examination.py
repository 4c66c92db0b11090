"""The test split judged once, and every photograph measured."""

from __future__ import annotations

from pathlib import Path

import pytest

import anomaly.report.examination
from anomaly.detector import load_detector
from anomaly.imaging import measure_quality
from anomaly.imaging.decode import load_image
from anomaly.report import examine, find_photographs


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
