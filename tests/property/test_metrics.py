"""What ranks is unchanged by any increasing transform, and agrees with scikit-learn and with counting pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from anomaly.evaluation import Undefined, auroc_interval, average_precision, image_auroc

PAIRS = st.lists(st.tuples(st.integers(-8, 8), st.booleans()), min_size=2, max_size=40).filter(
    lambda pairs: len({damaged for _, damaged in pairs}) == 2
)
TRANSFORMS = {
    "times 1000": lambda s: s * 1000,
    "plus 5": lambda s: s + 5,
    "exp": np.exp,
    "cube": lambda s: s**3,
    "arctan": np.arctan,
}


def split(pairs):
    return np.array([float(score) for score, _ in pairs]), np.array([damaged for _, damaged in pairs])


@pytest.mark.parametrize("name", TRANSFORMS)
@given(PAIRS)
def test_increasing_transforms_change_nothing(name, pairs):
    scores, damaged = split(pairs)
    other = TRANSFORMS[name](scores)
    assert image_auroc(other, damaged) == image_auroc(scores, damaged)
    assert average_precision(other, damaged) == average_precision(scores, damaged)
    assert auroc_interval(other, damaged) == auroc_interval(scores, damaged)


@given(PAIRS)
def test_auroc_counts_pairs(pairs):
    scores, damaged = split(pairs)
    difference = scores[damaged][:, None] - scores[~damaged]
    by_hand = np.mean((difference > 0) + 0.5 * (difference == 0))
    assert image_auroc(scores, damaged) == pytest.approx(by_hand)
    assert image_auroc(scores, damaged) == pytest.approx(roc_auc_score(damaged, scores))


@given(PAIRS)
def test_average_precision_is_that_of_scikit_learn(pairs):
    scores, damaged = split(pairs)
    assert average_precision(scores, damaged) == pytest.approx(average_precision_score(damaged, scores))


@given(PAIRS, st.randoms(use_true_random=False))
def test_order_does_not_matter(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert average_precision(*split(pairs)) == average_precision(*split(shuffled))
    assert image_auroc(*split(pairs)) == pytest.approx(image_auroc(*split(shuffled)))


@given(PAIRS)
def test_turning_the_scores_round_turns_the_area_round(pairs):
    scores, damaged = split(pairs)
    assert image_auroc(-scores, damaged) == pytest.approx(1 - image_auroc(scores, damaged))


@given(PAIRS)
def test_the_interval_holds_the_estimate_and_is_never_empty(pairs):
    found = auroc_interval(*split(pairs))
    assert not isinstance(found, Undefined)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high > found.low
