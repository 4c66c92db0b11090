from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from io import BufferedReader
from pathlib import Path

import numpy as np
import pytest

from anomaly.config import ImageConfig
from anomaly.dataset import LabelledImage, find_duplicates
from anomaly.errors import LabelConflictError
from anomaly.imaging import decode
from anomaly.types import Label
from tests.dataset.conftest import save
from tests.dataset.test_fingerprint import photo


def image(path: Path, label: Label = "undamaged") -> LabelledImage:
    return LabelledImage(path, path.name, label)


def test_equal_bytes_and_equal_pixels_are_exact_copies(tmp_path: Path) -> None:
    pixels = photo(1)
    a = save(tmp_path / "a.png", pixels)
    b = tmp_path / "b.png"
    b.write_bytes(a.read_bytes())
    c = save(tmp_path / "c.bmp", pixels)
    d = save(tmp_path / "d.png", photo(2))
    report = find_duplicates([image(path) for path in (a, b, c, d)])
    assert [(cluster.names, cluster.kind) for cluster in report.clusters] == [(("a.png", "b.png", "c.bmp"), "exact")]
    assert report.sha256["d.png"] == hashlib.sha256(d.read_bytes()).hexdigest()
    assert report.sha256["a.png"] == report.sha256["b.png"] != report.sha256["c.bmp"]
    assert report.notices == ()


def test_each_image_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [save(tmp_path / f"{i}.png", photo(i)) for i in range(3)]
    opened: list[Path] = []
    real = decode.open_file

    def spy(path: Path, *, max_megabytes: float | None) -> AbstractContextManager[BufferedReader]:
        opened.append(path)
        return real(path, max_megabytes=max_megabytes)

    monkeypatch.setattr(decode, "open_file", spy)
    find_duplicates([image(path) for path in paths])
    assert sorted(opened) == paths


def test_near_duplicates_are_found_once_beside_exact_ones(tmp_path: Path) -> None:
    paths = [
        save(tmp_path / "a.png", photo(1)),
        save(tmp_path / "again.jpg", photo(1), quality=75),
        save(tmp_path / "copy.png", photo(1)),
        save(tmp_path / "other.png", photo(2)),
    ]
    report = find_duplicates([image(path) for path in paths])
    assert [cluster.names for cluster in report.exact] == [("a.png", "copy.png")]
    assert [cluster.names for cluster in report.near] == [("a.png", "again.jpg")]
    assert find_duplicates([image(path) for path in paths], near=False).near == ()


def test_a_copy_under_both_labels_is_refused_with_all_paths(tmp_path: Path) -> None:
    a = save(tmp_path / "good.png", photo(1))
    b = save(tmp_path / "bad.bmp", photo(1))
    with pytest.raises(LabelConflictError) as caught:
        find_duplicates([image(a), image(b, "damaged")])
    assert caught.value.paths == ("good.png", "bad.bmp")
    assert "good.png (undamaged), bad.bmp (damaged)" in str(caught.value)


def test_a_scratched_twin_is_a_notice_and_no_error(tmp_path: Path) -> None:
    scratched = photo(1).copy()
    scratched[100:103, 200:230] = 255
    a = save(tmp_path / "good.png", photo(1))
    b = save(tmp_path / "scratched.png", scratched)
    report = find_duplicates([image(a), image(b, "damaged")])
    (cluster,) = report.near
    assert cluster.labels == {"undamaged", "damaged"}
    assert any("both labels" in notice and "scratched.png" in notice for notice in report.notices)


def test_what_cannot_be_read_is_listed_and_stops_nothing(tmp_path: Path) -> None:
    good = save(tmp_path / "good.png", photo(1))
    broken = tmp_path / "broken.png"
    broken.write_bytes(good.read_bytes()[:500])
    missing = tmp_path / "missing.png"
    report = find_duplicates([image(path) for path in (broken, good, missing)])
    assert list(report.sha256) == ["good.png"]
    assert set(report.unreadable) == {"broken.png", "missing.png"}
    assert "truncated or corrupt" in report.unreadable["broken.png"]
    tight = find_duplicates([image(good)], limits=ImageConfig(max_megapixels=0.1))
    assert "megapixels" in tight.unreadable["good.png"]


def test_progress_counts_every_image(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{i}.png", np.full((4, 4, 3), i, dtype=np.uint8)) for i in range(5)]
    seen: list[tuple[int, int]] = []
    find_duplicates([image(path) for path in paths], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 5) for i in range(1, 6)]


def test_no_images_no_duplicates() -> None:
    assert find_duplicates([]).clusters == ()
