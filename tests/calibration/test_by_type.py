"""One threshold for all part types, or one each: decided by the scores, or by what a rate takes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest

from anomaly.calibration import (
    Calibration,
    CalibrationRecord,
    ScoredImage,
    calibrate,
    calibrate_by_type,
    scores_by_label,
)
from anomaly.errors import CalibrationError, PromiseNotPossibleError
from anomaly.types import Float64Array, Label

TIME = "2026-11-22T15:58:00+00:00"


def images(part_type: str, label: Label, scores: Sequence[float], *, group: str = "") -> list[ScoredImage]:
    return [
        ScoredImage(
            name := f"{part_type}/{label}/{group}/{number}",
            hashlib.sha256(name.encode()).hexdigest(),
            label,
            float(score),
            part_type=part_type,
            group=group,
        )
        for number, score in enumerate(scores)
    ]


def drawn(part_type: str, middle: float, *, seed: int, undamaged: int = 30, damaged: int = 30) -> list[ScoredImage]:
    random = np.random.default_rng(seed)
    return [
        *images(part_type, "undamaged", random.normal(middle, 0.3, undamaged)),
        *images(part_type, "damaged", random.normal(middle + 1, 0.3, damaged)),
    ]


def text_and_back(calibration: Calibration, scores: Sequence[ScoredImage]) -> Calibration:
    record = CalibrationRecord(1, TIME, "r", "s", calibration, tuple(scores))
    back = CalibrationRecord.from_json(record.to_json())
    assert back == record
    assert back.to_json() == record.to_json()
    return back.calibration


def test_types_that_score_apart_get_a_threshold_each() -> None:
    scores = drawn("gear", 1.0, seed=1) + drawn("spring", 2.5, seed=2)
    found = calibrate_by_type(scores, calibrate)
    assert set(found.by_part_type) == {"gear", "spring"}
    assert found.threshold == calibrate(*scores_by_label(scores)).threshold
    for name, own in found.by_part_type.items():
        of_type = [image for image in scores if image.part_type == name]
        assert own.threshold == calibrate(*scores_by_label(of_type)).threshold
        assert found.for_part_type(name) is own
    assert found.for_part_type("gear").label(1.9) == "damaged"
    assert found.for_part_type("spring").label(1.9) == "undamaged"
    assert found.for_part_type("") is found.for_part_type("washer") is found
    assert any(note.startswith("One threshold for each part type: ") for note in found.notes)
    assert [line.partition(":")[0] for line in found.lines()[-2:]] == ["gear", "spring"]


def test_their_probabilities_rest_on_their_own_scores_and_survive_the_record() -> None:
    scores = drawn("gear", 1.0, seed=1) + drawn("spring", 2.5, seed=2)
    found = calibrate_by_type(scores, calibrate)
    gear, spring = (found.for_part_type(name).probability(2.2) for name in ("gear", "spring"))
    assert gear is not None
    assert spring is not None
    assert gear[0] > 0.9 > 0.2 > spring[0]
    back = text_and_back(found, scores)
    for name in ("", "gear", "spring"):
        assert back.for_part_type(name).probability(2.2) == found.for_part_type(name).probability(2.2)


def test_types_alike_mostly_share_one_threshold() -> None:
    shared = 0
    for seed in range(20):
        scores = drawn("gear", 1.0, seed=seed) + drawn("spring", 1.0, seed=100 + seed)
        found = calibrate_by_type(scores, calibrate)
        if not found.by_part_type:
            shared += 1
            assert any(note.startswith("One threshold for all part types: one each has ") for note in found.notes)
            assert "by_part_type" not in found.to_dict()
    assert shared >= 14


def test_without_two_types_nothing_is_said() -> None:
    for scores in (
        drawn("gear", 1.0, seed=1),
        drawn("", 1.0, seed=1),
        drawn("", 1.0, seed=1) + drawn("g", 2.0, seed=2),
    ):
        assert calibrate_by_type(scores, calibrate) == calibrate(*scores_by_label(scores))


def test_a_type_with_few_images_keeps_the_common_threshold() -> None:
    few = drawn("washer", 1.0, seed=3, undamaged=9, damaged=4)
    found = calibrate_by_type(drawn("gear", 1.0, seed=1) + drawn("spring", 2.5, seed=2) + few, calibrate)
    assert set(found.by_part_type) == {"gear", "spring"}
    assert any("washer 9 and 4" in note for note in found.notes)
    found = calibrate_by_type(few + drawn("gear", 3.0, seed=1, undamaged=4), calibrate)
    assert found.by_part_type == {}
    assert any("takes 5 undamaged and 5 damaged images, gear 4 and 30, washer 9 and 4" in n for n in found.notes)


def test_figures_are_of_the_types_that_could_have_a_threshold_and_the_others_are_named() -> None:
    washer = drawn("washer", 1.0, seed=3, undamaged=9, damaged=0)
    alike = drawn("gear", 1.0, seed=2) + drawn("spring", 1.0, seed=102)
    few = "one of its own takes 5 undamaged and 5 damaged images, washer 9 and 0."
    kept = calibrate_by_type(alike + washer, calibrate)
    assert kept.by_part_type == {}
    said = " ".join(kept.notes)
    assert "One threshold for all part types: one of its own for gear, spring has " in said
    assert f"more than one standard error is asked for. For some none was tried: {few}" in said
    assert "one each" not in said
    apart = calibrate_by_type(drawn("gear", 1.0, seed=1) + drawn("spring", 2.5, seed=2) + washer, calibrate)
    said = " ".join(apart.notes)
    assert "One threshold of its own for gear, spring: " in said
    assert f"The common threshold holds for some: {few}" in said


def test_the_common_threshold_that_is_compared_rests_on_the_images_that_the_kept_one_rests_on() -> None:
    """Images without a part type, and of a type with too few, pull the common threshold away from all others."""
    levels = np.linspace(0, 0.3, 6)
    typed = [
        image
        for name in ("a", "b")
        for image in [*images(name, "undamaged", 1 + levels), *images(name, "damaged", 2 + levels)]
    ]
    elsewhere = np.linspace(0, 0.3, 200)
    for name, damaged in (("", 12 + elsewhere), ("washer", np.full(4, 12.0))):
        others = [*images(name, "undamaged", 11 + elsewhere), *images(name, "damaged", damaged)]
        found = calibrate_by_type(typed + others, calibrate)
        assert sum(found.label(image.score) != image.label for image in typed) == 12
        assert set(found.by_part_type) == {"a", "b"}
        assert any("0 errors in cross-validation, 12 with one threshold for all" in note for note in found.notes)


def test_an_image_without_a_type_is_held_out_with_its_group() -> None:
    """What is learnt from in every fold still shares no group with what is judged."""
    learnt: list[set[float]] = []

    def choose(undamaged: Float64Array, damaged: Float64Array) -> Calibration:
        learnt.append({*undamaged.tolist(), *damaged.tolist()})
        return calibrate(undamaged, damaged)

    scores = drawn("gear", 1.0, seed=1) + drawn("spring", 2.5, seed=2)
    session = [dataclasses.replace(image, group="s") for image in scores[:1]]
    untyped = images("", "damaged", [77.0], group="s")
    calibrate_by_type([*session, *scores[1:], *untyped], choose)
    common = [seen for seen in learnt[1:] if 77.0 in seen or session[0].score in seen]
    assert any(77.0 in seen for seen in common)
    assert all(session[0].score in seen for seen in common if 77.0 in seen)


def test_a_group_is_held_out_whole_whatever_its_part_types() -> None:
    """Sessions with parts of two types: what is learnt in one must not judge what was photographed in it."""
    held: list[tuple[set[float], set[float]]] = []
    random = np.random.default_rng(1)
    scores, session_of = [], {}
    for session in range(10):
        for name, level in (("gear", 1.0), ("spring", 2.5)):
            labels: tuple[Label, ...] = ("undamaged", "damaged")
            for label, more in zip(labels, (0.0, 1.0), strict=True):
                made = images(name, label, random.normal(level + more, 0.1, 3), group=f"s{session}")
                session_of |= {image.score: session for image in made}
                scores += made

    def choose(undamaged: Float64Array, damaged: Float64Array) -> Calibration:
        seen = {*undamaged.tolist(), *damaged.tolist()}
        sessions = {session_of[score] for score in seen}
        held.append((seen, {score for score, session in session_of.items() if session in sessions}))
        return calibrate(undamaged, damaged)

    found = calibrate_by_type(scores, choose)
    assert set(found.by_part_type) == {"gear", "spring"}
    of_all_types = [(seen, whole) for seen, whole in held[1:-2] if len({s > 2.2 for s in seen}) == 2 and len(seen) > 60]
    assert len(of_all_types) == 5
    assert all(seen == whole for seen, whole in of_all_types)
    assert all(len(seen) == 0.8 * len(scores) for seen, _ in of_all_types), "two sessions in each fold"


def test_where_no_group_can_be_held_out_no_figure_is_given() -> None:
    scores = [dataclasses.replace(i, group="s") for i in drawn("gear", 1.0, seed=1) + drawn("spring", 2.5, seed=2)]
    found = calibrate_by_type(scores, calibrate)
    assert found.by_part_type == {}
    assert "One threshold for all part types: the images are of too few groups to hold some out" in found.notes[-1]
    assert not any("cross-validation" in note for note in found.notes)


def test_one_error_is_one_error() -> None:
    scores = [
        *images("gear", "undamaged", [*np.linspace(1, 1.3, 30), 5.0]),
        *images("gear", "damaged", np.linspace(2, 2.3, 30)),
        *images("spring", "undamaged", np.linspace(3, 3.3, 30)),
        *images("spring", "damaged", np.linspace(4, 4.3, 30)),
    ]
    said = " ".join(calibrate_by_type(scores, calibrate).notes)
    assert "One threshold for each part type: 1 error in cross-validation, " in said


def test_images_of_one_group_are_one_piece_of_evidence() -> None:
    """The same scores tell types apart as single images, and do not as two sessions that were lit differently."""
    scores = drawn("gear", 1.0, seed=1) + drawn("spring", 1.7, seed=2)
    assert calibrate_by_type(scores, calibrate).by_part_type
    grouped = [
        *images("gear", "undamaged", [i.score for i in scores[:30]], group="a"),
        *images("gear", "damaged", [i.score for i in scores[30:60]], group="a"),
        *images("spring", "undamaged", [i.score for i in scores[60:90]], group="b"),
        *images("spring", "damaged", [i.score for i in scores[90:]], group="b"),
    ]
    assert calibrate_by_type(grouped, calibrate).by_part_type == {}


@pytest.mark.parametrize(
    ("choose", "target"),
    [
        (partial(calibrate, objective="max-miss-rate", target=0.1), "misses"),
        (partial(calibrate, objective="max-false-alarm-rate", target=0.1), "false_alarms"),
        (partial(calibrate, objective="both-rates", max_miss_rate=0.1, max_false_alarm_rate=0.1), "misses"),
    ],
)
def test_a_promise_is_made_for_each_type_that_can_carry_it(choose: Callable[..., Calibration], target: str) -> None:
    scores = drawn("gear", 1.0, seed=1) + drawn("spring", 1.0, seed=2)
    found = calibrate_by_type(scores, choose)
    assert set(found.by_part_type) == {"gear", "spring"}, "29 images carry 10 %, whatever the scores"
    for own in found.by_part_type.values():
        assert (own.objective, own.confidence, getattr(own, target)) == (found.objective, 0.95, 0)
    text_and_back(found, scores)
    fewer = calibrate_by_type(scores[:-2] + drawn("washer", 1.0, seed=3, undamaged=28, damaged=0), choose)
    assert "washer" not in fewer.by_part_type
    assert any("washer (28 undamaged, 0 damaged)" in note for note in fewer.notes)
    said = " ".join(fewer.notes)
    assert f"One threshold of its own for {', '.join(fewer.by_part_type)}: the rate is kept for " in said
    assert "for each part type" not in said, "washer has none"
    with pytest.raises(PromiseNotPossibleError):
        calibrate_by_type(scores[:20] + scores[60:64], choose)


def test_undamaged_images_alone_keep_the_target_for_each_type() -> None:
    scores = drawn("gear", 1.0, seed=1, damaged=0) + drawn("spring", 2.0, seed=2, undamaged=18, damaged=0)
    found = calibrate_by_type(scores, calibrate)
    assert found.objective == "false-alarm-target"
    assert set(found.by_part_type) == {"gear"}, "19 carry 5 %, 18 do not"
    assert found.for_part_type("gear").p_value(1.9) != found.p_value(1.9)
    text_and_back(found, scores)


def test_least_cost_is_compared_as_cost() -> None:
    scores = drawn("gear", 1.0, seed=1) + drawn("spring", 2.5, seed=2)
    found = calibrate_by_type(scores, partial(calibrate, objective="cost", miss_cost=5.0))
    assert set(found.by_part_type) == {"gear", "spring"}
    assert any("cost in false alarms" in note for note in found.notes)


def test_the_order_of_the_images_changes_nothing() -> None:
    scores = drawn("gear", 1.0, seed=1) + drawn("spring", 1.4, seed=2)
    assert calibrate_by_type(scores, calibrate) == calibrate_by_type(scores[::-1], calibrate)


def test_counts_of_a_type_that_do_not_follow_are_noticed() -> None:
    scores = tuple(drawn("gear", 1.0, seed=1) + drawn("spring", 2.5, seed=2))
    found = calibrate_by_type(scores, calibrate)
    text = CalibrationRecord(1, TIME, "r", "s", found, scores).to_json()
    for changed in (text.replace('"gear": {', '"cog": {'), text.replace('"by_part_type": {', '"by_part_type": [{', 1)):
        with pytest.raises(CalibrationError):
            CalibrationRecord.from_json(changed)
