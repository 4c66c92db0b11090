"""A verdict on each of several parts in a picture."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly import Config, Detector, PatchCore
from anomaly.config import BankConfig, CaptureConfig, GeometryConfig, PartsConfig
from anomaly.dataset import LabelledImage
from anomaly.detector.part_view import PartView, describe, from_text, learn_parts, to_text
from anomaly.types import UInt8Array
from tests.parts import write_part

CONFIG = Config(geometry=GeometryConfig(192), bank=BankConfig(max_rows=600), capture=CaptureConfig(check=False))
PLACES = [(60.0 + 100 * column, 60.0 + 90 * row) for row in range(2) for column in range(3)]


def tray(seed: int, *, damaged: int | None = None) -> UInt8Array:
    """Six discs on a grainy tray; one with a dark blob if asked for, (200, 320, 3)."""
    random = np.random.default_rng(seed)
    row, column = np.mgrid[:200, :320]
    picture = 90 + random.normal(0, 3, (200, 320))
    for number, (x, y) in enumerate(PLACES):
        dx, dy = random.uniform(-6, 6, 2)
        x, y = x + dx, y + dy
        inside = np.hypot(row - y, column - x) <= 30
        picture = np.where(inside, 175 + random.normal(0, 6, picture.shape), picture)
        if number == damaged:
            picture = np.where(np.hypot(row - y - 12, column - x) <= 8, 20.0, picture)
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def write_tray(folder: Path, seed: int, *, damaged: int | None = None) -> LabelledImage:
    path = folder / f"{seed}.png"
    Image.fromarray(tray(seed, damaged=damaged)).save(path)
    return LabelledImage(path, path.name, "undamaged" if damaged is None else "damaged")


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    folder = tmp_path_factory.mktemp("trays")
    bank = [write_tray(folder, seed).path for seed in range(8)]
    validation = [write_tray(folder, seed) for seed in range(20, 26)]
    validation += [write_tray(folder, seed, damaged=seed % 6) for seed in range(30, 36)]
    return PatchCore(CONFIG, device="cpu").fit(bank).calibrate(validation)


def test_the_damaged_part_is_named_and_no_other(detector: Detector) -> None:
    for seed, damaged in ((50, 1), (51, 4)):
        found = detector.predict(tray(seed, damaged=damaged))
        assert found.label == "damaged"
        assert found.parts is not None
        assert len(found.parts) == 6
        (part,) = (part for part in found.parts if part.label == "damaged")
        assert part.score == pytest.approx(found.score)
        assert abs(part.x + part.width / 2 - PLACES[damaged][0]) < 10
        assert abs(part.y + part.height / 2 - PLACES[damaged][1]) < 10
        assert not part.cut_off


def test_the_parts_of_an_undamaged_picture_are_not_looked_for(detector: Detector) -> None:
    found = detector.predict(tray(60))
    assert found.label == "undamaged"
    assert found.parts is None


def test_what_was_learnt_is_kept_with_the_trained_model(detector: Detector, tmp_path: Path) -> None:
    detector.save(tmp_path / "copy")
    read = Detector.load(tmp_path / "copy", device="cpu")
    assert read.part_views == detector.part_views
    assert read.predict(tray(50, damaged=1)).parts == detector.predict(tray(50, damaged=1)).parts
    assert "6 to 6 parts in an undamaged picture, usually 6" in (tmp_path / "copy" / "card.md").read_text()


def test_a_picture_of_one_part_is_judged_whole_and_says_so(trained_model: Path) -> None:
    views = Detector.load(trained_model, device="cpu").part_views
    assert views[""].finder is None
    assert describe(views)[0].startswith("parts: judged as a whole picture: ")


@pytest.mark.slow
def test_it_can_be_switched_off(tmp_path: Path) -> None:
    images = [write_part(tmp_path / f"{i}.png", i) for i in range(4)]
    config = dataclasses.replace(CONFIG, parts=PartsConfig(find=False))
    assert PatchCore(config, device="cpu").fit(images).part_views == {}


def small_tray(seed: int, *, damaged: int | None = None) -> UInt8Array:
    """Another part type: the same tray with twelve discs of half the size."""
    random = np.random.default_rng(seed)
    row, column = np.mgrid[:200, :320]
    picture = 90 + random.normal(0, 3, (200, 320))
    for number in range(12):
        x, y = 40 + 80 * (number % 4) + random.uniform(-6, 6), 35 + 65 * (number // 4) + random.uniform(-6, 6)
        picture = np.where(np.hypot(row - y, column - x) <= 15, 230 + random.normal(0, 6, picture.shape), picture)
        if number == damaged:
            picture = np.where(np.hypot(row - y, column - x) <= 6, 20.0, picture)
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.slow
def test_each_part_type_is_found_at_its_own_size_also_when_nobody_names_it(tmp_path: Path) -> None:
    paths, types = [], []
    for seed in range(8):
        paths.append(write_tray(tmp_path, seed).path)
        paths.append(tmp_path / f"small{seed}.png")
        Image.fromarray(small_tray(seed)).save(paths[-1])
        types += ["large", "small"]
    fitted = PatchCore(CONFIG, device="cpu").fit(paths, part_types=types)
    assert [line.split(":")[0] for line in describe(fitted.part_views)] == ["parts of large", "parts of small"]
    validation = [write_tray(tmp_path, seed) for seed in range(20, 24)]
    validation += [write_tray(tmp_path, seed, damaged=seed % 6) for seed in range(30, 34)]
    detector = fitted.calibrate(validation)
    for part_type in ("", "small"):
        found = detector.predict(small_tray(60, damaged=5), part_type=part_type)
        assert found.parts is not None
        assert len(found.parts) == 12
        assert sum(part.label == "damaged" for part in found.parts) == 1
    large = detector.predict(tray(60, damaged=5)).parts
    assert large is not None
    assert len(large) == 6


@pytest.mark.slow
def test_progress_is_told_and_many_images_are_thinned_out(tmp_path: Path) -> None:
    paths = [write_tray(tmp_path, seed).path for seed in range(4)] * 10
    told: list[tuple[str, int, int]] = []
    views = learn_parts(paths, [""] * 40, limits=CONFIG.image, progress=lambda *step: told.append(step))
    assert told == [("finding parts", n, 20) for n in range(1, 21)]
    assert views[""].finder is not None


@pytest.mark.parametrize(
    "text", ["[]", '{"": {}}', '{"": {"reason": 1, "finder": null}}', '{"": {"reason": "", "finder": {}}}']
)
def test_a_file_that_holds_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"parts\.json holds"):
        from_text(text)


def test_a_reason_alone_survives_the_file() -> None:
    views = {"gears": PartView(None, "one part, covering 64 % of the picture")}
    assert from_text(to_text(views)) == views
    assert json.loads(to_text(views))["gears"]["finder"] is None
