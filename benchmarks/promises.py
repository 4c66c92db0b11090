"""Do promises hold, is the threshold good, are probabilities right? On many random splits of scored real images.

    python benchmarks/promises.py --scores FILE... [--output FILE]
    python benchmarks/promises.py --data DATA [--sets NAME...] [--config FILE] --save-scores FILE

FILE has the columns ``set,truth,score``, or is what ``--evaluate --csv`` writes. With ``--data``, as for
``benchmarks/real_sets.py``, the scores are made first: memory bank from ``train/good``, all of ``test`` scored, and
bank images each against the bank without itself.

Each set is halved ``--splits`` times at random, each label for itself: one half calibrates, the other tests.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from anomaly.config import Config, load_config
from anomaly.errors import DatasetError
from anomaly.evaluation import Reliability, Undefined, image_auroc, reliability
from benchmarks._machine import machine_line, provenance
from benchmarks._main import exit_status
from benchmarks._results import format_table, write_results
from benchmarks._scores import SetScores, read_scores, score_set, write_scores
from benchmarks._sets import find_sets
from benchmarks._splits import balanced_accuracies, halve, kept_promises, reliabilities, said_and_happened

RESULTS = Path(__file__).parent / "results"
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "reliability.png"
TARGETS = (0.05, 0.1, 0.2)
LEAST = 8
"""Images of each label that a set needs."""


def measure(scores: SetScores, *, splits: int, seed: int, confidence: float) -> dict[str, Any]:
    """Return all figures of one set, ready for the result file.

    Parameters
    ----------
    scores : SetScores
    splits, seed : int
    confidence : float
        Of the promises.
    """
    halves = halve(scores, splits, seed=seed)
    balanced = balanced_accuracies(halves)
    pairs = said_and_happened(halves)
    each = reliabilities(pairs)
    errors = np.array([one.error for one in each])
    low, high = np.quantile(errors, [0.025, 0.975])
    auroc = image_auroc(
        np.concatenate([scores.undamaged, scores.damaged]),
        np.arange(scores.undamaged.size + scores.damaged.size) >= scores.undamaged.size,
    )
    return {
        "set": scores.name,
        "n_undamaged": int(scores.undamaged.size),
        "n_damaged": int(scores.damaged.size),
        "image_auroc": None if isinstance(auroc, Undefined) else round(auroc, 6),
        "balanced_accuracy": {name: round(value, 6) for name, value in asdict(balanced).items()},
        "promises": [_plain(asdict(kept)) for kept in kept_promises(halves, TARGETS, confidence=confidence)],
        "calibration_error": {
            "mean": round(float(errors.mean()), 6),
            "low": round(float(low), 6),
            "high": round(float(high), 6),
            "mean_if_perfect": round(float(np.mean([one.error_if_perfect for one in each])), 6),
            "brier": round(float(np.mean([one.brier for one in each])), 6),
        },
        "reliability": _curve(pairs),
    }


def _plain(kept: dict[str, Any]) -> dict[str, Any]:
    """Return a promise ready for JSON: what could not be promised has no figures."""
    return {
        name: (None if math.isnan(value) else round(value, 6)) if isinstance(value, float) else value
        for name, value in kept.items()
    }


def _curve(pairs: list[tuple[Any, Any]]) -> list[dict[str, float | int]]:
    """Pool the test halves of all splits: mean probability and share damaged of each bin."""
    said, happened = (np.concatenate(column) for column in zip(*pairs, strict=True))
    pooled = reliability(said, happened, draws=2)
    assert isinstance(pooled, Reliability)
    return [
        {"probability": round(b.probability, 6), "damaged": round(b.damaged.value, 6), "n": b.damaged.n}
        for b in pooled.bins
    ]


def balanced_table(results: list[dict[str, Any]]) -> str:
    """Lay out balanced accuracy and calibration error, a row for each set, in %."""
    rows = []
    for found in results:
        balanced, error = found["balanced_accuracy"], found["calibration_error"]
        shown = [f"{100 * balanced[name]:.1f}" for name in ("ours", "alone", "f1", "hindsight")]
        rows.append(
            [
                found["set"],
                f"{found['n_undamaged']} + {found['n_damaged']}",
                f"{100 * found['image_auroc']:.1f}",
                *shown,
                f"{100 * error['mean']:.1f} ({100 * error['low']:.1f}-{100 * error['high']:.1f})",
                f"{100 * error['mean_if_perfect']:.1f}",
            ]
        )  # fmt: skip
    header = ("set", "images", "AUROC", "balanced ours", "alone", "F1", "hindsight", "calibration error", "if perfect")
    return format_table(header, rows)


def promise_table(results: list[dict[str, Any]]) -> str:
    """Lay out the promises that could be made, a row for each set and promise, in %."""
    rows = [
        [
            found["set"],
            f"{kept['objective']} {100 * kept['target']:g}",
            f"{kept['n_validation']} / {kept['n_test']}",
            f"{100 * kept['held']:.0f}",
            f"{100 * kept['held_expected']:.0f}",
            f"{100 * kept['mean_rate']:.1f}",
        ]
        for found in results
        for kept in found["promises"]
        if kept["splits"]
    ]
    return format_table(("set", "promise", "validation / test", "held", "expected", "mean rate"), rows)


def draw_reliability(results: list[dict[str, Any]], path: Path) -> None:
    """Draw the share of damaged images against the probability said, a line for each set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 6), dpi=120)
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfect")
    for found in results:
        bins = found["reliability"]
        sizes = [6 + 60 * b["n"] / sum(other["n"] for other in bins) for b in bins]
        x, y = [b["probability"] for b in bins], [b["damaged"] for b in bins]
        (line,) = axes.plot(x, y, linewidth=1, label=found["set"])
        axes.scatter(x, y, s=sizes, color=line.get_color())
    axes.set(xlabel="probability of damage said", ylabel="share damaged", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_title("Test halves of all splits; area of a dot: images", fontsize=10)
    axes.legend(fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)


def _made_scores(options: argparse.Namespace) -> tuple[SetScores, ...]:
    config = load_config(options.config) if options.config else Config()
    found = []
    for image_set in find_sets(options.data, options.sets):
        print(f"{image_set.name} ...", file=sys.stderr, flush=True)
        name = f"{image_set.name}{options.suffix}"
        found.append(score_set(image_set, config, name=name, device=options.device))
    return tuple(found)


def _measure(options: argparse.Namespace) -> None:
    sets = _made_scores(options) if options.data else ()
    if sets:
        write_scores(options.save_scores, sets)
        print(f"written: {options.save_scores}", file=sys.stderr)
        return
    sets = tuple(found for path in options.scores for found in read_scores(path))
    usable = [found for found in sets if min(found.undamaged.size, found.damaged.size) >= LEAST]
    if not usable:
        raise DatasetError(f"expected a set with {LEAST} images of each label, got {len(sets)} smaller ones")
    results = [
        measure(found, splits=options.splits, seed=options.seed, confidence=options.confidence) for found in usable
    ]
    about = provenance()
    print(f"{machine_line(about['machine'])}; {about['date'][:10]}; {options.splits} splits, seed {options.seed}\n")
    print(balanced_table(results))
    print(f"\n{promise_table(results)}")
    print(_summary(results))
    settings: Mapping[str, Any] = {
        "splits": options.splits, "seed": options.seed, "confidence": options.confidence, "targets": list(TARGETS),
    }  # fmt: skip
    write_results(options.output, about | settings | {"sets": results})
    draw_reliability(results, options.picture)


def _summary(results: list[dict[str, Any]]) -> str:
    balanced = [found["balanced_accuracy"] for found in results]
    said = []
    for name in ("ours", "alone"):
        behind = 100 * np.mean([each["hindsight"] - each[name] for each in balanced])
        worst = 100 * min(each[name] - each["f1"] for each in balanced)
        said.append(
            f"{name}: {behind:.2f} points below hindsight on average; against the F1 threshold {worst:+.2f} points "
            "on its worst set."
        )
    return "\n".join(
        [
            "",
            *said,
            "All in %. alone: without left-out scores. Held: splits in which the rate on the test half was at most",
            "the promised one; expected: the same for exchangeable images.",
        ]
    )


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--scores", nargs="+", type=Path, metavar="FILE", help="scores of several sets")
    source.add_argument("--data", type=Path, metavar="DATA", help="folder of image sets: make scores and stop")
    parser.add_argument("--sets", nargs="+", default=[], metavar="NAME", help="only these (default: all)")
    parser.add_argument("--suffix", default="", help="put behind the names of the sets, such as ', 128 px'")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML (default: the library's)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
    parser.add_argument("--save-scores", type=Path, default=RESULTS / "scores.csv", metavar="FILE")
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--output", type=Path, default=RESULTS / "promises.json", metavar="FILE")
    parser.add_argument("--picture", type=Path, default=PICTURE, metavar="FILE", help="reliability plot (PNG)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return the exit status."""
    return exit_status(lambda: _measure(_parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
