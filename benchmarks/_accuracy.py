"""The accuracy part of the comparison: both systems fitted and scored in processes of their own."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from anomaly.config import Config, config_to_dict
from anomaly.evaluation.metrics import Undefined, image_auroc
from anomaly.types import DAMAGED
from benchmarks._anomalib_side import BACKBONE, LAYERS, SIDE, bank_rows
from benchmarks._processes import ProcessFailedError, own_peak_mb, python, run_measured
from benchmarks._results import format_table, percent, plain
from benchmarks._sets import ImageSet, SetImages, evenly, public_settings, read_set

TIMED = 21
"""Test images that are timed; the first is left out."""
SYSTEMS = ("goodparts", "anomalib")
HEADER = (
    "set", "train", "bank rows", "AUROC ours", "(range)", "AUROC anomalib", "(range)", "fit s", "", "ms/image", "",
    "fit MiB", "",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What a comparison is run with.

    Attributes
    ----------
    config : Config
        Ours; its seed and the size of its banks are set by the comparison.
    ratio : float
        Share of its patches that anomalib keeps; ours keeps the same number of rows, over all taps together.
    max_train : int
        Training images at most, evenly spaced over the sorted names.
    seeds : int
        Fits of each system, seeded 0, 1, ...
    normalisation : str
        Of anomalib's input; a key of ``NORMALISATIONS``.
    """

    config: Config
    ratio: float
    max_train: int
    seeds: int
    normalisation: str

    def record(self) -> dict[str, Any]:
        """Return the entry of the result file."""
        return {
            "ratio": self.ratio,
            "max_train": self.max_train,
            "seeds": list(range(self.seeds)),
            "goodparts": public_settings(self.config),
            "anomalib": {
                "backbone": BACKBONE,
                "layers": list(LAYERS),
                "image_size": [SIDE, SIDE],
                "normalisation": self.normalisation,
            },
        }


@dataclass(frozen=True)
class Fit:
    """One fit of one system."""

    auroc: float | Undefined
    fit_seconds: float
    ms_per_image: float
    fit_peak_mb: float
    bank_rows: int
    bank_numbers: int

    def record(self) -> dict[str, Any]:
        """Return the entry of the result file."""
        return {
            "image_auroc": plain(self.auroc),
            "fit_seconds": round(self.fit_seconds, 2),
            "ms_per_image": round(self.ms_per_image, 1),
            "fit_peak_mib": round(self.fit_peak_mb),
            "bank_rows": self.bank_rows,
            "bank_numbers": self.bank_numbers,
        }


def run(sets: Sequence[ImageSet], settings: Settings) -> dict[str, Any]:
    """Compare on every set, print the table and return the entries of the result file."""
    rows, records = [], []
    for image_set in sets:
        images = read_set(image_set)
        train = evenly(images.train, settings.max_train)
        fits: dict[str, list[Fit]] = {system: [] for system in SYSTEMS}
        for seed in range(settings.seeds):
            for system in SYSTEMS:
                print(f"{image_set.name}: {system}, seed {seed} ...", file=sys.stderr, flush=True)
                job = make_job(images, settings, seed=seed)
                fits[system].append(_fit(system, job))
        rows.append(_cells(image_set.name, len(train), fits))
        records.append(
            {"set": image_set.name, "n_train": len(train), "n_test": len(images.test)}
            | {system: [fit.record() for fit in found] for system, found in fits.items()}
        )
    print(format_table(HEADER, rows))
    print(
        "\nPairs: ours, then anomalib's; AUROC in %, mean over the seeds, then the smallest and the largest. Seconds "
        "and\nmilliseconds: median over the seeds, libraries loaded beforehand, reading included. MiB: peak up to the "
        "end of the fit.\n"
    )
    return {"settings": settings.record(), "sets": records}


def make_job(images: SetImages, settings: Settings, *, seed: int) -> dict[str, Any]:
    """Return what ``benchmarks._jobs`` needs for one fit, but for its folder."""
    train = evenly(images.train, settings.max_train)
    return {
        "train": [str(image.path.resolve()) for image in train],
        "test": [str(image.path.resolve()) for image in images.test],
        "damaged": [image.label == DAMAGED for image in images.test],
        "timed": list(evenly(range(len(images.test)), TIMED)),
        "seed": seed,
        "ratio": settings.ratio,
        "normalisation": settings.normalisation,
        "rows": bank_rows(len(train), settings.ratio),
        "config": config_to_dict(settings.config),
    }


def run_job(kind: str, job: Mapping[str, Any], work: Path) -> dict[str, Any]:
    """Run one job in a process of its own, in a folder that is there.

    Raises
    ------
    ProcessFailedError
        It failed, or its memory cannot be told from this process's.
    """
    order, result = work / "job.json", work / "result.json"
    order.write_text(json.dumps({**job, "work": str(work)}), encoding="utf-8")
    finished = run_measured(python("-m", "benchmarks._jobs", kind, str(order), str(result)))
    if finished.peak_mb <= own_peak_mb():
        raise ProcessFailedError(f"the process that measures has grown to {own_peak_mb():.0f} MiB: import less in it")
    found = json.loads(result.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def _fit(system: str, job: Mapping[str, Any]) -> Fit:
    with tempfile.TemporaryDirectory(prefix="compare-") as folder:
        found = run_job(system, job, Path(folder))
    return Fit(
        auroc=image_auroc(found.pop("scores"), job["damaged"]),
        **found,
    )


def _cells(name: str, n_train: int, fits: Mapping[str, Sequence[Fit]]) -> list[str]:
    ours, theirs = (fits[system] for system in SYSTEMS)
    cells = [name, str(n_train), f"{ours[0].bank_rows}, {theirs[0].bank_rows}"]
    for side in (ours, theirs):
        found = [fit.auroc for fit in side]
        areas = [area for area in found if not isinstance(area, Undefined)]
        cells += [percent(fmean(areas)), f"({percent(min(areas))}-{percent(max(areas))})"] if areas else ["-", "-"]
    for measure, digits in (("fit_seconds", 1), ("ms_per_image", 0), ("fit_peak_mb", 0)):
        cells += [f"{median(getattr(fit, measure) for fit in side):.{digits}f}" for side in (ours, theirs)]
    return cells
