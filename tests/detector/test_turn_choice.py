from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from anomaly.config import BankConfig, Config, GeometryConfig, SelectionConfig
from anomaly.dataset import LabelledImage
from anomaly.detector.selection import Selection
from anomaly.detector.turn_choice import _losses_while_they_fall, choose_turns
from anomaly.types import DAMAGED, UNDAMAGED, Float64Array

CONFIG = Config(
    geometry=GeometryConfig(96),
    bank=BankConfig(max_rows=300),
    selection=SelectionConfig(sizes=(96,), smoothing=(0.5,), top_share=(0.01,), turns=(4,)),
)
GIVEN = Selection(CONFIG, ("as given.",))


def _draw(seed: int, quarters: int, *, damaged: bool) -> np.ndarray:
    """Draw a striped bar on grey that lies at some quarter turn, with a faint blob where damaged."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:96, 0:96]
    bar = (abs(columns - 48 + random.integers(-3, 4)) < 38) & (abs(rows - 40) < 14)
    picture = np.where(bar, 170 + 60 * np.sin(columns / 2.5), 90.0)
    if damaged:
        y, x = random.integers(34, 46), random.integers(20, 70)
        picture[y - 4 : y + 4, x - 4 : x + 4] = 120
    picture = np.rot90(picture + random.normal(0, 3, (96, 96)), quarters)
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Return bank images as they lie in one pose and validation images at any quarter turn."""
    folder = tmp_path_factory.mktemp("bars")

    def write(seed: int, quarters: int, label: str) -> LabelledImage:
        path = folder / f"{seed}.png"
        Image.fromarray(_draw(seed, quarters, damaged=label == DAMAGED)).save(path)
        return LabelledImage(path, path.name, DAMAGED if label == DAMAGED else UNDAMAGED)

    bank = [write(seed, 0, UNDAMAGED) for seed in range(10)]
    good = [write(100 + seed, seed, UNDAMAGED) for seed in range(12)]
    return bank, good + [write(200 + seed, seed, DAMAGED) for seed in range(12)]


def test_parts_at_any_angle_call_for_turned_copies(images) -> None:
    bank, validation = images
    said: list[tuple[str, int, int]] = []
    found = choose_turns(
        GIVEN, bank=bank, validation=validation, device="cpu", progress=lambda *told: said.append(told)
    )
    assert found.config == replace(CONFIG, bank=replace(CONFIG.bank, turns=4))
    assert found.reasons[0] == "as given."
    assert found.reasons[1].startswith("chosen: each training image goes into the memory bank at 4 angles")
    assert said[-1] == ("trying turned copies", 2 * 10 + 24, 2 * 10 + 24)


def test_the_same_images_give_the_same_choice(images) -> None:
    bank, validation = images
    few = validation[::2]
    first, second = (choose_turns(GIVEN, bank=bank[:4], validation=few, device="cpu") for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("config", "fixed", "most"),
    [
        (CONFIG, {"bank.turns"}, 24),
        (replace(CONFIG, selection=replace(CONFIG.selection, turns=())), set(), 24),
        (replace(CONFIG, selection=replace(CONFIG.selection, automatic=False)), set(), 24),
        (CONFIG, set(), 14),
    ],
    ids=["fixed", "none to try", "off", "too few labels"],
)
def test_where_nothing_is_to_be_tried_nothing_is(images, config: Config, fixed: set[str], most: int) -> None:
    bank, validation = images
    given = replace(GIVEN, config=config)
    assert choose_turns(given, bank=bank, validation=validation[:most], fixed=fixed, device="cpu") is given


def test_numbers_are_tried_only_while_the_loss_falls() -> None:
    truth = np.repeat([False, True], 12)
    apart, mixed = np.linspace(1, 2, 24), np.tile([1.0, 2.0], 12)
    asked: list[int] = []

    def trials(*scores: Float64Array) -> Iterator[Float64Array]:
        for number, row in enumerate(scores):
            asked.append(number)
            yield row

    falling = _losses_while_they_fall(trials(mixed, apart, apart**3, mixed), truth, seed=0)
    assert falling.mean(axis=1)[1] < falling.mean(axis=1)[0]
    assert asked == list(range(len(falling)))
    asked.clear()
    assert _losses_while_they_fall(trials(apart, mixed, apart), truth, seed=0).shape == (2, 24)
    assert asked == [0, 1]
