"""Does an experiment keep its word: the chosen setting, trained anew with several seeds, on the untouched test split.

    python benchmarks/experiment_check.py [IMAGES] [--space FILE] [--seeds N...] [--work DIR] [--output FILE]

The split is made once. The experiment sees its photographs of memory and validation, and predicts an AUROC with an
interval; then each seed selects a memory of its own from the photographs of the memory, and the test split is scored.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.config import Config, replace_setting
from anomaly.dataset import SplitAssignment, find_duplicates, read_dataset, split_dataset
from anomaly.detector.patchcore import PatchCore
from anomaly.errors import DatasetError
from anomaly.evaluation import image_auroc
from anomaly.experiment import Space, apply, dataset_hash, describe, images_hash, plan, read_space
from anomaly.experiment import run as run_experiment
from anomaly.types import DAMAGED
from benchmarks._main import exit_status, measure_parts
from benchmarks._processes import ROOT

OUTPUT = Path(__file__).parent / "results" / "experiment_check.json"
SMALL = Space(
    axes={
        "geometry.size": (320,),
        "bank.max_rows": (500,),
        "embedding.whitening": (False, True),
        "scoring.smoothing": (0.5, 1.0, 2.0),
    },
    trials=6,
    repeats=2,
    patches=10_000,
)


def check(options: argparse.Namespace) -> dict[str, Any]:
    """Run the experiment, train its choice with every seed, score the test split."""
    config = Config()
    for name in ("capture.check", "parts.find"):
        config = replace_setting(config, name, False)
    dataset = read_dataset(options.images)
    duplicates = find_duplicates(dataset.images, limits=config.image)
    split = split_dataset(dataset, config.split, seed=config.seed, duplicates=duplicates)
    todo = plan(
        config,
        SMALL if options.space is None else read_space(options.space),
        bank=split.select("bank"),
        validation=split.select("validation"),
        near=duplicates.near,
        data=options.images.name,
        dataset=dataset_hash(dataset),
        images=images_hash(split.entries),
    )
    experiment = run_experiment(todo, options.work, device="cpu")
    chosen = experiment.trial(experiment.chosen)
    found = []
    for seed in options.seeds:
        auroc = auroc_of_test(replace(apply(chosen.settings, config), seed=seed), split)
        inside = chosen.low <= auroc <= chosen.high
        found.append({"seed": seed, "auroc": round(auroc, 4), "within": inside})
        print(f"seed {seed}: AUROC {auroc:.3f}, {'within' if inside else 'outside'}", file=sys.stderr, flush=True)
    test = split.select("test")
    return {
        "images": options.images.name,
        "trials": len(experiment.trials),
        "judged": {"undamaged": experiment.undamaged, "damaged": experiment.damaged, "units": experiment.units},
        "chosen": describe(chosen.settings),
        "predicted": {"auroc": round(chosen.auroc, 4), "low": round(chosen.low, 4), "high": round(chosen.high, 4)},
        "test": {"undamaged": sum(i.label != DAMAGED for i in test), "damaged": sum(i.label == DAMAGED for i in test)},
        "seeds": found,
        "all_within": all(one["within"] for one in found),
    }


def auroc_of_test(config: Config, split: SplitAssignment) -> float:
    """Train on the photographs of the memory and return the AUROC of the test split.

    Raises
    ------
    DatasetError
        The test split has no photograph of one label.
    """
    test = split.select("test")
    detector = PatchCore(config, device="cpu").fit([image.path for image in split.select("bank")])
    value = image_auroc([detector.score(image.path) for image in test], [image.label == DAMAGED for image in test])
    if not isinstance(value, float):
        raise DatasetError(f"expected undamaged and damaged photographs in the test split: {value}")
    return value


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    bundled = ROOT / "data" / "ball_screw"
    parser.add_argument("images", type=Path, nargs="?", default=bundled, metavar="IMAGES", help="labelled photographs")
    parser.add_argument("--space", type=Path, metavar="FILE", help="what is compared (default: 6 small trials)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="of the memories")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keeps the experiment (default: it is thrown away)")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="result file (JSON)")
    options = parser.parse_args(arguments)
    options.images, options.only = options.images.resolve(), ["check"]
    return options


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return the exit status."""
    options = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="experiment-") as folder:
        options.work = options.work or Path(folder)
        return exit_status(lambda: measure_parts({"check": check}, options))


if __name__ == "__main__":
    sys.exit(main())
