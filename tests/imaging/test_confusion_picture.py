from __future__ import annotations

import numpy as np
import pytest

from anomaly.imaging._colours import AMBER, VERMILLION
from anomaly.imaging._lettering import fit
from anomaly.imaging.confusion_picture import (
    SHOWN,
    JudgedImage,
    _heading,
    _legend,
    chosen,
    render_confusion,
    short_names,
)
from anomaly.types import Label, UInt8Array, Verdict


def judged(truth: Label, verdict: Verdict, score: float, name: str = "a.png") -> JudgedImage:
    return JudgedImage(name, truth, verdict, score, threshold=1.0)


def count(picture: UInt8Array, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=-1).sum())


def test_wrong_ones_start_with_the_worst_and_right_ones_with_the_closest_call() -> None:
    missed = [judged("damaged", "undamaged", score) for score in (0.9, 0.2, 0.5)]
    caught = [judged("damaged", "damaged", score) for score in (3.0, 1.1, 2.0)]
    images = [*caught, *missed]
    assert [image.score for image in chosen(images, "damaged", "undamaged")] == [0.2, 0.5, 0.9]
    assert [image.score for image in chosen(images, "damaged", "damaged")] == [1.1, 2.0, 3.0]
    assert chosen(images, "undamaged", "damaged") == []


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (400, 3), (90, 120)])
def test_the_images_stand_in_their_fields_and_no_more_are_asked_for_than_shown(shape: tuple[int, int]) -> None:
    asked = []

    def red(image: JudgedImage) -> UInt8Array:
        asked.append(image)
        return np.full((*shape, 3), (200, 0, 0), dtype=np.uint8)

    images = [judged("undamaged", "undamaged", 0.1 * n, f"{n}.png") for n in range(40)]
    picture = render_confusion([*images, judged("damaged", "undamaged", 0.5)], red, title="parts")
    assert len(asked) == SHOWN + 1
    middle = picture.shape[1] // 2
    assert count(picture[:, :middle], (200, 0, 0)) >= SHOWN
    assert count(picture[:, middle:], (200, 0, 0)) == 0


def test_what_is_to_be_reinspected_has_a_column_of_its_own() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    two = render_confusion([judged("damaged", "damaged", 2.0)], lambda _: black)
    three = render_confusion([judged("damaged", "reinspect", 0.9)], lambda _: black)
    assert three.shape[1] > two.shape[1]
    assert count(two, AMBER) == 0 < count(three, AMBER)
    assert count(two, VERMILLION) > 0


def test_what_was_right_is_not_said_twice() -> None:
    assert _heading("damaged", "damaged", 5)[0] == "5 damaged, found"
    assert _heading("undamaged", "undamaged", 7)[0] == "7 undamaged, passed"
    assert _heading("damaged", "undamaged", 2)[0] == "2 damaged, missed"
    assert _heading("undamaged", "damaged", 40)[0] == f"40 undamaged, flagged as damaged, {SHOWN} shown"


def test_names_that_end_alike_can_be_told_apart() -> None:
    names = [f"undamaged/01_20083{n}132756_277500_{n}15_crop_2.jpg" for n in range(9)]
    short = short_names(names)
    drawn = {fit(text, size=12, width=120) for text in short.values()}
    assert len(drawn) == len(names)
    assert not any("crop" in text for text in drawn)
    assert short_names(["good/a.png", "bad/b.png"]) == {"good/a.png": "a.png", "bad/b.png": "b.png"}
    assert set(short_names(["good/0.png", "bad/0.png"]).values()) == {"good/0.png", "bad/0.png"}
    long = "x" * 300
    assert set(short_names([f"{long}_1.png", f"{long}_2.png"]).values()) == {"…1…", "…2…"}
    assert short_names([]) == {}


def test_the_threshold_and_the_number_are_explained() -> None:
    told = " ".join(_legend([judged("damaged", "damaged", 2.0)]))
    assert "its score" in told
    assert "threshold 1.00 is called damaged" in told
    types = [judged("damaged", "damaged", 2.0), JudgedImage("b.png", "damaged", "damaged", 2.0, threshold=0.9)]
    assert "threshold of its part type (0.900, 1.00)" in " ".join(_legend(types))


def test_fields_are_as_tall_as_their_images_take() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    heights = [
        render_confusion([judged("damaged", "damaged", 2.0, f"{n}.png") for n in range(count)], lambda _: black).shape[
            0
        ]
        for count in (1, 4, 5, 12, 30)
    ]
    assert heights[0] == heights[1] < heights[2] < heights[3] == heights[4]


def test_no_image_at_all_is_a_picture_of_zeros() -> None:
    assert render_confusion([], lambda image: np.zeros((1, 1, 3), np.uint8)).ndim == 3
