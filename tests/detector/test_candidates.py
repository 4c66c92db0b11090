from __future__ import annotations

from dataclasses import replace

import pytest

from anomaly.config import Config, SelectionConfig
from anomaly.detector.candidates import Candidate, list_candidates
from anomaly.embedding.registry import backbone


def test_the_given_settings_come_first_and_none_comes_twice() -> None:
    candidates = list_candidates(Config(), fixed=(), image_area=1000**2)
    assert candidates[0] == Candidate.of(Config())
    assert len(set(candidates)) == len(candidates) > 100
    assert candidates[0].apply(Config()).embedding.taps == ("block4", "block10", "block14")


def test_what_somebody_fixed_is_not_varied() -> None:
    fixed = {"geometry.size", "embedding.taps", "scoring.smoothing", "scoring.top_share"}
    candidates = list_candidates(Config(), fixed=fixed, image_area=1000**2)
    assert [candidate.whitening for candidate in candidates] == [False, True]
    assert list_candidates(Config(), fixed={*fixed, "embedding.whitening"}, image_area=1e6) == candidates[:1]


def test_every_backbone_comes_with_its_own_taps() -> None:
    candidates = list_candidates(Config(), fixed=(), image_area=1000**2)
    assert {candidate.backbone for candidate in candidates} == {"efficientnet_lite0", "efficientnet_lite2"}
    for candidate in candidates:
        backbone(candidate.backbone).select_taps(candidate.taps)


@pytest.mark.parametrize("fixed", ["embedding.backbone", "embedding.taps"])
def test_who_gives_backbone_or_taps_has_chosen_the_backbone(fixed: str) -> None:
    candidates = list_candidates(Config(), fixed={fixed}, image_area=1000**2)
    assert {candidate.backbone for candidate in candidates} == {"efficientnet_lite0"}


def test_a_file_of_weights_is_for_one_backbone() -> None:
    config = replace(Config(), embedding=replace(Config().embedding, weights="own.pth"))
    candidates = list_candidates(config, fixed=(), image_area=1000**2)
    assert {candidate.backbone for candidate in candidates} == {"efficientnet_lite0"}


def test_sizes_that_only_enlarge_are_left_out() -> None:
    config = replace(Config(), selection=SelectionConfig(sizes=(448, 640, 896, 1280, 1792)))

    def sizes(side: int) -> set[int]:
        return {candidate.size for candidate in list_candidates(config, fixed=(), image_area=side**2)}

    assert sizes(2000) == {448, 640, 896, 1280, 1792}
    assert sizes(1300) == {448, 640, 896, 1280}
    assert sizes(1020) == {448, 640, 896}  # 1280 is more than twice the given size, and would enlarge
    assert sizes(512) == {448, 640}
    assert sizes(100) == {448}  # the given one always


def test_applying_a_candidate_changes_nothing_else() -> None:
    config = replace(Config(), seed=7)
    other = Candidate("efficientnet_lite2", 640, ("block6",), True, 1.0, 0.003)
    changed = other.apply(config)
    assert Candidate.of(changed) == other
    assert replace(changed, geometry=config.geometry, embedding=config.embedding, scoring=config.scoring) == config
