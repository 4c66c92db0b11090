"""How fast: one prediction against its limit, folders, coresets, fitting and a cold start.

    python benchmarks/speed.py [IMAGES] [--only PART...] [--rounds N] [--output FILE]

Each part runs in processes of its own and keeps its date and machine in the result file; the other parts' figures stay.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.config import Config, config_to_dict, replace_setting
from anomaly.errors import DatasetError
from anomaly.imaging.listing import find_images
from benchmarks import _cold
from benchmarks._main import exit_status, measure_parts
from benchmarks._processes import ROOT, python, run_measured
from benchmarks._sets import evenly

OUTPUT = Path(__file__).parent / "results" / "speed.json"
CORESETS = ["61440:0.1", "153600:0.01"]


def stages(options: argparse.Namespace) -> dict[str, Any]:
    """One warm prediction at 256 and 1020 px, with 10,000 rows for each tap."""
    sizes = ((256, 40), (1020, 8))  # so many images have 10,000 patches on the coarsest grid
    jobs = [{"images": photographs(options.images, n), "sides": [side], "rows": 10_000} for side, n in sizes]
    return {"sizes": [entry for job in jobs for entry in run_part("stages", job)]}


def folder(options: argparse.Namespace) -> dict[str, Any]:
    """Images of a folder, by a process for each core against one after the other."""
    images = photographs(options.images, 12)
    job = {"images": images, "sides": [256, 640], "rows": 2500, "count": options.count, "rounds": options.rounds}
    return {"sizes": run_part("folder", job)}


def coreset(options: argparse.Namespace) -> dict[str, Any]:
    """Coresets of 152 numbers a row, beside anomalib's."""
    images = photographs(options.images, 150)
    jobs = [{"images": images, "rows": rows, "ratio": ratio} for rows, ratio in options.coresets]
    return {"sizes": [run_part("coreset", job) for job in jobs]}


def fit(options: argparse.Namespace) -> dict[str, Any]:
    """60 images at 256 px to a tenth of their patches, from the start of the process to the saved model."""
    config = Config()
    settings = (("geometry.size", 256), ("bank.coreset_ratio", 0.1), ("bank.max_rows", 1_000_000))
    for name, value in (*settings, ("capture.check", False)):
        config = replace_setting(config, name, value)
    job = {
        "train": photographs(options.images, options.fit_images), "test": [], "damaged": [], "timed": [], "seed": 0,
        "ratio": 0.1, "normalisation": "backbone", "config": config_to_dict(config),
    }  # fmt: skip
    rounds = []
    for number in range(options.fit_rounds):
        kinds = ("goodparts-save", "anomalib-save")[:: -1 if number % 2 else 1]
        rounds.append({kind: _fit(kind, job) for kind in kinds})
    ours, theirs = ([found[kind] for found in rounds] for kind in ("goodparts-save", "anomalib-save"))
    return {
        "images": len(job["train"]),
        "rounds": len(rounds),
        "seconds": {"goodparts": _middle(ours, 0), "anomalib": _middle(theirs, 0)},
        "peak_mib": {"goodparts": _middle(ours, 1), "anomalib": _middle(theirs, 1)},
        "times_faster": round(median(b[0] / a[0] for a, b in zip(ours, theirs, strict=True)), 2),
        "memory_ratio": round(median(a[1] / b[1] for a, b in zip(ours, theirs, strict=True)), 3),
    }


def cold(options: argparse.Namespace) -> dict[str, Any]:
    """One prediction as a whole process against a process that imports torch and does nothing."""
    images = photographs(options.images, 12)
    with tempfile.TemporaryDirectory(prefix="cold-") as name:
        work = Path(name)
        run_job("goodparts-save", {"train": images, "seed": 0, "config": config_to_dict(Config())}, work)
        predict = python(str(ROOT / "model.py"), "--predict", images[0], "--model", str(work / "model"))
        commands = {_cold.OURS: predict, _cold.TORCH: python("-c", "import torch")}
        rounds = _cold.measure_rounds(commands, folder=work, runs=max(5, options.rounds))
    return {"runs": len(rounds), "processes": [row.record() for row in _cold.summarise(rounds)]}


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "stages": stages,
    "folder": folder,
    "cold": cold,
    "coreset": coreset,
    "fit": fit,
}


def photographs(root: Path, most: int) -> list[str]:
    """Return at most so many images below a folder, evenly spaced, none of damaged parts.

    Raises
    ------
    DatasetError
        There are fewer than 4.
    """
    found = [path for path in find_images(root) if path.parent.name not in ("damaged", "masks")]
    if len(found) < 4:
        raise DatasetError(f"expected at least 4 images below {root.name}, found {len(found)}: name another folder")
    return [str(path.resolve()) for path in evenly(found, most)]


def run_part(name: str, job: Mapping[str, Any]) -> Any:
    """Run one part of :mod:`benchmarks._speed_parts` in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        order, result = Path(folder) / "job.json", Path(folder) / "result.json"
        order.write_text(json.dumps(job), encoding="utf-8")
        run_measured(python("-m", "benchmarks._speed_parts", name, str(order), str(result)))
        return json.loads(result.read_text(encoding="utf-8"))


def _fit(kind: str, job: Mapping[str, Any]) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="fit-") as folder:
        return run_job(kind, job, Path(folder))


def run_job(kind: str, job: Mapping[str, Any], work: Path) -> tuple[float, float]:
    """Seconds and peak memory in MiB of one job of :mod:`benchmarks._jobs` as a whole process."""
    order = work / "job.json"
    order.write_text(json.dumps({**job, "work": str(work)}), encoding="utf-8")
    finished = run_measured(python("-m", "benchmarks._jobs", kind, str(order), str(work / "result.json")))
    return finished.seconds, finished.peak_mb


def _middle(found: list[tuple[float, float]], place: int) -> float:
    return round(median(one[place] for one in found), 1)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    images = ROOT / "data" / "parts"
    parser.add_argument("images", type=Path, nargs="?", default=images, help="folder of photographs (default: bundled)")
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=list(PARTS), metavar="PART", help="parts")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds that are compared (default: 5)")
    parser.add_argument("--count", type=int, default=100, metavar="N", help="images of a folder (default: 100)")
    parser.add_argument("--fit-images", type=int, default=60, metavar="N", help="images to fit (default: 60)")
    parser.add_argument("--fit-rounds", type=int, default=1, metavar="N", help="fits of each (default: 1)")
    parser.add_argument("--coresets", nargs="+", default=CORESETS, metavar="ROWS:SHARE", help="sizes of the coresets")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="result file (JSON)")
    options = parser.parse_args(arguments)
    try:
        pairs = [text.split(":") for text in options.coresets]
        options.coresets = [(int(rows), float(share)) for rows, share in pairs]
    except ValueError:
        parser.error(f"--coresets: expected ROWS:SHARE such as 61440:0.1, got {' '.join(options.coresets)}")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return the exit status."""
    return exit_status(lambda: measure_parts(PARTS, _parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
