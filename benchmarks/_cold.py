"""The cold part of the comparison: one prediction as a whole process, from the start of Python to its end."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from anomaly.errors import DatasetError
from anomaly.types import DAMAGED
from benchmarks._accuracy import Settings, make_job, run_job
from benchmarks._processes import ROOT, Finished, ProcessFailedError, own_peak_mb, python, run_measured
from benchmarks._results import format_table
from benchmarks._sets import ImageSet, read_set

OURS = "model.py --predict"
TORCH = "import torch"
ENGINE = "anomalib Engine.predict"
HEADER = ("process", "wall s", "ours/it", "peak MiB", "ours/it")


@dataclass(frozen=True)
class ColdRow:
    """One kind of process, measured once in every round.

    Attributes
    ----------
    name : str
    seconds, peak_mb : float
        Medians over the rounds.
    time_ratio, memory_ratio : float
        Ours divided by this one's: median of the rounds' own ratios.
    """

    name: str
    seconds: float
    peak_mb: float
    time_ratio: float
    memory_ratio: float

    def cells(self) -> list[str]:
        """Return the row of the table."""
        time = [f"{self.seconds:.2f}", f"{self.time_ratio:.3f}"]
        return [self.name, *time, f"{self.peak_mb:.0f}", f"{self.memory_ratio:.3f}"]

    def record(self) -> dict[str, Any]:
        """Return the entry of the result file."""
        return {
            "process": self.name,
            "seconds": round(self.seconds, 3),
            "peak_mib": round(self.peak_mb),
            "ours_to_this_time": round(self.time_ratio, 4),
            "ours_to_this_memory": round(self.memory_ratio, 4),
        }


def run(image_set: ImageSet, settings: Settings, *, runs: int) -> dict[str, Any]:
    """Train both systems on a set, time one prediction of each, print the table and return the entries.

    Raises
    ------
    DatasetError
        The set has no damaged test image.
    ProcessFailedError
    """
    images = read_set(image_set)
    image = next((found.path.resolve() for found in images.test if found.label == DAMAGED), None)
    if image is None:
        raise DatasetError(f"set {image_set.name} has no damaged test image to predict: name another --cold-set")
    with tempfile.TemporaryDirectory(prefix="cold-") as folder:
        work = Path(folder)
        print(f"cold: training both on {image_set.name} ...", file=sys.stderr, flush=True)
        ours = work / "ours"
        run_measured(python("model.py", "--train", "--data", str(image_set.folder.resolve()), "--model", str(ours)))
        theirs = run_job("anomalib-models", make_job(images, settings, seed=0), work)
        commands = {
            OURS: python(str(ROOT / "model.py"), "--predict", str(image), "--model", str(ours)),
            TORCH: python("-c", "import torch"),
        } | _anomalib_commands(theirs, str(image), settings.normalisation)
        rounds = measure_rounds(commands, folder=work, runs=runs)
    if min(one.peak_mb for measured in rounds for one in measured.values()) <= own_peak_mb():
        raise ProcessFailedError(f"the process that measures has grown to {own_peak_mb():.0f} MiB: import less in it")
    rows = summarise(rounds)
    print(format_table(HEADER, [row.cells() for row in rows]))
    print(f"\nMedians of {runs} rounds in alternating order after one for warming up; one image of {image_set.name}.\n")
    return {
        "set": image_set.name,
        "runs": runs,
        "normalisation": settings.normalisation,
        "anomalib_bank_rows": theirs["bank_rows"],
        "anomalib_openvino_converter": theirs["openvino_converter"],
        "processes": [row.record() for row in rows],
    }


def _anomalib_commands(models: Mapping[str, str], image: str, normalisation: str) -> dict[str, list[str]]:
    script = str(Path(__file__).with_name("_cold_anomalib.py"))
    return {
        ENGINE: python(script, "engine", models["engine"], image, normalisation),
        "anomalib TorchInferencer": python(script, "torch", models["torch"], image),
        "anomalib OpenVINOInferencer": python(script, "openvino", models["openvino"], image),
    }


def measure_rounds(commands: Mapping[str, Sequence[str]], *, folder: Path, runs: int) -> list[dict[str, Finished]]:
    """Run every command once in each round, every other round in reverse; the first, for warming up, is dropped."""
    environment = {"XDG_CACHE_HOME": str(folder / "cache")}
    rounds = []
    for number in range(runs + 1):
        print(f"cold: round {number} of {runs} ...", file=sys.stderr, flush=True)
        names = list(commands)[:: -1 if number % 2 else 1]
        found = {name: run_measured(commands[name], folder=folder, environment=environment) for name in names}
        rounds.append({name: found[name] for name in commands})
    return rounds[1:]


def summarise(rounds: Sequence[Mapping[str, Finished]]) -> list[ColdRow]:
    """Return medians over the rounds, with ratios taken round by round."""
    return [
        ColdRow(
            name=name,
            seconds=median(found[name].seconds for found in rounds),
            peak_mb=median(found[name].peak_mb for found in rounds),
            time_ratio=median(found[OURS].seconds / found[name].seconds for found in rounds),
            memory_ratio=median(found[OURS].peak_mb / found[name].peak_mb for found in rounds),
        )
        for name in rounds[0]
    ]
