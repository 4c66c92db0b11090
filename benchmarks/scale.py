"""How time and memory grow: fits of more and more images, searches of larger and larger banks.

    python benchmarks/scale.py [IMAGES] [--only fit search] [--images N...] [--rows N...] [--output FILE]

A fit is a process of its own, from its start to the saved model; the images are repeated where there are not so many.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.config import Config, config_to_dict, replace_setting
from benchmarks._main import exit_status, measure_parts
from benchmarks._processes import ROOT
from benchmarks.speed import photographs, run_job, run_part

OUTPUT = Path(__file__).parent / "results" / "scale.json"


def fit(options: argparse.Namespace) -> dict[str, Any]:
    """Time and peak memory of fits."""
    config = replace_setting(Config(), "capture.check", False)
    config = replace_setting(config, "geometry.size", options.side)
    found = []
    for count in options.images:
        with tempfile.TemporaryDirectory(prefix="scale-") as name:
            work = Path(name)
            job = {"train": _copies(photographs(options.source, count), count, work), "seed": 0}
            seconds, peak = run_job("goodparts-save", job | {"config": config_to_dict(config)}, work)
        found.append({"images": count, "seconds": round(seconds, 1), "peak_mib": round(peak)})
        print(found[-1], file=sys.stderr, flush=True)
    return {"side": options.side, "most_rows": config.bank.max_rows, "fits": found}


def search(options: argparse.Namespace) -> dict[str, Any]:
    """Time to search made-up banks, against the smallest, and how near the rows found are to the nearest."""
    job = {"rows": sorted(options.rows), "queries": options.queries, "rounds": options.rounds}
    return {"queries": options.queries, "banks": run_part("search", job)}


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {"fit": fit, "search": search}


def _copies(images: list[str], count: int, work: Path) -> list[str]:
    """Return so many files: the images, and copies under other names where they are too few."""
    paths = list(images)
    for number in range(len(images), count):
        source = Path(images[number % len(images)])
        paths.append(str(shutil.copy(source, work / f"{number:06d}{source.suffix}")))
    return paths[:count]


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    bundled = ROOT / "data" / "parts"
    parser.add_argument("source", type=Path, nargs="?", default=bundled, help="folder of photographs", metavar="IMAGES")
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=list(PARTS), metavar="PART", help="parts")
    parser.add_argument("--images", nargs="+", type=int, default=[500, 1000, 2000, 4000], metavar="N", help="of a fit")
    parser.add_argument("--side", type=int, default=512, metavar="PX", help="geometry.size of the fits (default: 512)")
    parser.add_argument(
        "--rows", nargs="+", type=int, default=[10_000, 100_000, 1_000_000], metavar="N", help="of banks"
    )
    parser.add_argument("--queries", type=int, default=4096, metavar="N", help="of a search (default: 4096)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds that are compared (default: 5)")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="result file (JSON)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return the exit status."""
    return exit_status(lambda: measure_parts(PARTS, _parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
