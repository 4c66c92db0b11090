from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomaly.config import Config
from anomaly.embedding.registry import backbone
from anomaly.errors import ConfigError
from anomaly.experiment.space import BACKBONE, SIZE, TAPS, Settings, Space, apply, describe, draw, front, read_space
from tests.docs.pages import ROOT


def test_the_file_mirrors_the_default() -> None:
    assert read_space(ROOT / "configs" / "experiments.toml") == Space()


@pytest.fixture(scope="module")
def first() -> tuple[Settings, ...]:
    return draw(Space(), Config(), image_area=640 * 640)


def test_the_draw_is_the_same_every_time_and_shares_fronts(first: tuple[Settings, ...]) -> None:
    assert first == draw(Space(), Config(), image_area=640 * 640)
    assert len(first) == 96
    assert len({str(settings) for settings in first}) == 96
    fronts = [front(settings) for settings in first]
    assert fronts == sorted(fronts)
    assert len(set(fronts)) == 6
    assert first != draw(Space(seed=1), Config(), image_area=640 * 640)


def test_taps_fit_their_backbone(first: tuple[Settings, ...]) -> None:
    for settings in first:
        assert settings[TAPS] in backbone(str(settings[BACKBONE])).tap_sets
        assert apply(settings, Config()).embedding.taps == settings[TAPS]


def test_a_small_grid_is_tried_as_a_whole() -> None:
    space = Space(axes={"embedding.whitening": (False, True), "bank.neighbours": (1, 3)})
    assert len(draw(space, Config(), image_area=1e6)) == 4
    assert len(draw(space, Config(), fixed=["bank.neighbours"], image_area=1e6)) == 2


def test_sizes_that_enlarge_much_are_left_out() -> None:
    space = Space(axes={SIZE: (320, 448, 640)})
    assert [s[SIZE] for s in draw(space, Config(), image_area=300 * 300)] == [320, 448]
    assert [s[SIZE] for s in draw(space, Config(), image_area=100 * 100)] == [320]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense = 1", "no setting of an experiment"),
        ("folds = 1", "whole number from 2"),
        ("trials = 1.5", "whole number"),
        ('axes = {"split.test" = [0.1]}', "cannot vary split.test"),
        ('axes = {"geometry.size" = 3}', "expected a list"),
        ("axes = {}", "empty"),
        ("axes = 3", "^axes is 3: expected a table"),
        ("[[axes]]", "^axes is .*: expected a table"),
        ("x", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "space.toml").write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_space(tmp_path / "space.toml")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"trials": 0}, "^trials is 0: expected a whole number from 1"),
        ({"folds": 1}, "^folds is 1: expected a whole number from 2"),
        ({"seed": -1}, "^seed is -1: expected a whole number from 0"),
        ({"repeats": 1.5}, "^repeats is 1.5: expected a whole number"),
        ({"patches": True}, "^patches is True: expected a whole number"),
        ({"axes": {}}, "^axes is empty"),
        ({"axes": {"split.test": (0.1,)}}, "cannot vary split.test"),
        ({"axes": {SIZE: ()}}, "^geometry.size is .*: expected .*values to try"),
        ({"axes": {SIZE: [320]}}, "^geometry.size is .*: expected a tuple of values to try"),
    ],
)
def test_a_space_made_in_python_is_checked_like_one_from_a_file(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Space(**wrong)


def test_a_value_out_of_range_is_refused_before_the_work() -> None:
    with pytest.raises(ConfigError, match="neighbours"):
        draw(Space(axes={"bank.neighbours": (0,)}), Config(), image_area=1e6)


@pytest.mark.parametrize("sizes", [(448.0,), (320, 448.0), (True,), ("448",)])
def test_a_size_that_is_no_whole_number_is_refused(sizes: tuple[str | int | float | bool, ...]) -> None:
    with pytest.raises(ConfigError, match=r"^geometry.size is .*: expected whole numbers"):
        draw(Space(axes={SIZE: sizes}), Config(), image_area=1e6)


def test_nested_tables_read_as_dotted_names(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text("[axes.scoring]\nsmoothing = [0.5]\n")
    assert read_space(tmp_path / "space.toml").axes == {"scoring.smoothing": (0.5,)}


def test_words() -> None:
    assert describe({SIZE: 448, TAPS: ("block4", "block10"), "embedding.whitening": False}) == (
        "448² pixels, taps block4 block10, not whitened"
    )
    assert describe({"bank.turns": 4, "bank.neighbours": 1}) == "at 4 angles, 1 neighbour"
    assert describe({"bank.turns": 1, "bank.neighbours": 3}) == "as photographed, 3 neighbours"
