"""An experiment on small pictures: no test image, the same table after an interruption, features shared."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import anomaly.detector.ahead
import anomaly.experiment.conduct
from anomaly.config import Config, EmbeddingConfig, GeometryConfig
from anomaly.dataset import LabelledImage, SplitAssignment, find_duplicates, read_dataset, split_dataset
from anomaly.errors import ExperimentError
from anomaly.evaluation import Interval
from anomaly.experiment import (
    Experiment,
    Plan,
    Space,
    dataset_hash,
    find_experiment,
    finished_trials,
    images_hash,
    plan,
    run,
)
from anomaly.experiment.choice import choose, complexity
from anomaly.experiment.conduct import _reason
from anomaly.experiment.distances import Features, Memory, extract, held_out, looks
from anomaly.experiment.measures import Measures
from anomaly.experiment.pool import Pool
from anomaly.experiment.store import JOURNAL
from anomaly.types import Float64Array
from tests.parts import write_dataset

pytestmark = pytest.mark.slow

SMALL = dataclasses.replace(
    Config(), geometry=GeometryConfig(size=64), embedding=EmbeddingConfig(taps=("block4", "block10"))
)
SPACE = Space(
    axes={
        "geometry.size": (64, 96),
        "embedding.taps": (("block4",), ("block4", "block10")),
        "bank.max_rows": (50, 100),
        "bank.turns": (1, 4),
        "scoring.smoothing": (0.5, 1.0),
    },
    trials=8,
    patches=500,
)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> SplitAssignment:
    dataset = read_dataset(write_dataset(tmp_path_factory.mktemp("parts"), undamaged=20, damaged=12))
    duplicates = find_duplicates(dataset.images, limits=SMALL.image)
    return split_dataset(dataset, SMALL.split, seed=0, duplicates=duplicates)


def planned(split: SplitAssignment, space: Space = SPACE) -> Plan:
    return plan(
        SMALL,
        space,
        bank=split.select("bank"),
        validation=split.select("validation"),
        data="parts",
        dataset="d",
        images=images_hash(split.entries),
    )


@pytest.fixture(scope="module")
def quick_networks() -> Iterator[None]:
    """Build each network once: that takes longer than all the rest on pictures as small as these."""
    real, kept = anomaly.experiment.conduct.extract, {}

    def extract_once(
        config: Config,
        pool: Pool,
        *,
        taps: Iterable[str],
        turns: Iterable[int],
        device: str,
        step: Callable[[], None],
    ) -> Features:
        names, angles = tuple(sorted(set(taps))), tuple(sorted(set(turns)))
        key = config.geometry.size, names, angles, tuple(image.path for image in pool.images)
        if key not in kept:
            kept[key] = real(config, pool, taps=names, turns=angles, device=device, step=step)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anomaly.experiment.conduct, "extract", extract_once)
        yield


@pytest.fixture(scope="module")
def uninterrupted(split: SplitAssignment, tmp_path_factory: pytest.TempPathFactory, quick_networks: None) -> Experiment:
    return run(planned(split), tmp_path_factory.mktemp("work"), device="cpu")


def without_times(experiment: Experiment) -> Experiment:
    rows = tuple(dataclasses.replace(row, seconds=0.0) for row in experiment.trials)
    return dataclasses.replace(experiment, created="", trials=rows)


def test_the_outcome(uninterrupted: Experiment) -> None:
    assert [row.number for row in uninterrupted.trials] == list(range(8))
    assert uninterrupted.kept_together
    best = min(uninterrupted.trials, key=lambda row: row.loss)
    assert uninterrupted.best == best.number
    for row in uninterrupted.trials:
        assert 0 <= row.low <= row.auroc <= row.high <= 1
        assert 0 <= row.found <= uninterrupted.damaged
    assert best.auroc > 0.9
    assert sum(uninterrupted.importance.values()) == pytest.approx(1.0)
    assert set(uninterrupted.importance) == set(SPACE.axes)
    assert uninterrupted.memory_curve[0].n == 5
    assert uninterrupted.label_curve
    assert str(uninterrupted.trial(uninterrupted.chosen).settings["geometry.size"]) in uninterrupted.reason


def reason(split: SplitAssignment, *losses: Callable[[int], Float64Array]) -> str:
    """Conclude from made-up losses of as many trials, simplest first."""
    axes = {"bank.max_rows": tuple(50 * (1 + i) for i in range(len(losses)))}
    todo = planned(split, dataclasses.replace(SPACE, axes=axes, trials=len(losses)))
    todo = dataclasses.replace(todo, trials=tuple(sorted(todo.trials, key=complexity)))
    unit = todo.pool.unit[todo.pool.judged]
    measures = [Measures(one(len(unit)), Interval(0.9, 0.8, 1.0), 3.0) for one in losses]
    best, chosen, gap, candidates = choose(
        [(settings, found.losses) for settings, found in zip(todo.trials, measures, strict=True)], unit
    )
    return _reason(todo, measures, best, chosen, gap, len(candidates))


def test_the_reason_shows_what_three_digits_would_hide(split: SplitAssignment) -> None:
    told = reason(split, lambda n: np.full(n, 0.3), lambda n: 0.30012 + 0.0003 * (-1.0) ** np.arange(n))
    assert "50 rows: the best of 2 combinations; every other is worse by more than one standard error of the " in told
    figures = re.search(r"the next: .*100 rows, worse by (0\.000\d+) with a standard error of (0\.000\d+)\)", told)
    assert figures is not None
    assert float(figures[1]) > float(figures[2]) > 0
    told = reason(split, lambda n: np.full(n, 0.3), lambda n: np.full(n, 0.36))
    assert told.endswith("100 rows, worse by 0.060 with a standard error of 0.000).")


def test_the_reason_calls_a_tie_a_tie(split: SplitAssignment) -> None:
    told = reason(split, lambda n: np.full(n, 0.3), lambda n: np.full(n, 0.3))
    assert told.endswith(
        "50 rows: the best of 2 combinations, and the simplest of the 2 that are as good within one standard error."
    )
    told = reason(split, lambda n: np.full(n, 0.3), lambda n: np.full(n, 0.3 - 1e-12))
    assert "50 rows: the simplest of the 2 of 2 combinations" in told
    assert "(loss 0.300, the same loss; the best: " in told
    told = reason(split, lambda n: 0.3 + 0.01 * (np.arange(n) == 3), lambda n: np.full(n, 0.3))
    assert re.search(r"\(loss 0\.300, worse by 0\.000\d with a standard error of 0\.000\d; the best", told)
    assert reason(split, lambda n: np.full(n, 0.3)).endswith("50 rows: the only combination.")


class KilledError(Exception):
    """Stands for a kill."""


@pytest.mark.slow
def test_interrupted_three_times_at_random_and_resumed_it_ends_with_the_same_table(
    split: SplitAssignment, uninterrupted: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., object] = anomaly.experiment.conduct.score_fold
    for seed in range(3):
        left = int(np.random.default_rng(seed).integers(1, 15))

        def killed(*args: object, **kwargs: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise KilledError
            return real(*args, **kwargs)

        monkeypatch.setattr(anomaly.experiment.conduct, "score_fold", killed)
        with pytest.raises(KilledError):
            run(planned(split), tmp_path, device="cpu")
        # What a kill in the middle of a write leaves behind.
        with (planned(split).folder(tmp_path) / JOURNAL).open("a") as journal:
            journal.write('{"op_code": 4, "wor')
    monkeypatch.setattr(anomaly.experiment.conduct, "score_fold", real)
    assert 0 < finished_trials(planned(split), tmp_path) < 8
    assert without_times(run(planned(split), tmp_path, device="cpu")) == without_times(uninterrupted)


def test_a_finished_experiment_runs_no_trial_again(
    split: SplitAssignment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_networks: None
) -> None:
    space = dataclasses.replace(SPACE, trials=2)
    first = run(planned(split, space), tmp_path, device="cpu")
    monkeypatch.setattr(anomaly.experiment.conduct, "_all_distances", lambda *_: pytest.fail("ran again"))
    assert without_times(run(planned(split, space), tmp_path, device="cpu")) == without_times(first)
    found = find_experiment(tmp_path, images=images_hash(split.entries))
    assert found is not None
    assert without_times(found) == without_times(first)
    assert find_experiment(tmp_path, images="other") is None


def test_a_run_has_its_folder_from_the_first_trial_to_the_record(
    split: SplitAssignment, tmp_path: Path, quick_networks: None
) -> None:
    todo = planned(split, dataclasses.replace(SPACE, trials=1))
    seen: set[str] = set()

    def another_call(what: str, done: int, total: int) -> None:
        seen.add(what)
        with pytest.raises(ExperimentError, match="is being run by another call"):
            finished_trials(todo, tmp_path)

    run(todo, tmp_path, device="cpu", progress=another_call)
    assert seen == {"experiment", "learning curve"}
    assert finished_trials(todo, tmp_path) == 1


def test_no_image_of_the_test_split_is_opened(
    split: SplitAssignment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: set[Path] = set()
    real, real_size = anomaly.detector.ahead.load_image, anomaly.experiment.conduct.image_size

    def spy(path, *, limits=None):
        opened.add(Path(path))
        return real(path, limits=limits)

    def spy_size(path, *, limits=None):
        opened.add(Path(path))
        return real_size(path, limits=limits)

    monkeypatch.setattr(anomaly.detector.ahead, "load_image", spy)
    monkeypatch.setattr(anomaly.experiment.conduct, "image_size", spy_size)
    run(planned(split, dataclasses.replace(SPACE, trials=1)), tmp_path, device="cpu")
    test = {image.path for image in split.select("test")}
    assert test
    assert opened == {image.path for image in split.images} - test


def test_nothing_is_judged_by_a_memory_that_holds_it(split: SplitAssignment) -> None:
    pool = planned(split).pool
    features = extract(SMALL, pool, taps=["block4"], turns=[1], device="cpu", step=lambda: None)
    judged = np.arange(len(pool.images)) < 4
    memory = Memory("block4", False, 1, 100, 1)
    kept = ~judged & ~pool.damaged
    found = held_out(features, [memory], judged=judged, remembered=kept, patches=10**6, seed=0)[memory]
    assert sorted(found) == [0, 1, 2, 3]
    assert all(float(grid.min()) > 0 for grid in found.values())
    with pytest.raises(AssertionError):
        held_out(features, [memory], judged=judged, remembered=~pool.damaged, patches=10, seed=0)


def test_a_smaller_memory_is_the_beginning_of_a_larger_one(split: SplitAssignment) -> None:
    pool = planned(split).pool
    features = extract(SMALL, pool, taps=["block4"], turns=[1], device="cpu", step=lambda: None)
    judged = np.arange(len(pool.images)) < 2
    few, many = Memory("block4", True, 1, 20, 1), Memory("block4", True, 1, 60, 1)
    kept = ~judged & ~pool.damaged
    both = held_out(features, [few, many], judged=judged, remembered=kept, patches=500, seed=0)
    alone = held_out(features, [few], judged=judged, remembered=kept, patches=500, seed=0)
    assert np.array_equal(both[few][0], alone[few][0])
    assert np.all(both[many][0] <= both[few][0] + 1e-6)


def stripes(path: Path, *, across: bool, seed: int) -> LabelledImage:
    wave = 110 + 80 * np.sin(np.arange(96) / 3 + seed)
    picture = np.tile(wave if across else wave[:, None], (96, 1) if across else (1, 96)).astype(np.uint8)
    Image.fromarray(picture).save(path)
    return LabelledImage(name=path.name, path=path, label="undamaged")


def test_a_memory_of_turned_copies_knows_turned_photographs(tmp_path: Path) -> None:
    images = [stripes(tmp_path / f"{i}.png", across=True, seed=i) for i in range(8)]
    images.append(stripes(tmp_path / "turned.png", across=False, seed=0))
    pool = Pool(tuple(images), np.arange(9) == 7, np.arange(9), np.ones(9, np.bool_))
    steps: list[None] = []
    features = extract(SMALL, pool, taps=["block4"], turns=[1, 4], device="cpu", step=lambda: steps.append(None))
    assert len(steps) == looks(pool, [1, 4]) == 9 + 2 * 8
    patches = [len(rows) for rows in features.rows("block4", 4)]
    assert patches == [
        2 * len(rows) * (not bad) for rows, bad in zip(features.rows("block4", 1), pool.damaged, strict=True)
    ]
    plain, turned = Memory("block4", False, 1, 400, 1), Memory("block4", False, 4, 400, 1)
    found = held_out(
        features, [plain, turned], judged=np.arange(9) == 8, remembered=np.arange(9) < 7, patches=10**6, seed=0
    )
    assert found[turned][8].mean() < 0.3 * found[plain][8].mean()


@pytest.mark.slow
def test_twelve_trials_behind_one_network_cost_less_than_three_times_one(
    split: SplitAssignment, tmp_path: Path
) -> None:
    axes = {"scoring.smoothing": (0.0, 0.5, 1.0, 2.0), "scoring.top_share": (0.001, 0.003, 0.01)}
    seconds = []
    for trials in (1, 12):
        todo = planned(split, dataclasses.replace(SPACE, axes=axes, trials=trials))
        started = time.process_time()
        run(todo, tmp_path / str(trials), device="cpu")
        seconds.append(time.process_time() - started)
    assert seconds[1] < 3 * seconds[0]


def test_a_journal_that_is_none_is_an_error_that_says_what_to_do(split: SplitAssignment, tmp_path: Path) -> None:
    todo = planned(split)
    folder = todo.folder(tmp_path)
    folder.mkdir()
    (folder / JOURNAL).write_text("nonsense\nmore\n")
    with pytest.raises(ExperimentError, match="move the folder away") as caught:
        finished_trials(todo, tmp_path)
    assert "\n" not in str(caught.value)


def test_another_folder_is_another_dataset(tmp_path: Path) -> None:
    one = read_dataset(write_dataset(tmp_path / "a", undamaged=2, damaged=1))
    other = read_dataset(write_dataset(tmp_path / "b", undamaged=2, damaged=1, seed=9))
    again = read_dataset(write_dataset(tmp_path / "c", undamaged=2, damaged=1))
    assert dataset_hash(one) == dataset_hash(again) != dataset_hash(other)


def test_photographs_moved_to_another_split_are_another_dataset(tmp_path: Path) -> None:
    images = write_dataset(tmp_path / "a", undamaged=2, damaged=1)
    labels = "good/good_00.png,undamaged,{}\ngood/good_01.png,undamaged,{}\ndefect/bad_00.png,damaged,{}\n"
    found = []
    for splits in (("", "", ""), ("bank", "validation", "test"), ("bank", "test", "validation")):
        (images / "labels.csv").write_text("path,label,split\n" + labels.format(*splits))
        found.append(dataset_hash(read_dataset(images)))
    assert len(set(found)) == 3
    (images / "labels.csv").write_text("path,label\n" + labels.replace(",{}", ""))
    assert dataset_hash(read_dataset(images)) == found[0]
