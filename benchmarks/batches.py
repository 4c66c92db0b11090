"""Damage in one part among many: mosaics of castings, and the bundled springs and gears.

    python benchmarks/batches.py [DATA] [--seeds N...] [--anomalib] [--output FILE]

DATA holds ``casting_512``; without it only the bundled ``data/parts`` is measured. The mosaics (3 x 3 tiles of 340 px,
``benchmarks/_mosaics.py``; ``turned``: discs of 300 px, each at an angle of its own) are made in a temporary folder and
deleted. Each set is trained as ``--train`` does it, with
its settings chosen on validation, and judged on its test split. A hit: the strongest place of the anomaly map of a
damaged image lies in a damaged part (the damaged tile; in ``data/parts`` within 12 px of the mask).
``--anomalib``: anomalib's PatchCore with its defaults (256 px, 1 % bank) on the same bank and test images.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image, ImageFilter

from anomaly.config import Config
from anomaly.dataset import LabelledImage, read_dataset
from anomaly.detector.training import Training, train
from anomaly.evaluation.metrics import Undefined, image_auroc
from anomaly.types import DAMAGED, Float32Array
from benchmarks._machine import machine_line, provenance
from benchmarks._main import exit_status
from benchmarks._mosaics import Pools, write_mosaics
from benchmarks._processes import own_peak_mb, python, run_measured
from benchmarks._results import format_table, percent, plain, write_results
from benchmarks._sets import find_sets, read_set

OUTPUT = Path(__file__).parent / "results" / "batches.json"
PARTS = Path(__file__).resolve().parents[1] / "data" / "parts"
MOSAICS = {"bank": 120, "validation": 40, "test": 60}
"""Undamaged mosaics of each split; validation and test have as many damaged ones."""
SETS = ("mosaics", "turned", "parts")
_NEAR = 12
HEADER = ("set", "seed", "test", "AUROC", "one damaged", "accuracy", "misses", "false alarms", "hit", "train s",
          "ms/image", "anomalib AUROC")  # fmt: skip


@dataclass(frozen=True)
class BatchResult:
    """Figures of one set, or of one part type in it; measures as fractions.

    Attributes
    ----------
    name : str
    seed : int
        Of the mosaics, the split and the coreset.
    n_undamaged, n_damaged, misses, false_alarms : int
        Test images, and the errors at the calibrated threshold.
    auroc, auroc_one : float or Undefined
        Over all; over the undamaged and those with exactly one damaged part.
    accuracy : float
    hits, n_masks : int
        Damaged images whose strongest place is damaged, of those with a mask.
    train_seconds, ms_per_image : float
        Of the whole set; reading included.
    peak_mb : float
        Of this process so far.
    settings : tuple of str
        What training says about its choice.
    missed : tuple of str
        Name and kind of damage of the missed images.
    anomalib_auroc : float or Undefined
    """

    name: str
    seed: int
    n_undamaged: int
    n_damaged: int
    misses: int
    false_alarms: int
    auroc: float | Undefined
    auroc_one: float | Undefined
    accuracy: float
    hits: int
    n_masks: int
    train_seconds: float
    ms_per_image: float
    peak_mb: float
    settings: tuple[str, ...]
    missed: tuple[str, ...]
    anomalib_auroc: float | Undefined

    def cells(self) -> list[str]:
        """Return the row of the table."""
        hit = f"{self.hits}/{self.n_masks}" if self.n_masks else "no masks"
        return [
            self.name, str(self.seed), f"{self.n_undamaged} + {self.n_damaged}", percent(self.auroc),
            percent(self.auroc_one), f"{100 * self.accuracy:.1f}", str(self.misses), str(self.false_alarms), hit,
            f"{self.train_seconds:.0f}", f"{self.ms_per_image:.0f}", percent(self.anomalib_auroc),
        ]  # fmt: skip

    def record(self) -> dict[str, Any]:
        """Return the entry of the result file."""
        fields = asdict(self)
        for name in ("auroc", "auroc_one", "anomalib_auroc"):
            fields[name] = plain(getattr(self, name))
        return fields


@dataclass(frozen=True)
class Judged:
    """One test image: its score, its verdict, and whether the strongest place is damaged (None: no mask)."""

    image: LabelledImage
    score: float
    flagged: bool
    hit: bool | None
    milliseconds: float


def measure(folder: Path, *, name: str, seed: int, by_type: bool, anomalib: bool) -> list[BatchResult]:
    """Train on a labelled folder and judge its test split.

    Raises
    ------
    AnomalyError
        The folder cannot be read or trained on.
    """
    started = time.perf_counter()
    training = train(read_dataset(folder), Config(seed=seed), data=name, device="cpu")
    seconds = time.perf_counter() - started
    judged = [_judge(training, image) for image in training.test]
    theirs = _anomalib_scores(training, seed) if anomalib else [float("nan")] * len(judged)
    slices = sorted({one.image.part_type for one in judged}) if by_type else [""]
    return [
        _result(
            f"{name} {part_type}".strip(),
            seed,
            [(one, score) for one, score in zip(judged, theirs, strict=True) if part_type in ("", one.image.part_type)],
            training,
            seconds,
        )
        for part_type in slices
    ]


def _judge(training: Training, image: LabelledImage) -> Judged:
    started = time.perf_counter()
    found = training.detector.predict(image.path)
    milliseconds = 1000 * (time.perf_counter() - started)
    hit = None if image.mask is None else _hits(found.anomaly_map, image.mask)
    return Judged(image, found.score, found.label == DAMAGED, hit, milliseconds)


def _hits(anomaly_map: Float32Array, mask: Path) -> bool:
    y, x = np.unravel_index(int(anomaly_map.argmax()), anomaly_map.shape)
    with Image.open(mask) as picture:
        near = picture.convert("L").filter(ImageFilter.MaxFilter(2 * _NEAR + 1))
    return bool(near.getpixel((int(x), int(y))))


def _anomalib_scores(training: Training, seed: int) -> list[float]:
    """Scores of the test images by anomalib, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="batches-") as name:
        work = Path(name)
        job = {
            "train": [str(image.path.resolve()) for image in training.split.select("bank")],
            "test": [str(image.path.resolve()) for image in training.test],
            "damaged": [image.label == DAMAGED for image in training.test],
            "timed": [0],
            "ratio": 0.01,
            "seed": seed,
            "normalisation": "backbone",
            "work": name,
        }
        (work / "job.json").write_text(json.dumps(job), encoding="utf-8")
        run_measured(python("-m", "benchmarks._jobs", "anomalib", str(work / "job.json"), str(work / "found.json")))
        found = json.loads((work / "found.json").read_text(encoding="utf-8"))
    return [float(score) for score in found["scores"]]


def _result(
    name: str, seed: int, judged: Sequence[tuple[Judged, float]], training: Training, seconds: float
) -> BatchResult:
    images = [one for one, _ in judged]
    damaged = [one.image.label == DAMAGED for one in images]
    one_part = [(one, bad) for one, bad in zip(images, damaged, strict=True) if not bad or _one_damaged(one.image)]
    misses = [one for one in images if one.image.label == DAMAGED and not one.flagged]
    alarms = sum(one.flagged and one.image.label != DAMAGED for one in images)
    scores = [score for _, score in judged]
    return BatchResult(
        name=name,
        seed=seed,
        n_undamaged=len(images) - sum(damaged),
        n_damaged=sum(damaged),
        misses=len(misses),
        false_alarms=alarms,
        auroc=image_auroc([one.score for one in images], damaged),
        auroc_one=image_auroc([one.score for one, _ in one_part], [bad for _, bad in one_part]),
        accuracy=1 - (len(misses) + alarms) / len(images),
        hits=sum(one.hit is True for one in images),
        n_masks=sum(one.hit is not None for one in images),
        train_seconds=seconds,
        ms_per_image=median(one.milliseconds for one in images),
        peak_mb=own_peak_mb(),
        settings=training.selection.reasons,
        missed=tuple(f"{one.image.name} ({one.image.defect or 'damaged'})" for one in misses),
        anomalib_auroc=Undefined("not run") if np.isnan(scores).any() else image_auroc(scores, damaged),
    )


def _one_damaged(image: LabelledImage) -> bool:
    """Whether exactly one part is damaged: the mosaic's name or the list of kinds says so."""
    return "damaged1" in image.name or (bool(image.defect) and "+" not in image.defect)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, nargs="?", metavar="DATA", help="folder that holds casting_512")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N")
    parser.add_argument("--anomalib", action="store_true", help="measure anomalib's defaults on the same images")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="result file (JSON)")
    return parser.parse_args(arguments)


def _measure(options: argparse.Namespace) -> None:
    results: list[BatchResult] = []
    about = provenance()
    for seed in options.seeds:
        for made in ("mosaics", "turned"):
            if made not in options.sets or options.data is None:
                continue
            (castings,) = find_sets(options.data, ["casting_512"])
            images = read_set(castings)
            with tempfile.TemporaryDirectory(prefix="mosaics-") as name:
                pools = Pools.of(images.train, images.test)
                write_mosaics(Path(name), pools, seed=seed, turned=made == "turned", **MOSAICS)
                results += measure(Path(name), name=made, seed=seed, by_type=False, anomalib=options.anomalib)
        if "parts" in options.sets:
            results += measure(PARTS, name="parts", seed=seed, by_type=True, anomalib=options.anomalib)
        print(f"seed {seed} done", file=sys.stderr, flush=True)
    print(f"{machine_line(about['machine'])}; {about['date'][:10]}\n")
    print(format_table(HEADER, [result.cells() for result in results]))
    print("\nAUROC and accuracy in %. Hit: the strongest place of a damaged image lies in a damaged part.")
    for result in results:
        print(f"\n{result.name}, seed {result.seed}:", *result.settings, sep="\n  ")
        print("  missed:", ", ".join(result.missed) or "none")
    write_results(options.output, about | {"results": [result.record() for result in results]})


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status."""
    return exit_status(lambda: _measure(_parse(arguments)))


if __name__ == "__main__":
    raise SystemExit(main())
