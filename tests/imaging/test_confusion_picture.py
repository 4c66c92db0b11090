from __future__ import annotations

import numpy as np
import pytest

from anomaly.imaging._colours import AMBER, VERMILLION
from anomaly.imaging.confusion_picture import SHOWN, JudgedImage, chosen, render_confusion
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


def test_no_image_at_all_is_a_picture_of_zeros() -> None:
    assert render_confusion([], lambda image: np.zeros((1, 1, 3), np.uint8)).ndim == 3
