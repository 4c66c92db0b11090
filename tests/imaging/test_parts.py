"""The part finder on drawn trays."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from anomaly.errors import ImageError, NoPartsError, PartFinderError
from anomaly.imaging import PartFinder, fit_part_finder, part_fitting
from anomaly.imaging._separation import Shape, separate
from anomaly.types import BoolArray, Float64Array, UInt8Array

HEIGHT, WIDTH = 300, 360
Disc = tuple[float, float]
Bar = tuple[float, float, float]


def disc(x: float, y: float, radius: float = 30, *, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> BoolArray:
    row, column = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(np.hypot(row - y, column - x) <= radius)


def bar(x: float, y: float, angle: float, *, length: float = 80, width: float = 22) -> BoolArray:
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    along = (column - x) * math.cos(angle) + (row - y) * math.sin(angle)
    across = (row - y) * math.cos(angle) - (column - x) * math.sin(angle)
    return np.asarray((abs(along) <= length / 2) & (abs(across) <= width / 2))


def photograph(
    parts: list[BoolArray], *, seed: int = 0, light: float = 1.0, slope: float = 0.0, tray: float = 90.0
) -> UInt8Array:
    """Parts with grain, stripes and a hole's worth of shade on a grainy tray; light from one side if asked for."""
    random = np.random.default_rng(seed)
    height, width = parts[0].shape if parts else (HEIGHT, WIDTH)
    row, column = np.mgrid[:height, :width]
    picture: Float64Array = tray + random.normal(0, 3, (height, width))
    for part in parts:
        surface = 175 + 18 * np.sin(0.8 * row + 0.5 * column) + random.normal(0, 6, (height, width))
        picture = np.where(part, surface, picture)
    picture = picture * light * (1 + slope * (column / width - 0.5))
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def scattered(seed: int, *, n: int = 6) -> list[Disc]:
    """Centres that lie apart."""
    random = np.random.default_rng(seed)
    centres: list[Disc] = []
    while len(centres) < n:
        x, y = random.uniform(40, WIDTH - 40), random.uniform(40, HEIGHT - 40)
        if all(math.hypot(x - a, y - b) > 72 for a, b in centres):
            centres.append((x, y))
    return centres


def discs(seed: int, **light: Any) -> UInt8Array:
    return photograph([disc(x, y) for x, y in scattered(seed)], seed=seed, **light)


@pytest.fixture(scope="module")
def finder() -> PartFinder:
    return fit_part_finder(discs(seed, light=0.8 + 0.05 * seed) for seed in range(8))


@pytest.fixture(scope="module")
def bar_finder() -> PartFinder:
    pictures = []
    for seed in range(8):
        angles = np.random.default_rng(100 + seed).uniform(-1.5, 1.5, 4)
        pictures.append([bar(x, y, a) for (x, y), a in zip(grid_places(), angles, strict=True)])
    return fit_part_finder(photograph(parts, seed=seed) for seed, parts in enumerate(pictures))


def grid_places() -> list[Disc]:
    return [(90.0, 80.0), (250.0, 90.0), (100.0, 210.0), (260.0, 220.0)]


def test_discs_are_counted_and_outlined_to_a_few_pixels(finder: PartFinder) -> None:
    centres = scattered(50)
    found = finder.find(discs(50))
    assert len(found.parts) == 6
    assert (finder.fewest, finder.typical, finder.most) == (6, 6, 6)
    assert finder.confidence > 0.8
    left, labels = list(centres), found.label_grid(HEIGHT, WIDTH)
    for part in found.parts:
        x, y, width, height = part.box
        nearest = min(left, key=lambda c: math.hypot(c[0] - x - width / 2, c[1] - y - height / 2))
        left.remove(nearest)
        assert math.hypot(nearest[0] - x - width / 2, nearest[1] - y - height / 2) < 4
        assert width == pytest.approx(61, abs=9)
        assert height == pytest.approx(61, abs=9)
        assert part.area_px == pytest.approx(math.pi * 900, rel=0.25)
        assert not part.cut_off
        truth = disc(*nearest)
        assert ((labels == part.number) & truth).sum() > 0.95 * truth.sum()


def test_parts_are_numbered_from_top_to_bottom_and_the_label_grid_agrees(finder: PartFinder) -> None:
    found = finder.find(discs(51))
    corners = [(part.box[1], part.box[0]) for part in found.parts]
    assert corners == sorted(corners)
    labels = found.label_grid(HEIGHT, WIDTH)
    assert labels.shape == (HEIGHT, WIDTH)
    assert labels.dtype == np.int32
    assert sorted(np.unique(labels)) == list(range(len(found.parts) + 1))
    for part in found.parts:
        mask = labels == part.number
        rows, columns = np.nonzero(mask)
        x, y, width, height = part.box
        assert x <= columns.min()
        assert columns.max() < x + width
        assert y <= rows.min()
        assert rows.max() < y + height
        assert mask.sum() == pytest.approx(part.area_px, rel=0.05)


@pytest.mark.parametrize(("light", "slope"), [(0.6, 0.0), (1.3, 0.0), (1.0, 0.5), (0.9, -0.6)])
def test_light_may_change_and_fall_from_one_side(finder: PartFinder, light: float, slope: float) -> None:
    assert len(finder.find(discs(52, light=light, slope=slope)).parts) == 6


@pytest.mark.parametrize("gap", [58, 48, 40])
def test_touching_and_overlapping_discs_are_told_apart(finder: PartFinder, gap: float) -> None:
    parts = [disc(80, 80), disc(80 + gap, 95), disc(250, 200), disc(250, 200 + gap), disc(300, 60)]
    found = finder.find(photograph(parts, seed=3))
    assert len(found.parts) == 5


def test_three_discs_in_a_row_and_four_in_a_square(finder: PartFinder) -> None:
    row = [disc(60 + 57 * i, 70) for i in range(3)]
    square = [disc(200 + 58 * i, 170 + 58 * j) for i in range(2) for j in range(2)]
    assert len(finder.find(photograph(row + square, seed=4)).parts) == 7


def test_bars_at_any_angle_are_found_and_touching_ones_are_told_apart(bar_finder: PartFinder) -> None:
    angles = [0.0, 0.7, -0.7, math.pi / 2]
    found = bar_finder.find(photograph([bar(x, y, a) for (x, y), a in zip(grid_places(), angles, strict=True)], seed=9))
    assert len(found.parts) == 4
    corner = [bar(120, 80, 0.0), bar(172, 110, math.pi / 2), bar(100, 220, 0.4)]
    assert len(bar_finder.find(photograph(corner, seed=10)).parts) == 3


def test_foreground_of_many_times_a_part_stays_one_piece() -> None:
    """Texture that was taken for parts; dividing it into hundreds would take seconds for each picture."""
    shape = Shape(area=60.0, length=(8.0, 12.0), width=(6.0, 9.0), misfit=0.1)
    mask = np.zeros((200, 200), dtype=np.bool_)
    mask[10:30, 10:22] = True
    mask[60:180, 60:180] = True
    labels = separate(mask, shape)
    assert len(np.unique(labels[10:30, 10:22])) > 1
    assert len(np.unique(labels[60:180, 60:180])) == 1


def test_an_empty_tray_has_no_parts(finder: PartFinder) -> None:
    found = finder.find(photograph([], seed=5))
    assert found.parts == ()
    assert not found.label_grid(HEIGHT, WIDTH).any()


def test_a_part_at_the_border_is_marked_and_stays_inside(finder: PartFinder) -> None:
    found = finder.find(photograph([disc(10, 150), disc(180, 150)], seed=6))
    assert [part.cut_off for part in found.parts] == [True, False]
    assert found.parts[0].box[0] == 0


def test_pictures_of_another_size_show_the_same_parts(finder: PartFinder) -> None:
    image = discs(53)
    large = np.repeat(np.repeat(image, 3, axis=0), 3, axis=1)
    small, found = finder.find(image), finder.find(large)
    assert len(found.parts) == len(small.parts) == 6
    for one, other in zip(small.parts, found.parts, strict=True):
        assert other.area_px == pytest.approx(9 * one.area_px, rel=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (1, 900), (700, 5), (17, 33)])
def test_every_size_can_be_searched(finder: PartFinder, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    found = finder.find(image)
    assert found.label_grid(*shape).shape == shape
    for part in found.parts:
        x, y, width, height = part.box
        assert 0 <= x < x + width <= shape[1]
        assert 0 <= y < y + height <= shape[0]


def test_the_same_pictures_give_the_same_finder_and_the_same_parts(finder: PartFinder) -> None:
    again = fit_part_finder(discs(seed, light=0.8 + 0.05 * seed) for seed in range(8))
    assert again == finder
    image = discs(54)
    assert again.find(image).parts == finder.find(image).parts


def test_compartments_are_found_and_keep_their_parts_apart() -> None:
    def tray(seed: int) -> UInt8Array:
        random = np.random.default_rng(seed)
        cells = []
        for _ in range(9):
            x, y, radius = random.uniform(45, 55), random.uniform(45, 55), random.uniform(28, 38)
            part = disc(x, y, radius, shape=(100, 100))
            cells.append(photograph([part], seed=int(random.integers(1 << 30)), tray=random.uniform(30, 235)))
        return np.concatenate([np.concatenate(cells[i : i + 3], axis=1) for i in (0, 3, 6)], axis=0)

    finder = fit_part_finder(tray(seed) for seed in range(10))
    assert finder.compartments.columns == pytest.approx((1 / 3, 2 / 3), abs=0.01)
    assert finder.compartments.rows == pytest.approx((1 / 3, 2 / 3), abs=0.01)
    assert finder.one_each
    found = finder.find(tray(99))
    assert len(found.parts) == 9
    middles = [(x + width / 2, y + height / 2) for x, y, width, height in (part.box for part in found.parts)]
    assert sorted((x // 100, y // 100) for x, y in middles) == [(i, j) for i in range(3) for j in range(3)]


def refusal(pictures: list[UInt8Array]) -> str:
    with pytest.raises(NoPartsError) as caught:
        fit_part_finder(pictures)
    assert "\n" not in str(caught.value)
    assert caught.value.reason in str(caught.value)
    return caught.value.reason


def test_one_part_a_picture_is_judged_whole() -> None:
    pictures = [photograph([disc(180 + seed, 150, 80)], seed=seed) for seed in range(6)]
    assert refusal(pictures).startswith("most of the undamaged images show one part, covering ")


def test_a_part_that_fills_the_picture_is_judged_whole() -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(90, 180, (HEIGHT, WIDTH, 3)).astype(np.uint8) for _ in range(6)]
    assert refusal(pictures)


def test_empty_trays_teach_nothing() -> None:
    assert refusal([np.full((HEIGHT, WIDTH, 3), 90 + seed, dtype=np.uint8) for seed in range(6)])
    assert refusal([photograph([], seed=seed) for seed in range(6)])


def test_too_few_pictures_are_counted() -> None:
    assert refusal([discs(seed) for seed in range(3)]).startswith("3 undamaged images are too few")
    assert refusal([]).startswith("0 undamaged images")


def test_of_many_pictures_few_are_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_fitting, "MOST_IMAGES", 4)
    pictures = [discs(seed) for seed in range(14)]
    assert fit_part_finder(iter(pictures)) == fit_part_finder(pictures[::4])


def test_arrays_that_are_no_images_are_refused(finder: PartFinder) -> None:
    with pytest.raises(ImageError, match="expected an RGB image"):
        finder.find(np.zeros((10, 10), dtype=np.uint8))
    with pytest.raises(ImageError, match="expected an RGB image"):
        fit_part_finder([np.zeros((10, 10, 3), dtype=np.float32)])  # type: ignore[list-item]


def test_a_finder_survives_json(finder: PartFinder) -> None:
    text = json.dumps(finder.to_dict(), allow_nan=False)
    again = PartFinder.from_dict(json.loads(text))
    assert again == finder
    assert PartFinder.from_dict(finder.to_dict()) == finder
    image = discs(55)
    assert again.find(image).parts == finder.find(image).parts


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rule",), [1.0, 2.0]),
        (("rule",), "much"),
        (("confidence",), "high"),
        (("confidence",), 1.5),
        (("typical",), 2.5),
        (("fewest",), True),
        (("fewest",), 99),
        (("one_each",), 1),
        (("shape",), None),
        (("shape", "area"), 0.0),
        (("shape", "area"), float("nan")),
        (("shape", "length"), [90.0, 60.0]),
        (("shape", "misfit"), -0.1),
        (("compartments", "rows"), [0.5, 0.2]),
        (("compartments", "columns"), [1.0]),
        (("compartments", "depth"), [0.5]),
        (("colour",), "red"),
    ],
)
def test_a_spoilt_finder_is_refused(finder: PartFinder, path: tuple[str, ...], value: object) -> None:
    spoilt = json.loads(json.dumps(finder.to_dict()))
    inner = spoilt
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(PartFinderError, match="restore the trained model from a copy") as caught:
        PartFinder.from_dict(spoilt)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["rule", "shape", "confidence"])
def test_a_finder_with_a_field_missing_is_refused(finder: PartFinder, missing: str) -> None:
    spoilt = finder.to_dict()
    del spoilt[missing]
    with pytest.raises(PartFinderError):
        PartFinder.from_dict(spoilt)
