from __future__ import annotations

import numpy as np
import pytest

from anomaly.embedding.registry import backbone, backbone_names
from anomaly.experiment.choice import choose, complexity
from anomaly.experiment.learning_curve import label_curve, memory_sizes
from anomaly.experiment.measures import auroc_of_units, found_at, measure, standard_error
from anomaly.experiment.space import BACKBONE, SIZE, TAPS


def test_separated_scores_are_perfect() -> None:
    damaged = np.arange(20) >= 10
    scores = np.where(damaged, 2.0, 1.0)[None] + np.linspace(0, 0.1, 20)
    found = measure(scores, damaged, np.arange(20), seed=0)
    assert (found.auroc.value, found.auroc.low, found.auroc.high, found.found) == (1.0, 1.0, 1.0, 10.0)
    assert found.loss < 0.3
    shuffled = measure(np.random.default_rng(0).uniform(1, 2, (1, 20)), damaged, np.arange(20), seed=0)
    assert shuffled.loss > found.loss


def test_ranking_the_wrong_way_round_is_worth_no_more_than_knowing_nothing() -> None:
    damaged = np.arange(40) >= 20
    backwards = np.where(damaged, 1.0, 2.0)[None] + np.linspace(0, 0.1, 40)
    assert measure(backwards, damaged, np.arange(40), seed=0).loss == pytest.approx(np.log(2))


def test_the_interval_is_wider_where_whole_units_are_alike() -> None:
    rng = np.random.default_rng(0)
    damaged = np.arange(60) % 2 == 0
    unit = np.arange(60) // 10
    shift = rng.normal(0, 0.5, 6)[unit]
    scores = np.exp(rng.normal(0, 0.2, 60) + 0.3 * damaged + shift * (1 + damaged))[None]
    together = auroc_of_units(scores, damaged, unit, seed=0)
    alone = auroc_of_units(scores, damaged, np.arange(60), seed=0)
    assert together.value == alone.value
    assert together.high - together.low > alone.high - alone.low


def test_found_where_one_in_twenty_is_flagged() -> None:
    damaged = np.array([False] * 20 + [True] * 2)
    scores = np.array([[*range(20), 18.5, 17.5]], dtype=np.float64)
    assert found_at(scores, damaged) == 1.0  # one undamaged one is flagged, at 19: the threshold is 18


def test_standard_error_by_hand() -> None:
    values = np.array([0.0, 2.0, 0.0, 2.0])
    assert standard_error(values, np.arange(4)) == pytest.approx(np.std(values, ddof=1) / 2)
    assert standard_error(values, np.array([0, 0, 1, 1])) == 0.0
    assert standard_error(values, np.zeros(4, dtype=int)) == float("inf")


def test_the_simplest_of_the_good_ones_is_chosen() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 40)
    best = 0.3 + noise
    settings = [{SIZE: 640, TAPS: ("a", "b")}, {SIZE: 320, TAPS: ("a",)}, {SIZE: 224, TAPS: ("a",)}]
    swing = 0.1 * (-1.0) ** np.arange(40)
    losses = [best, best + swing + 0.005, best + 0.5 + noise]
    place, chosen, gap, candidates = choose(list(zip(settings, losses, strict=True)), np.arange(40))
    assert (place, chosen, candidates) == (0, 1, [0, 1])
    assert gap[0] == pytest.approx(0.005)
    assert gap[0] <= gap[1]


def test_losses_that_differ_by_rounding_or_in_one_photograph_are_as_good() -> None:
    losses = np.linspace(0.1, 0.4, 40)
    settings = [{SIZE: 640}, {SIZE: 320}]
    for other in (losses + 1e-14 * (1 + np.arange(40) % 2), losses + 0.01 * (np.arange(40) == 3)):
        place, chosen, _, candidates = choose([(settings[0], losses), (settings[1], other)], np.arange(40))
        assert (place, chosen, candidates) == (0, 1, [0, 1])


def test_complexity_is_a_complete_order() -> None:
    one = {SIZE: 320, TAPS: ("a",), "scoring.smoothing": 0.5}
    assert complexity(one) < complexity({**one, SIZE: 448})
    assert complexity(one) < complexity({**one, TAPS: ("a", "b")})
    assert complexity(one) != complexity({**one, "scoring.smoothing": 1.0})


def test_a_backbone_is_simpler_that_costs_less_whatever_its_name() -> None:
    ordered = sorted(backbone_names(), key=lambda name: complexity({BACKBONE: name}))
    assert ordered[:3] == ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]
    assert ordered == sorted(backbone_names(), key=lambda name: backbone(name).multiply_adds)
    losses = np.linspace(0.1, 0.4, 40)
    tied = losses + 0.005 + 0.1 * (-1.0) ** np.arange(40)
    trials = [({BACKBONE: "efficientnet_lite0"}, losses), ({BACKBONE: "dinov2_vits14"}, tied)]
    _, chosen, _, candidates = choose(trials, np.arange(40))
    assert (chosen, candidates) == (0, [0, 1])


def test_memory_sizes() -> None:
    assert memory_sizes(50) == [5, 10, 20, 50]
    assert memory_sizes(6) == [6]
    assert memory_sizes(80) == [5, 10, 20, 40, 80]


def test_more_labels_make_a_steadier_threshold() -> None:
    rng = np.random.default_rng(0)
    damaged = np.arange(120) < 40
    scores = np.exp(rng.normal(0, 0.3, (1, 120)) + 0.9 * damaged)
    curve = label_curve(scores, damaged, seed=0)
    assert [point.n for point in curve] == [2, 5, 10, 15, 20]
    assert curve[-1].value > curve[0].value
    assert all(point.low <= point.value <= point.high for point in curve)
    assert curve == label_curve(scores, damaged, seed=0)
