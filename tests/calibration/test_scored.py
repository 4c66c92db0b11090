"""An image is known by its content; the newer label wins and is noted."""

import dataclasses
import hashlib

import pytest

from anomaly.calibration import ScoredImage, merge_scores, scores_by_label
from anomaly.errors import CalibrationError


def scored(name, label, score, *, content=None):
    sha256 = hashlib.sha256((content or name).encode()).hexdigest()
    return ScoredImage(name, sha256, label, score)


def test_scores_come_apart_by_label():
    undamaged, damaged = scores_by_label([scored("a", "undamaged", 2.0), scored("b", "undamaged", 1.0)])
    assert undamaged.tolist() == [2.0, 1.0]
    assert damaged.shape == (0,)


def test_merging_adds_replaces_and_notes_new_labels():
    old = (scored("a", "undamaged", 1.0), scored("b", "undamaged", 2.0))
    new = (
        scored("c", "damaged", 3.0),
        scored("b2", "damaged", 2.5, content="b"),
        scored("a", "undamaged", 1.5),
    )
    merged = merge_scores(old, new)
    assert [(i.name, i.label, i.score) for i in merged.scores] == [
        ("a", "undamaged", 1.5),
        ("b2", "damaged", 2.5),
        ("c", "damaged", 3.0),
    ]
    assert merged.notes == ("b2 was labelled undamaged and is now labelled damaged.",)
    assert merge_scores(merged.scores, new).scores == merged.scores


def test_a_picture_that_comes_again_is_new_once_and_not_old():
    old = (scored("a", "undamaged", 1.0), scored("b", "undamaged", 2.0))
    new = (scored("c", "damaged", 3.0), scored("a", "undamaged", 1.5), scored("c", "damaged", 3.0))
    assert merge_scores(old, new).n_new == 2
    assert merge_scores(old, ()).n_new == 0
    merged = merge_scores(old, new)
    assert merge_scores(merged.scores, merged.scores).n_new == len(merged.scores) == 3


def test_one_picture_with_two_new_labels_is_refused():
    with pytest.raises(CalibrationError, match="same picture"):
        merge_scores((), (scored("a", "undamaged", 1.0), scored("b", "damaged", 1.0, content="a")))


@pytest.mark.parametrize("wrong", [{"score": float("nan")}, {"label": "good"}, {"sha256": "A" * 64}])
def test_a_malformed_image_is_refused(wrong):
    with pytest.raises(CalibrationError):
        dataclasses.replace(scored("a", "undamaged", 1.0), **wrong)


def test_what_a_new_score_does_not_say_stays_known():
    known = dataclasses.replace(scored("a", "damaged", 1.0), part_type="gears", group="s3", defect="rust")
    bare = scored("again", "damaged", 1.5, content="a")
    (merged,) = merge_scores([known], [bare]).scores
    assert (merged.name, merged.score) == ("again", 1.5)
    assert (merged.part_type, merged.group, merged.defect) == ("gears", "s3", "rust")
    (other,) = merge_scores([known], [dataclasses.replace(bare, label="undamaged", part_type="springs")]).scores
    assert (other.part_type, other.group, other.defect) == ("springs", "s3", "")
