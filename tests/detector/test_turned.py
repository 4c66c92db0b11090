from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from anomaly import Config, Detector, PatchCore
from anomaly.config import BankConfig, CaptureConfig, GeometryConfig, PartsConfig
from anomaly.detector.bank_change import with_image
from anomaly.detector.features import Extractor, patch_tags
from anomaly.detector.network_builder import NetworkBuilder
from anomaly.detector.turned import bank_rows, some_turns
from anomaly.imaging.turning import Turn, even_turns
from memory_bank import CoresetBuilder

SMALL = Config(
    geometry=GeometryConfig(128),
    bank=BankConfig(max_rows=2000),
    parts=PartsConfig(find=False),
    capture=CaptureConfig(check=False),
)
SIDE = 128


def _bar(seed: int, angle: float = 0.0) -> npt.NDArray[np.uint8]:
    """Draw a striped bar on grey, as it lies or turned by some angle on an endless support."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y = cosine * columns - sine * rows, sine * columns + cosine * rows
    bar = (np.abs(x) < 45 + random.uniform(-2, 2)) & (np.abs(y) < 18)
    picture = np.where(bar, 170 + 60 * np.sin(x / 2.5), 90.0) + random.normal(0, 4, (SIDE, SIDE))
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bars")
    found = []
    for seed in range(6):
        found.append(folder / f"{seed}.png")
        Image.fromarray(_bar(seed)).save(found[-1])
    return found


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return NetworkBuilder(SMALL, "cpu").build()[0]


def _fit(paths: Sequence[Path], turns: int) -> Detector:
    return PatchCore(replace(SMALL, bank=replace(SMALL.bank, turns=turns)), device="cpu").fit(paths)


@pytest.fixture(scope="module")
def plain(paths: list[Path]) -> Detector:
    return _fit(paths, 1)


@pytest.fixture(scope="module")
def turned(paths: list[Path]) -> Detector:
    return _fit(paths, 8)


def test_without_turns_the_banks_are_those_of_the_patches_as_they_are(plain: Detector, paths: list[Path]) -> None:
    builders = [CoresetBuilder(len(bank), seed=SMALL.seed) for bank in plain.banks]
    for number, path in enumerate(paths):
        view, grids = plain.extractor.embed(np.asarray(Image.open(path)))
        for builder, grid in zip(builders, grids, strict=True):
            builder.add(grid.reshape(-1, grid.shape[-1]), number, patch_tags(view, grid.shape[:2]))
    for builder, bank in zip(builders, plain.banks, strict=True):
        expected = builder.build()
        assert bank.vectors.tobytes() == expected.vectors.tobytes()
        assert np.array_equal(bank.tags, expected.tags)
        assert np.array_equal(bank.groups, expected.groups)


@pytest.mark.parametrize(("height", "width"), [(128, 128), (96, 192)])
def test_tags_map_back_exactly_for_quarter_turns(extractor: Extractor, height: int, width: int) -> None:
    """The patches of a quarter turn are those of the photograph in another order, and so are their tags."""
    image = np.resize(_bar(0), (height, width, 3))
    for turn in even_turns(4)[1:]:
        as_it_is = bank_rows(extractor, image, Turn(), neighbourhood=3)
        for before, after in zip(as_it_is, bank_rows(extractor, image, turn, neighbourhood=3), strict=True):
            assert sorted(map(tuple, after.tags)) == sorted(map(tuple, before.tags))
            gh, gw = (len(np.unique(before.tags[:, axis])) for axis in (1, 0))
            grid = before.tags.reshape(gh, gw, 2)
            assert np.array_equal(np.rot90(grid, turn.quarters).reshape(-1, 2), after.tags)


@pytest.mark.parametrize("degrees", [20, 45, 110, 315])
def test_corners_never_enter_the_bank(extractor: Extractor, degrees: int) -> None:
    height, width = 128, 192
    image = np.resize(_bar(0), (height, width, 3))
    (view,) = extractor.geometry.plan(height, width)
    for rows in bank_rows(extractor, image, Turn(degrees), neighbourhood=3):
        side = 192 / (view.network_width / 8)  # of a patch of the finest tap, in pixels of the photograph
        assert len(rows.tags) == len(rows.vectors)
        if len(rows.tags):
            least = np.minimum(rows.tags, [width - 1, height - 1] - rows.tags).min()
            assert least >= 2.5 * side - 1.5


def test_a_part_at_another_angle_is_nearer_with_turned_copies(plain: Detector, turned: Detector) -> None:
    """Distances, not scores: these are in the unit of the typical undamaged image of each detector."""
    for angle in (23, 90, 158, 290):
        image = _bar(50, angle)
        without, with_turns = (
            [float(grid.max()) for grid in detector.extractor.distances(image, detector.banks, neighbours=1).distance]
            for detector in (plain, turned)
        )
        assert np.all(np.array(with_turns) < np.array(without)), angle


def test_a_photograph_finds_its_turned_rows_under_its_own_number(turned: Detector, paths: list[Path]) -> None:
    for bank in turned.banks:
        assert set(np.unique(bank.groups)) == set(range(len(paths)))
        assert bank.tags.min() >= 0
        assert bank.tags.max() < SIDE
    quarter = np.rot90(_bar(0))
    banks = turned.banks
    near = turned.extractor.distances(quarter, banks, neighbours=1)
    far = turned.extractor.distances(quarter, banks, neighbours=1, exclude_group=0)
    assert min(grid.min() for grid in near.distance) == 0.0
    assert min(grid.min() for grid in far.distance) > 0.0


def test_an_image_that_is_added_is_turned_like_the_others(plain: Detector, turned: Detector, tmp_path: Path) -> None:
    path = tmp_path / "new.png"
    Image.fromarray(255 - _bar(9)).save(path)
    upright = np.rot90(255 - _bar(9))
    without, with_turns = (
        with_image(detector, path).score(upright) / with_image(detector, path).score(255 - _bar(9))
        for detector in (plain, turned)
    )
    assert with_turns < 0.8 * without


def test_an_image_that_is_added_has_the_part_type_that_it_looks_like(plain: Detector, tmp_path: Path) -> None:
    types = ["bars"] * 5 + ["others"]
    images = tuple(replace(its, part_type=kind) for its, kind in zip(plain.bank_images, types, strict=True))
    path = tmp_path / "new.png"
    Image.fromarray(_bar(50)).save(path)
    assert with_image(replace(plain, bank_images=images), path).bank_images[-1].part_type == "bars"
    assert with_image(plain, path).bank_images[-1].part_type == ""


def test_neighbouring_images_take_other_turns_and_together_all() -> None:
    turns = even_turns(16)
    assert some_turns(turns, 3, 16) == turns
    chosen = [some_turns(turns, number, 3) for number in range(8)]
    assert all(len(set(its)) == 3 for its in chosen)
    assert {turn for its in chosen for turn in its} == set(turns)
