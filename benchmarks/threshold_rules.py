"""Compare rules that place the accuracy threshold, under score laws whose best threshold is known.

For each law and each pair of class sizes, validation scores are drawn, each rule chooses its threshold,
and the error it makes on unseen scores is computed from the law itself, no second draw needed. The table
shows the mean excess over the error of the best possible threshold, in percentage points (smaller is better).

    python -m benchmarks.threshold_rules --draws 300

The decision drawn from it: docs/decisions/0003-threshold-rule.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from anomaly.calibration import accuracy_threshold
from anomaly.types import Float64Array

SIZES = ((10, 10), (30, 30), (100, 100), (20, 60), (60, 12))
LEFT_OUT = 40
"""Left-out scores that come on top: of the undamaged law, and 1 too high, since they must not be taken as they are."""


@dataclass(frozen=True)
class Law:
    """A mixture of frozen scipy distributions."""

    parts: tuple[tuple[float, Any], ...]

    def draw(self, n: int, rng: np.random.Generator) -> Float64Array:
        """Return n scores, (n,)."""
        which = rng.choice(len(self.parts), p=[weight for weight, _ in self.parts], size=n)
        scores = np.stack([part.rvs(size=n, random_state=rng) for _, part in self.parts])
        return np.asarray(scores[which, np.arange(n)], dtype=np.float64)

    def below(self, threshold: Float64Array) -> Float64Array:
        """Return the probability of a score up to each threshold."""
        return np.asarray(sum(weight * part.cdf(threshold) for weight, part in self.parts))


def _law(*parts: Any) -> Law:
    return Law(parts if isinstance(parts[0], tuple) else ((1.0, parts[0]),))


LAWS = {
    "normal, 4 sd apart": (_law(stats.norm(0, 1)), _law(stats.norm(4, 1))),
    "normal, 2 sd apart": (_law(stats.norm(0, 1)), _law(stats.norm(2, 1))),
    "normal, 1 sd apart": (_law(stats.norm(0, 1)), _law(stats.norm(1, 1))),
    "wide damaged": (_law(stats.norm(0, 1)), _law(stats.norm(6, 3))),
    "gamma, far apart": (_law(stats.gamma(4)), _law(stats.gamma(4, loc=10, scale=3))),
    "gamma, overlapping": (_law(stats.gamma(4)), _law(stats.gamma(4, loc=2, scale=2))),
    "lognormal": (_law(stats.lognorm(0.5)), _law(stats.lognorm(0.7, scale=4))),
    "Student t, 3 d.f.": (_law(stats.t(3)), _law(stats.t(3, loc=4))),
    "5 % odd undamaged": (
        _law((0.95, stats.norm(0, 1)), (0.05, stats.uniform(3, 9))),
        _law(stats.norm(12, 2)),
    ),
    "30 % faint damage": (_law(stats.norm(0, 1)), _law((0.7, stats.norm(10, 3)), (0.3, stats.expon(1)))),
}


def fewest_errors_widest_gap(undamaged: Float64Array, damaged: Float64Array) -> float:
    """Return the middle of the widest among the gaps with fewest errors."""
    low, high = _gaps(undamaged, damaged)
    errors = (undamaged > low[:, None]).sum(axis=1) + (damaged <= low[:, None]).sum(axis=1)
    best = np.flatnonzero(errors == errors.min())
    widest = best[np.argmax((high - low)[best])]
    return float((low[widest] + high[widest]) / 2)


def fewest_errors_middle_gap(undamaged: Float64Array, damaged: Float64Array) -> float:
    """Return the middle of the median among the gaps with fewest errors."""
    low, high = _gaps(undamaged, damaged)
    errors = (undamaged > low[:, None]).sum(axis=1) + (damaged <= low[:, None]).sum(axis=1)
    best = np.flatnonzero(errors == errors.min())
    middle = best[best.size // 2]
    return float((low[middle] + high[middle]) / 2)


def fewest_smoothed_errors(undamaged: Float64Array, damaged: Float64Array) -> float:
    """Return the place with the fewest smoothed errors, wherever it is (normal kernels)."""
    low, high = _gaps(undamaged, damaged)
    places = np.linspace(low[0], high[-1], 400)
    errors = np.zeros(places.size)
    for scores, sign in ((undamaged, 1), (damaged, -1)):
        quartiles = float(np.subtract(*np.percentile(scores, [75, 25]))) / 1.349
        width = min(float(np.std(scores)), quartiles) * scores.size**-0.2
        errors += stats.norm.cdf(sign * (scores[:, None] - places) / width).sum(axis=0)
    return float(places[np.argmin(errors)])


def best_f1_sample(undamaged: Float64Array, damaged: Float64Array) -> float:
    """Return the validation score with the best F1, as anomalib does; decided by ``>``."""
    places = np.sort(damaged)
    hits = (damaged >= places[:, None]).sum(axis=1)
    alarms = (undamaged >= places[:, None]).sum(axis=1)
    return float(places[np.argmax(2 * hits / (hits + alarms + damaged.size))])


RULES: dict[str, Callable[[Float64Array, Float64Array, Float64Array], float]] = {
    "chosen, left out": lambda u, d, left_out: accuracy_threshold(u, d, left_out_scores=left_out),
    "chosen": lambda u, d, _: accuracy_threshold(u, d),
    "widest gap": lambda u, d, _: fewest_errors_widest_gap(u, d),
    "middle gap": lambda u, d, _: fewest_errors_middle_gap(u, d),
    "smoothed": lambda u, d, _: fewest_smoothed_errors(u, d),
    "F1 sample": lambda u, d, _: best_f1_sample(u, d),
}


def _gaps(undamaged: Float64Array, damaged: Float64Array) -> tuple[Float64Array, Float64Array]:
    pooled = np.unique(np.concatenate([undamaged, damaged]))
    margin = (pooled[-1] - pooled[0]) / pooled.size
    return np.append(pooled[0] - margin, pooled), np.append(pooled, pooled[-1] + margin)


def excess_errors(undamaged: Law, damaged: Law, *, sizes: tuple[int, int], draws: int) -> dict[str, float]:
    """Return each rule's mean excess error on unseen scores, in percentage points."""
    n0, n1 = sizes
    share = n0 / (n0 + n1)

    def error(thresholds: Float64Array) -> Float64Array:
        return share * (1 - undamaged.below(thresholds)) + (1 - share) * damaged.below(thresholds)

    rng = np.random.default_rng(1)
    pairs = [(undamaged.draw(n0, rng), damaged.draw(n1, rng)) for _ in range(draws)]
    drawn = [(*pair, undamaged.draw(LEFT_OUT, rng) + 1) for pair in pairs]
    best = float(np.min(error(np.linspace(-6, 40, 20_001))))
    return {
        name: 100 * (float(np.mean(error(np.array([rule(*scores) for scores in drawn])))) - best)
        for name, rule in RULES.items()
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--draws", type=int, default=300, help="validation sets for each row")
    draws = parser.parse_args().draws
    print("| law | n0 | n1 | " + " | ".join(RULES) + " |")
    print("|---|---|---|" + "---|" * len(RULES))
    rows = []
    for name, (undamaged, damaged) in LAWS.items():
        for sizes in SIZES:
            row = excess_errors(undamaged, damaged, sizes=sizes, draws=draws)
            rows.append(row)
            cells = " | ".join(f"{row[rule]:.2f}" for rule in RULES)
            print(f"| {name} | {sizes[0]} | {sizes[1]} | {cells} |", flush=True)
    means = " | ".join(f"**{np.mean([row[rule] for row in rows]):.2f}**" for rule in RULES)
    worst = " | ".join(f"{np.max([row[rule] for row in rows]):.2f}" for rule in RULES)
    print(f"| **mean** | | | {means} |\n| worst | | | {worst} |")


if __name__ == "__main__":
    main()
