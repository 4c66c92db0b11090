from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import anomaly.detector.ahead
import anomaly.detector.detector
import anomaly.detector.embedded
from anomaly.config import BankConfig, Config, GeometryConfig, SelectionConfig
from anomaly.dataset import LabelledImage, read_dataset
from anomaly.detector.candidates import Candidate
from anomaly.detector.selection import LOW_LOSS, _choose, _enlarge, _logistic_regression, label_losses, select_settings
from anomaly.detector.training import train
from anomaly.types import DAMAGED, UNDAMAGED
from tests.parts import draw_part, write_dataset

SMALL = Config(
    geometry=GeometryConfig(96),
    bank=BankConfig(max_rows=300),
    selection=SelectionConfig(backbones=("efficientnet_lite0",), sizes=(96, 160), smoothing=(0.5,), top_share=(0.003,)),
)


def _part_with_scratch(seed: int, *, scratched: bool) -> np.ndarray:
    """Draw a part whose damage is three pixels wide: gone when the picture shrinks to a third."""
    picture = draw_part(seed, side=192).copy()
    if scratched:
        rng = np.random.default_rng(seed)
        y, x = rng.integers(70, 110, 2)
        picture[y : y + 3, x : x + 14] = 30
    return picture


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Return bank and validation images."""
    folder = tmp_path_factory.mktemp("scratched")

    def write(n: int, first: int, *, scratched: bool) -> list[LabelledImage]:
        made = []
        for seed in range(first, first + n):
            path = folder / f"{seed}.png"
            Image.fromarray(_part_with_scratch(seed, scratched=scratched)).save(path)
            made.append(LabelledImage(path, path.name, DAMAGED if scratched else UNDAMAGED))
        return made

    return write(8, 0, scratched=False), write(8, 100, scratched=False) + write(8, 200, scratched=True)


@pytest.mark.slow
def test_fine_damage_calls_for_a_larger_network_image(images) -> None:
    bank, validation = images
    said: list[tuple[str, int, int]] = []
    found = select_settings(
        SMALL, bank=bank, validation=validation, device="cpu", progress=lambda *told: said.append(told)
    )
    assert found.config.geometry.size == 160
    assert any(reason.startswith("chosen: efficientnet_lite0, 160²") for reason in found.reasons)
    assert found.trials[0].loss <= min(trial.loss for trial in found.trials)
    assert len(found.trials) == 2 * 8 * 2 * 1 * 2  # sizes, tap sets, whitening, smoothing, top share and the given one
    assert said[-1] == ("trying settings", 2 * 24, 2 * 24)


@pytest.mark.slow
def test_the_better_backbone_at_the_given_size_goes_on_to_the_others(images) -> None:
    bank, validation = images
    both = replace(SMALL, selection=replace(SMALL.selection, backbones=("efficientnet_lite0", "efficientnet_lite2")))
    said: list[tuple[str, int, int]] = []
    found = select_settings(
        both, bank=bank, validation=validation, device="cpu", progress=lambda *told: said.append(told)
    )
    tried = {(trial.candidate.backbone, trial.candidate.size) for trial in found.trials}
    given_size = [trial for trial in found.trials if trial.candidate.size == 96]
    better = min(given_size, key=lambda trial: trial.loss).candidate.backbone
    assert tried == {("efficientnet_lite0", 96), ("efficientnet_lite2", 96), (better, 160)}
    assert said[-1] == ("trying settings", 3 * 24, 3 * 24)


@pytest.mark.slow
def test_the_same_images_give_the_same_choice(images) -> None:
    bank, validation = images
    first, second = (
        select_settings(SMALL, bank=bank[:4], validation=validation, fixed={"geometry.size"}, device="cpu")
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("noise", "tried"),
    [
        ({}, [448, 896, 1280, 1792, 2560]),  # always better, never told apart
        ({1280: 3.0}, [448, 896, 1280]),  # the first large one is worse
        ({448: 0.5}, [448, 896]),  # the given one is best
        ({896: 0.01}, [448, 896]),  # told apart
        ({1792: 0.01}, [448, 896, 1280, 1792]),
    ],
)
def test_large_sizes_are_tried_while_each_is_better_than_all_before(noise: dict[int, float], tried: list[int]) -> None:
    truth = np.arange(60) % 2 == 1
    blur = np.random.default_rng(0).normal(size=60)

    def score(some: list[Candidate]) -> np.ndarray:
        widths = [noise.get(candidate.size, 1 - candidate.size / 6000) for candidate in some]
        return np.exp([truth + width * blur for width in widths])

    candidates = [
        Candidate(name, size, ("block4",), False, 1.0, 0.01)
        for size in (448, 896, 1280, 1792, 2560)
        for name in ("efficientnet_lite0", "efficientnet_lite2")
    ]
    compared = [candidate for candidate in candidates[:4] if candidate.backbone == "efficientnet_lite2"]
    found, scores = _enlarge(Config(), candidates, compared, score(compared), truth, score)
    assert [candidate.size for candidate in found] == tried
    assert {candidate.backbone for candidate in found} == {"efficientnet_lite2"}
    assert np.array_equal(scores, score(found))
    told_apart = label_losses(scores, truth, seed=0).mean(axis=1) <= LOW_LOSS
    assert not told_apart[:-1].any()


def test_settings_that_are_kept_are_compared_with_the_best_of_the_others() -> None:
    truth = np.arange(60) % 2 == 1
    blur = np.random.default_rng(0).normal(size=60)
    candidates = [Candidate("efficientnet_lite0", size, ("block4",), False, 1.0, 0.01) for size in (448, 640, 896)]
    scores = np.exp([truth + width * blur for width in (0.5, 3.0, 1.0)])
    found = _choose(Config(), candidates, scores, truth)
    given, rival = (next(trial for trial in found.trials if trial.candidate.size == size) for size in (448, 896))
    assert found.config.geometry.size == 448
    assert f"kept (loss {given.loss:.3f}," in found.reasons[1]
    assert f"best of the others (loss {rival.loss:.3f}," in found.reasons[1]
    alone = _choose(Config(), candidates[:1], scores[:1], truth)
    assert "larger images were not tried" in alone.reasons[1]


def test_without_enough_labels_the_given_settings_stand(images) -> None:
    bank, validation = images
    few = [image for image in validation if image.label == UNDAMAGED] + validation[-4:]
    found = select_settings(SMALL, bank=bank, validation=few, device="cpu")
    assert found.config is SMALL
    assert not found.trials
    assert "there are 8 and 4" in found.reasons[0]


def test_automatic_selection_can_be_switched_off(images) -> None:
    off = replace(SMALL, selection=SelectionConfig(automatic=False))
    bank, validation = images
    assert select_settings(off, bank=bank, validation=validation).config is off


@pytest.mark.slow
def test_fixed_settings_stay(images) -> None:
    bank, validation = images
    found = select_settings(SMALL, bank=bank, validation=validation, fixed={"geometry.size"}, device="cpu")
    assert found.config.geometry.size == 96
    assert {trial.candidate.size for trial in found.trials} == {96}


def test_the_selection_is_never_given_a_test_image() -> None:
    assert [name for name in inspect.signature(select_settings).parameters if "test" in name] == []
    assert {"bank", "validation"} < set(inspect.signature(select_settings).parameters)


@pytest.mark.slow
def test_training_opens_no_image_of_the_test_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_dataset(tmp_path / "parts", undamaged=26, damaged=12)
    opened: set[Path] = set()
    readers = ((anomaly.detector.ahead, "load_image"), (anomaly.detector.detector, "load_known"),
               (anomaly.detector.embedded, "load_known"))  # fmt: skip
    for module, name in readers:
        real = getattr(module, name)

        def spy(path, *, limits=None, real=real):
            opened.add(Path(path))
            return real(path, limits=limits)

        monkeypatch.setattr(module, name, spy)
    config = replace(SMALL, selection=replace(SMALL.selection, sizes=(96,), top_share=(0.01,)))
    training = train(read_dataset(folder), config, data="parts", device="cpu")
    assert training.selection.trials
    assert training.test
    assert opened.isdisjoint(image.path for image in training.test)
    assert opened == {image.path for image in training.split.images} - {image.path for image in training.test}


def test_losses_reward_separation_and_ignore_the_unit() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([False, True], 30)
    spread = np.exp(rng.normal(0, 0.1, (3, 60)))
    scores = spread * np.array([np.where(truth, 3.0, 1.0), np.where(truth, 1.1, 1.0), np.ones(60)])
    loss = label_losses(scores, truth, seed=0).mean(axis=1)
    assert loss[0] < 0.1 < loss[1] < 0.68 < loss[2]
    np.testing.assert_allclose(label_losses(scores * 40, truth, seed=0), label_losses(scores, truth, seed=0), rtol=1e-6)


def test_scores_that_rank_backwards_are_worth_nothing() -> None:
    truth = np.repeat([False, True], 30)
    scores = np.exp(np.random.default_rng(0).normal(0, 0.2, 60) - 2.0 * truth)
    assert label_losses(scores[None], truth, seed=0) == pytest.approx(np.log(2))


def test_the_logistic_regression_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(2)
    truth = np.repeat([False, True], [40, 12])
    rows = rng.normal(0, 1, (4, 52)) + truth * np.array([[0.0], [1.0], [6.0], [80.0]])
    slope, intercept = _logistic_regression(rows, truth)
    for row, a, b in zip(rows, slope[:, 0], intercept[:, 0], strict=True):
        oracle = LogisticRegression(class_weight="balanced", C=1.0, tol=1e-10, max_iter=2000)
        oracle.fit(row[:, None], truth)
        np.testing.assert_allclose([a, b], [oracle.coef_[0, 0], oracle.intercept_[0]], rtol=1e-3, atol=1e-3)


def test_both_labels_weigh_the_same() -> None:
    truth = np.repeat([False, True], [90, 10])
    flat = label_losses(np.ones((1, 100)), truth, seed=0)[0]
    assert flat[truth].sum() == pytest.approx(flat[~truth].sum(), rel=1e-6)
    assert flat.mean() == pytest.approx(np.log(2), rel=1e-3)
