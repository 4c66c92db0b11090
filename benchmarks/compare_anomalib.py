"""goodparts beside anomalib's own PatchCore: same backbone weights, same images, same number of bank rows, same run.

    python benchmarks/compare_anomalib.py DATA [--sets NAME...] [--only accuracy|cold] [--output FILE]

Accuracy: image AUROC, seconds to fit, milliseconds per image and peak memory, each fit in a process of its own.
Cold: one prediction as a whole process, ours through ``model.py --predict``, anomalib's by each of its three routes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.config import Config, load_config
from benchmarks import _accuracy, _cold
from benchmarks._anomalib_side import NORMALISATIONS
from benchmarks._machine import machine_line, provenance
from benchmarks._main import exit_status
from benchmarks._results import read_results, write_results
from benchmarks._sets import find_sets

OUTPUT = Path(__file__).parent / "results" / "compare_anomalib.json"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of image sets in the MVTec AD layout")
    parser.add_argument("--sets", nargs="+", default=[], metavar="NAME", help="only these (default: all)")
    parser.add_argument("--only", choices=("accuracy", "cold"), help="one part; the other's figures stay in the file")
    parser.add_argument("--ratio", type=float, default=0.01, help="of anomalib's patches to keep (default: 0.01)")
    parser.add_argument("--max-train", type=int, default=60, metavar="N", help="training images at most (default: 60)")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="fits of each, seeded 0, 1, ... (default: 2)")
    parser.add_argument(
        "--normalisation",
        choices=tuple(NORMALISATIONS),
        default="backbone",
        help="of anomalib's input: what the weights want (default), or anomalib's constant",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="our settings as TOML (default: the library's)")
    parser.add_argument("--cold-set", metavar="NAME", help="set of the cold prediction (default: the first)")
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="cold rounds (default: 7)")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="result file (JSON)")
    options = parser.parse_args(arguments)
    if not 0 < options.ratio <= 1:
        parser.error(f"--ratio is {options.ratio}: expected a number above 0, up to 1")
    for name in ("max_train", "seeds", "runs"):
        if getattr(options, name) < (2 if name == "max_train" else 1):
            parser.error(f"--{name.replace('_', '-')} is {getattr(options, name)}: give a larger number")
    return options


def _compare(options: argparse.Namespace) -> None:
    config = load_config(options.config) if options.config else Config()
    sets = find_sets(options.data, options.sets)
    cold_set = find_sets(options.data, [options.cold_set])[0] if options.cold_set else sets[0]
    content = read_results(options.output)
    print(f"{machine_line(provenance()['machine'])}\n")
    settings = _accuracy.Settings(
        config=config,
        ratio=options.ratio,
        max_train=options.max_train,
        seeds=options.seeds,
        normalisation=options.normalisation,
    )
    if options.only != "cold":
        content["accuracy"] = provenance() | _accuracy.run(sets, settings)
        write_results(options.output, content)
    if options.only != "accuracy":
        content["cold"] = provenance() | _cold.run(cold_set, settings, runs=options.runs)
        write_results(options.output, content)
    print(f"written: {options.output}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Compare, print and write; return the exit status."""
    return exit_status(lambda: _compare(_parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
