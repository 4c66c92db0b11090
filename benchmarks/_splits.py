"""One set of scores under many random halvings: what a threshold chosen on one half does on the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomaly.calibration import Calibration, Objective, calibrate
from anomaly.errors import PromiseNotPossibleError
from anomaly.evaluation import Reliability, reliability
from anomaly.types import BoolArray, Float64Array
from benchmarks._scores import SetScores
from benchmarks.threshold_rules import best_f1_sample


@dataclass(frozen=True, eq=False)
class Halves:
    """Validation and test scores of one split; each half has half of each label. Left-out scores are in no half."""

    undamaged: Float64Array
    damaged: Float64Array
    test_undamaged: Float64Array
    test_damaged: Float64Array
    left_out: Float64Array


@dataclass(frozen=True)
class Kept:
    """How one promised rate did on the test halves.

    Attributes
    ----------
    objective : str
    target : float
    n_validation, n_test : int
        Images of the label concerned.
    splits : int
        0: the validation half cannot carry the promise.
    held : float
        Share of the splits in which the rate on the test half was at most the target.
    held_expected : float
        The same share that exchangeable images without ties lead to, exactly; a test half is small, so it is below
        the confidence of the promise, which is about the rate over all images.
    mean_rate : float
        Over the splits.
    """

    objective: Objective
    target: float
    n_validation: int
    n_test: int
    splits: int
    held: float
    held_expected: float
    mean_rate: float


@dataclass(frozen=True)
class Balanced:
    """Mean balanced accuracy over the splits, on the test halves.

    Attributes
    ----------
    ours, alone, f1, hindsight : float
        At the threshold of ``accuracy``; at the same without left-out scores; at the validation score with the best F1,
        as anomalib chooses; at the best threshold for this very test half, which nobody can know.
    """

    ours: float
    alone: float
    f1: float
    hindsight: float


def halve(scores: SetScores, splits: int, *, seed: int) -> list[Halves]:
    """Split each label at random into halves; of an odd number the larger half is validation."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(splits):
        parts = []
        for values in (scores.undamaged, scores.damaged):
            shuffled = random.permutation(values)
            middle = (values.size + 1) // 2
            parts.append((shuffled[:middle], shuffled[middle:]))
        (undamaged, test_undamaged), (damaged, test_damaged) = parts
        found.append(Halves(undamaged, damaged, test_undamaged, test_damaged, scores.left_out))
    return found


def kept_promises(splits: Sequence[Halves], targets: Sequence[float], *, confidence: float) -> list[Kept]:
    """Make each promise on each validation half and look whether it held on the test half."""
    found = []
    objectives: tuple[Objective, ...] = ("max-miss-rate", "max-false-alarm-rate")
    for objective in objectives:
        for target in targets:
            rates, allowed = [], 0
            for halves in splits:
                try:
                    made = calibrate(
                        halves.undamaged, halves.damaged, objective=objective, target=target, confidence=confidence
                    )
                except PromiseNotPossibleError:
                    break
                rates.append(_rate(made, halves))
                allowed = _allowed(halves, objective, target, confidence)
            first = splits[0]
            pair = (first.damaged, first.test_damaged) if objective == "max-miss-rate" else (
                first.undamaged, first.test_undamaged,
            )  # fmt: skip
            n, n_test = (part.size for part in pair)
            found.append(
                Kept(
                    objective=objective,
                    target=target,
                    n_validation=n,
                    n_test=n_test,
                    splits=len(rates),
                    held=float(np.mean(np.array(rates) <= target)) if rates else math.nan,
                    held_expected=expected_share(n, n_test, allowed, target=target) if rates else math.nan,
                    mean_rate=float(np.mean(rates)) if rates else math.nan,
                )
            )
    return found


def expected_share(n: int, n_test: int, allowed: int, *, target: float) -> float:
    """Return how often at most ``target * n_test`` of n_test images lie beyond the order statistic of n others.

    Parameters
    ----------
    n, n_test : int
    allowed : int
        Of the n scores, those beyond the order statistic.

    Notes
    -----
    The number J beyond it follows the negative hypergeometric law
    ``P(J = j) = C(j + allowed, j) C(n_test - j + n - allowed - 1, n_test - j) / C(n_test + n, n_test)``,
    whatever the law of the scores, if all are exchangeable and none tie.
    """
    most = math.floor(target * n_test + 1e-9)
    ways = sum(math.comb(j + allowed, j) * math.comb(n_test - j + n - allowed - 1, n_test - j) for j in range(most + 1))
    return ways / math.comb(n_test + n, n_test)


def balanced_accuracies(splits: Sequence[Halves]) -> Balanced:
    """Compare our threshold with the F1 threshold and with hindsight, on the test halves."""
    rows = []
    for halves in splits:
        u, d = halves.undamaged, halves.damaged
        pooled = np.unique(np.concatenate([halves.test_undamaged, halves.test_damaged]))
        chosen = (
            calibrate(u, d, left_out_scores=halves.left_out).threshold,
            calibrate(u, d).threshold,
            best_f1_sample(np.sort(u), np.sort(d)),
        )
        hindsight = float(_balanced(halves, np.concatenate([[pooled[0] - 1], pooled])).max())
        rows.append((*_balanced(halves, np.array(chosen)).tolist(), hindsight))
    return Balanced(*(float(np.mean(column)) for column in zip(*rows, strict=True)))


def said_and_happened(splits: Sequence[Halves]) -> list[tuple[Float64Array, BoolArray]]:
    """Return, for each split, the probabilities of the test images and whether they are damaged."""
    found = []
    for halves in splits:
        calibration = calibrate(halves.undamaged, halves.damaged, left_out_scores=halves.left_out)
        scores = np.concatenate([halves.test_undamaged, halves.test_damaged])
        said = np.array([_probability(calibration, float(score)) for score in scores])
        found.append((said, np.arange(scores.size) >= halves.test_undamaged.size))
    return found


def reliabilities(pairs: Sequence[tuple[Float64Array, BoolArray]]) -> list[Reliability]:
    """Return the reliability of each split."""
    found = [reliability(said, happened, draws=200) for said, happened in pairs]
    return [one for one in found if isinstance(one, Reliability)]


def _probability(calibration: Calibration, score: float) -> float:
    found = calibration.probability(score)
    assert found is not None
    return found[0]


def _balanced(halves: Halves, thresholds: Float64Array) -> Float64Array:
    caught = (halves.test_damaged[:, None] > thresholds).mean(axis=0)
    passed = (halves.test_undamaged[:, None] <= thresholds).mean(axis=0)
    return np.asarray((caught + passed) / 2, dtype=np.float64)


def _rate(made: Calibration, halves: Halves) -> float:
    if made.objective == "max-miss-rate":
        return float(np.mean(halves.test_damaged <= made.threshold))
    return float(np.mean(halves.test_undamaged > made.threshold))


def _allowed(halves: Halves, objective: Objective, target: float, confidence: float) -> int:
    """Errors that the rule allows on validation, were no scores tied."""
    n = (halves.damaged if objective == "max-miss-rate" else halves.undamaged).size
    apart = calibrate(np.arange(float(n)), [], objective="max-false-alarm-rate", target=target, confidence=confidence)
    return apart.false_alarms
