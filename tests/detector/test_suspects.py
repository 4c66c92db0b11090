from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from anomaly import Detector
from anomaly.detector.bank_change import without_images
from anomaly.detector.progress import silent
from anomaly.detector.suspects import _own_scores, find_suspects, suspicion_limit
from anomaly.errors import TooFewImagesError
from tests.detector.conftest import PLANTED, labelled
from tests.parts import draw_part

pytestmark = pytest.mark.slow


def test_mislabelled_images_are_named_the_strangest_first(mixed_detector: Detector, mixed_paths: list[Path]) -> None:
    found = find_suspects(mixed_detector, labelled(mixed_paths))
    numbers = {path.name: number for number, path in enumerate(mixed_paths)}
    assert {numbers[suspect.name] for suspect in found[:2]} == set(PLANTED)
    assert len(found) <= 5
    assert [suspect.score for suspect in found] == sorted((suspect.score for suspect in found), reverse=True)
    for suspect in found:
        number = numbers[suspect.name]
        assert suspect.score > suspect.limit
        assert not suspect.left_out
        prediction = mixed_detector.predict(mixed_paths[number], exclude_group=number)
        assert prediction.score == suspect.score
        assert mixed_detector.score(mixed_paths[number]) < suspect.score, "its own rows are in the bank"
        assert all(nearest.image != suspect.name for nearest in prediction.nearest)


def test_the_scores_of_the_capture_check_are_the_same_as_new_ones(
    mixed_detector: Detector, mixed_paths: list[Path]
) -> None:
    anew = _own_scores(dataclasses.replace(mixed_detector, capture=None), mixed_paths, silent)
    assert np.array_equal(anew, _own_scores(mixed_detector, mixed_paths, silent))


def test_what_was_left_out_is_named_however_ordinary(mixed_detector: Detector, mixed_paths: list[Path]) -> None:
    kept = [path for number, path in enumerate(mixed_paths) if number not in (4, 7)]
    detector = without_images(mixed_detector, (4, 7))
    found = find_suspects(detector, labelled(kept), left_out=labelled([mixed_paths[4], mixed_paths[7]]))
    assert {suspect.name for suspect in found if suspect.left_out} == {"04.png", "07.png"}
    assert {suspect.name for suspect in found[:2]} == {"04.png", "11.png"}, "judged alike, whether left out or not"
    ordinary = next(suspect for suspect in found if suspect.name == "07.png")
    assert ordinary.score == detector.score(mixed_paths[7])


def test_the_limit_is_not_moved_by_the_outliers_it_is_to_find() -> None:
    good = np.exp(np.random.default_rng(0).normal(0, 0.1, 90))
    limit = suspicion_limit(good)
    assert 1.1 < limit < 1.25
    assert suspicion_limit([*good, *[9.0] * 10]) == pytest.approx(limit, rel=0.1)
    assert suspicion_limit(7 * good) == pytest.approx(7 * limit)
    assert suspicion_limit(good[:4]) == math.inf
    assert suspicion_limit([1.0] * 9 + [5.0]) == math.inf


def test_taken_out_of_the_bank_damage_like_it_is_strange_again(
    mixed_detector: Detector, mixed_paths: list[Path]
) -> None:
    without = without_images(mixed_detector, PLANTED)
    assert [image.name for image in without.bank_images] == [
        p.name for i, p in enumerate(mixed_paths) if i not in PLANTED
    ]
    assert list(without.thumbnails) == [image.name for image in without.bank_images]
    for image in (mixed_paths[4], mixed_paths[11], mixed_paths[0]):
        assert without.score(image) >= mixed_detector.score(image)
    assert without.score(mixed_paths[4]) > 1.2 * mixed_detector.score(mixed_paths[4])
    for old, new in zip(mixed_detector.banks, without.banks, strict=True):
        assert len(new) == int((~np.isin(old.groups, PLANTED)).sum())
        assert set(new.groups) <= set(range(18))
    place = without.predict(draw_part(5)).nearest[0]
    assert place.image in {image.name for image in without.bank_images}


def test_a_bank_of_one_image_is_refused(mixed_detector: Detector) -> None:
    with pytest.raises(TooFewImagesError, match="at least 2 undamaged images to stay"):
        without_images(mixed_detector, range(19))
