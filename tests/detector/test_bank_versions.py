from __future__ import annotations

from pathlib import Path

import pytest

from anomaly.detector.bank_versions import (
    FILE,
    BankVersion,
    BankVersions,
    bring_back,
    plain_name,
    put_aside,
    read_versions,
)
from anomaly.errors import TrainedModelCorruptError


def test_each_calibration_has_its_bank() -> None:
    versions = BankVersions.of_one(2)
    versions = versions.changed(BankVersion(2, "learn-good", ("a.png",), "2026-01-02T03:04:05+00:00", "r"))
    assert [versions.of(calibration) for calibration in (1, 2, 3)] == [1, 1, 2]
    assert versions.calibrated(5, standing=3).of_calibration == (1, 1, 2, 2, 2)
    assert versions.calibrated(4, standing=1).of_calibration == (1, 1, 2, 1)
    assert versions.calibrated(3, standing=1) == versions


def test_text_and_back(tmp_path: Path) -> None:
    versions = BankVersions.of_one(1).changed(BankVersion(2, "forget", ("ü.png", "b"), "2026-01-02T03:04:05+00:00"))
    assert read_versions(tmp_path, 2) is None
    (tmp_path / FILE).write_text(versions.to_json())
    assert read_versions(tmp_path, 2) == versions


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"versions": [], "of_calibration": [1]}',
        '{"versions": [{"version": 2}], "of_calibration": [2]}',
    ],
)
def test_what_was_not_written_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(TrainedModelCorruptError):
        read_versions(tmp_path, 1)


def test_a_file_that_does_not_fit_the_calibrations_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(BankVersions.of_one(2).to_json())
    with pytest.raises(TrainedModelCorruptError, match="does not fit the calibrations"):
        read_versions(tmp_path, 3)


def test_a_bank_goes_aside_and_comes_back(tmp_path: Path) -> None:
    hashes = {"bank/t/vectors.npy": "a", "bank/images.json": "b", "thumbnails/0000.jpg": "c", "splits.csv": "d"}
    for name in hashes:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    aside = put_aside(tmp_path, 3, hashes)
    assert aside == {
        "earlier/0003/bank/t/vectors.npy": "a",
        "earlier/0003/bank/images.json": "b",
        "earlier/0003/thumbnails/0000.jpg": "c",
        "splits.csv": "d",
    }
    assert all((tmp_path / name).read_text() == plain_name(name) for name in aside)
    assert not (tmp_path / "bank").exists()
    assert bring_back(tmp_path, 3, aside) == hashes
    assert all((tmp_path / name).read_text() == name for name in hashes)
    assert not list((tmp_path / "earlier").iterdir())
