from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from anomaly.calibration import ScoredImage
from anomaly.config import BankConfig, Config, GeometryConfig, SelectionConfig
from anomaly.dataset import LabelledImage
from anomaly.detector import Detector, turn_choice
from anomaly.detector.memory import Memory, fill
from anomaly.detector.patchcore import PatchCore
from anomaly.detector.progress import Progress, silent
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


def _choose(
    bank: Sequence[LabelledImage], validation: Sequence[LabelledImage], remember: _Memories, progress: Progress = silent
) -> tuple[Selection, Memory]:
    """Fill a memory by settings as given, and choose from there."""
    memory = fill(remember, CONFIG, bank, validation)
    return choose_turns(GIVEN, memory, bank=bank, validation=validation, remember=remember, progress=progress)


@pytest.mark.slow
def test_parts_at_any_angle_call_for_turned_copies(images) -> None:
    bank, validation = images
    remember, said = _Memories(), []
    found, memory = _choose(bank, validation, remember, progress=lambda *told: said.append(told))
    assert found.config == replace(CONFIG, bank=replace(CONFIG.bank, turns=4))
    assert memory.detector.config.bank.turns == 4
    assert memory.scored == memory.detector.score_labelled(validation)
    assert found.reasons[0] == "as given."
    assert found.reasons[1].startswith("chosen: each training image goes into the memory bank at 4 angles")
    names = tuple(image.name for image in bank)
    assert remember.asked == [(1, names), (4, names)]  # what is kept is what was compared
    assert said[-1] == ("trying the memory, 4 angles", 24, 24)


@pytest.mark.slow
def test_the_same_images_give_the_same_choice(images) -> None:
    bank, validation = images
    (first, one), (second, two) = (_choose(bank[:4], validation[::2], _Memories()) for _ in range(2))
    assert first == second
    assert [bank.vectors.tobytes() for bank in one.detector.banks] == [
        bank.vectors.tobytes() for bank in two.detector.banks
    ]


def _choose_by(
    losses: Sequence[float], monkeypatch: pytest.MonkeyPatch, *, config: Config = CONFIG, fixed: Collection[str] = ()
) -> tuple[Selection, Memory, list[tuple[int, int]]]:
    """Choose where each memory that is filled, of ten images, has the next of these losses.

    Returns what was chosen, and the numbers of angles and images of the memories.
    """
    left, asked = iter(losses), []
    scored = (ScoredImage("a.png", "0" * 64, DAMAGED, 1.0),) * 10

    def pretend(_: Any, config: Config, bank: Sequence[LabelledImage], *__: Any, **___: Any) -> Memory:
        asked.append((config.bank.turns, len(bank)))
        detector = cast(Detector, SimpleNamespace(config=config))
        return Memory(detector, scored, next(left) + np.linspace(-0.005, 0.005, 10))

    monkeypatch.setattr(turn_choice, "fill", pretend)
    bank = [LabelledImage(Path(f"{number}.png"), f"{number}.png", UNDAMAGED) for number in range(10)]
    found, memory = choose_turns(
        replace(GIVEN, config=config),
        pretend(None, config, bank),
        bank=bank,
        validation=[],
        remember=_Memories(),
        fixed=fixed,
    )
    assert memory.detector.config == found.config
    return found, memory, asked


@pytest.mark.parametrize(
    ("losses", "asked"),
    [((0.5, 0.5, 0.4, 0.4), [(1, 10), (1, 5), (4, 5), (4, 10)]), ((0.5, 0.5, 0.6), [(1, 10), (1, 5), (4, 5)])],
    ids=["copies are better", "copies are no better"],
)
def test_many_bank_images_are_compared_by_some_and_all_remembered(
    losses: tuple[float, ...], asked: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_choice, "MOST_IMAGES", 5)
    found, _, filled = _choose_by(losses, monkeypatch)
    assert filled == asked
    assert found.config.bank.turns == (4 if (4, 10) in asked else 1)


def test_what_would_take_too_many_copies_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_choice, "MOST_COPIES", 39)
    found, _, filled = _choose_by([0.5], monkeypatch)
    assert (found, filled) == (GIVEN, [(1, 10)])


@pytest.mark.parametrize(
    ("config", "fixed"),
    [
        (CONFIG, {"bank.turns"}),
        (replace(CONFIG, selection=replace(CONFIG.selection, turns=())), set()),
        (replace(CONFIG, selection=replace(CONFIG.selection, automatic=False)), set()),
    ],
    ids=["fixed", "none to try", "off"],
)
def test_where_nothing_is_to_be_tried_nothing_is(
    config: Config, fixed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _, filled = _choose_by([0.5], monkeypatch, config=config, fixed=fixed)
    assert (found, filled) == (replace(GIVEN, config=config), [(1, 10)])


def test_a_memory_that_was_not_tried_is_kept() -> None:
    memory = Memory(cast(Detector, SimpleNamespace(config=CONFIG)), (), np.empty(0))
    bank = [LabelledImage(Path("a.png"), "a.png", UNDAMAGED)]
    assert choose_turns(GIVEN, memory, bank=bank, validation=[], remember=_Memories()) == (GIVEN, memory)


def test_numbers_are_tried_only_while_the_loss_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(CONFIG, selection=replace(CONFIG.selection, turns=(2, 3, 4)))
    found, memory, filled = _choose_by([0.6, 0.4, 0.5, 0.1], monkeypatch, config=config)
    assert filled == [(1, 10), (2, 10), (3, 10)]
    assert found.config.bank.turns == 2
    assert memory.losses.mean() == pytest.approx(0.4)
    assert "(1: loss 0.600, 2: loss 0.400, 3: loss 0.500)" in found.reasons[1]


@pytest.mark.parametrize(("losses", "angles"), [((0.03,), [1]), ((0.2, 0.04), [1, 2])])
def test_where_the_labels_are_told_apart_no_further_number_is_tried(
    losses: tuple[float, ...], angles: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, selection=replace(CONFIG.selection, turns=(2, 4)))
    found, _, filled = _choose_by(losses, monkeypatch, config=config)
    assert filled == [(turns, 10) for turns in angles]
    assert found.config.bank.turns == angles[-1]
    not_tried = "turned copies in the memory bank not tried: with 1 the labels are told apart (loss 0.030)."
    assert (found.reasons[1] == not_tried) == (len(angles) == 1)
