"""Several images at a time: the same verdicts, in order, failed ones among them, and few images held."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from anomaly.detector import Detector, load_detector, pipeline, predict_all
from anomaly.errors import ImageError
from anomaly.types import Prediction
from tests.parts import write_part


@pytest.fixture(scope="module")
def detector(trained_model: Path) -> Detector:
    return load_detector(trained_model, device="cpu")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("many")
    return [write_part(folder / f"{i:02d}.png", i, damaged=i % 3 == 0, side=80 + 8 * (i % 4)) for i in range(16)]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "cores", lambda: 2)


def _same(one: Prediction | ImageError, other: Prediction | ImageError) -> bool:
    if isinstance(one, ImageError) or isinstance(other, ImageError):
        return str(one) == str(other)
    assert np.array_equal(one.anomaly_map, other.anomaly_map)
    return (one.path, one.label, one.score, one.regions, one.nearest, one.quality) == (
        other.path, other.label, other.score, other.regions, other.nearest, other.quality,
    )  # fmt: skip


@pytest.mark.parametrize("workers", [2, 5])
def test_the_same_as_one_at_a_time_in_the_same_order(detector: Detector, photographs: list[Path], workers: int) -> None:
    together = list(predict_all(detector, photographs, workers=workers))
    assert len(together) == len(photographs)
    for path, found in zip(photographs, together, strict=True):
        assert _same(found, detector.predict(path))


def test_what_cannot_be_read_stands_in_its_place(detector: Detector, photographs: list[Path], tmp_path: Path) -> None:
    paths = [*photographs[:3], tmp_path / "missing.png", *photographs[3:7], tmp_path]
    found = list(predict_all(detector, paths))
    assert [isinstance(each, ImageError) for each in found] == [False] * 3 + [True] + [False] * 4 + [True]
    assert "missing.png" in str(found[3])


class _Counting:
    """Judges nothing; counts images that were begun and not yet taken, and threads that began them."""

    def __init__(self) -> None:
        self.lock, self.begun, self.threads = threading.Lock(), 0, set[str]()

    def __call__(self, detector: Detector, path: Path | str, part_type: str) -> str:
        with self.lock:
            self.begun += 1
            self.threads.add(threading.current_thread().name)
        return str(path)


def test_few_images_are_held_however_many_there_are(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = _Counting()
    monkeypatch.setattr(pipeline, "_predict", counting)
    for taken, _ in enumerate(predict_all(detector, [str(i) for i in range(300)], workers=3)):
        assert counting.begun - taken <= 2 * 3
    assert counting.begun == 300


def test_closing_begins_no_more_images_and_leaves_no_thread(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = _Counting()
    monkeypatch.setattr(pipeline, "_predict", counting)
    with closing(predict_all(detector, [str(i) for i in range(300)], workers=3)) as found:
        next(found)
    assert counting.begun <= 2 * 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("judging")]


def test_threads_begin_once_an_image_was_judged(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    at: dict[str, str] = {}

    def judged(detector: Detector, path: Path | str, part_type: str) -> object:
        at[str(path)] = threading.current_thread().name
        return ImageError("no image") if int(path) < 3 else path  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "_predict", judged)
    assert len(list(predict_all(detector, [str(i) for i in range(9)]))) == 9
    own = threading.current_thread().name
    assert [at[str(i)] == own for i in range(9)] == [True] * 4 + [False] * 5


def test_an_unexpected_error_is_not_swallowed(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(detector: Detector, path: Path | str, part_type: str) -> object:
        if path == "3":
            raise RuntimeError(str(path))
        return path

    monkeypatch.setattr(pipeline, "_predict", broken)
    with pytest.raises(RuntimeError, match="3"):
        list(predict_all(detector, [str(i) for i in range(9)]))


@pytest.mark.parametrize(("images", "cores", "workers"), [(4, 2, None), (9, 1, None), (9, 2, 1)])
def test_few_images_or_one_core_start_no_thread(
    images: int, cores: int, workers: int | None, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = _Counting()
    monkeypatch.setattr(pipeline, "_predict", counting)
    monkeypatch.setattr(pipeline, "cores", lambda: cores)
    assert len(list(predict_all(detector, [str(i) for i in range(images)], workers=workers))) == images
    assert counting.threads == {threading.current_thread().name}
