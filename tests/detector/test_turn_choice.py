from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from anomaly.config import BankConfig, Config, GeometryConfig, SelectionConfig
from anomaly.dataset import LabelledImage
from anomaly.detector import Detector, turn_choice
from anomaly.detector.patchcore import PatchCore
from anomaly.detector.progress import Progress
from anomaly.detector.selection import Selection
from anomaly.detector.turn_choice import choose_turns
from anomaly.types import DAMAGED, UNDAMAGED

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


class _Memories:
    """Fills memories, and keeps which were asked for: angles and names."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, tuple[str, ...]]] = []

    def __call__(self, config: Config, images: Sequence[LabelledImage], progress: Progress) -> Detector:
        self.asked.append((config.bank.turns, tuple(image.name for image in images)))
        return PatchCore(config, device="cpu").remember([image.path for image in images], progress=progress)


@pytest.mark.slow
def test_parts_at_any_angle_call_for_turned_copies(images) -> None:
    bank, validation = images
    remember, said = _Memories(), []
    found, detector, scored = choose_turns(
        GIVEN, bank=bank, validation=validation, remember=remember, progress=lambda *told: said.append(told)
    )
    assert found.config == replace(CONFIG, bank=replace(CONFIG.bank, turns=4))
    assert detector.config.bank.turns == 4
    assert found.reasons[0] == "as given."
    assert found.reasons[1].startswith("chosen: each training image goes into the memory bank at 4 angles")
    names = tuple(image.name for image in bank)
    assert remember.asked == [(1, names), (4, names)]  # what is kept is what was compared
    assert scored == detector.score_labelled(validation)
    assert ("trying turned copies", 24, 24) in said
    assert said[-1] == ("trying turned copies, 4 angles", 24, 24)


@pytest.mark.slow
def test_the_same_images_give_the_same_choice(images) -> None:
    bank, validation = images
    few = validation[::2]
    first, second = (choose_turns(GIVEN, bank=bank[:4], validation=few, remember=_Memories()) for _ in range(2))
    assert first.selection == second.selection
    assert [one.vectors.tobytes() for one in first.detector.banks] == [
        two.vectors.tobytes() for two in second.detector.banks
    ]


@pytest.mark.slow
def test_many_bank_images_are_compared_by_some_and_all_remembered(images, monkeypatch: pytest.MonkeyPatch) -> None:
    bank, validation = images
    monkeypatch.setattr(turn_choice, "MOST_IMAGES", 5)
    remember = _Memories()
    found, detector, scored = choose_turns(GIVEN, bank=bank, validation=validation, remember=remember)
    assert [(turns, len(names)) for turns, names in remember.asked] == [(1, 5), (4, 5), (found.config.bank.turns, 10)]
    assert len(detector.bank_images) == 10
    assert scored == ()  # by this memory none was


def test_what_would_take_too_many_copies_is_not_tried(images, monkeypatch: pytest.MonkeyPatch) -> None:
    bank, validation = images
    monkeypatch.setattr(turn_choice, "MOST_COPIES", 39)
    remember = _Memories()
    assert choose_turns(GIVEN, bank=bank, validation=validation, remember=remember).selection is GIVEN
    assert [turns for turns, _ in remember.asked] == [1]


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
    given, remember = replace(GIVEN, config=config), _Memories()
    found = choose_turns(given, bank=bank[:3], validation=validation[:most], remember=remember, fixed=fixed)
    assert found.selection is given
    assert [turns for turns, _ in remember.asked] == [1]


@pytest.mark.slow
def test_numbers_are_tried_only_while_the_loss_falls(images, monkeypatch: pytest.MonkeyPatch) -> None:
    bank, validation = images
    losses = iter([0.6, 0.4, 0.5, 0.1])
    monkeypatch.setattr(turn_choice, "_losses", lambda *_, seed: next(losses) + np.linspace(0, 0.01, 24))
    config = replace(CONFIG, selection=replace(CONFIG.selection, turns=(2, 3, 4)))
    remember = _Memories()
    found, detector, _ = choose_turns(
        replace(GIVEN, config=config), bank=bank[:3], validation=validation, remember=remember
    )
    assert [turns for turns, _ in remember.asked] == [1, 2, 3]
    assert found.config.bank.turns == detector.config.bank.turns == 2


@pytest.mark.parametrize(("losses", "asked"), [((0.03,), [1]), ((0.2, 0.04), [1, 2])])
def test_where_the_labels_are_told_apart_no_further_number_is_tried(
    images, losses: tuple[float, ...], asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, validation = images
    some, left = validation[::2], iter(losses)
    monkeypatch.setattr(turn_choice, "_losses", lambda *_, seed: next(left) + np.linspace(0, 0.01, 12))
    config = replace(CONFIG, selection=replace(CONFIG.selection, turns=(2, 4)))
    remember = _Memories()
    found, detector, scored = choose_turns(
        replace(GIVEN, config=config), bank=bank[:3], validation=some, remember=remember
    )
    assert [turns for turns, _ in remember.asked] == asked
    assert found.config.bank.turns == detector.config.bank.turns == asked[-1]
    assert found.reasons[1].startswith("turned copies in the memory bank not tried: with 1") == (len(asked) == 1)
    assert scored == detector.score_labelled(some)
