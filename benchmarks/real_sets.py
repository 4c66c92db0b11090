"""Image AUROC, pixel AUROC, AUPRO and speed on folders of real photographs, one configuration for all of them.

    python benchmarks/real_sets.py DATA [--sets NAME...] [--config FILE] [--output FILE]

DATA holds, one or two levels deep, folders in the MVTec AD layout. For each of them the memory bank is made from
``train/good`` alone; every image of ``test`` is then scored. The settings were chosen on the test images whose name
has an even sha256, so the other half is reported on its own. One set is an exception: ``bsdata_mini`` holds the
images of ``data/ball_screw``, on whose validation split settings were compared too (docs/decisions/0009).
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.config import Config, load_config
from anomaly.dataset import LabelledImage
from anomaly.detector import Detector
from anomaly.detector.patchcore import PatchCore
from anomaly.embedding.runtime import Device
from anomaly.evaluation.evaluate import read_mask
from anomaly.evaluation.metrics import Undefined, image_auroc
from anomaly.types import DAMAGED, UNDAMAGED, BoolArray, Float32Array
from benchmarks._machine import machine_line, provenance
from benchmarks._main import exit_status
from benchmarks._results import format_table, percent, plain, write_results
from benchmarks._sets import ImageSet, find_sets, in_unseen_half, public_settings, read_set

OUTPUT = Path(__file__).parent / "results" / "real_sets.json"
HEADER = (
    "set", "train", "test good", "test damaged", "image AUROC", "unseen half", "pixel AUROC", "AUPRO",
    "fit s", "ms/image", "bank rows",
)  # fmt: skip


@dataclass(frozen=True)
class SetResult:
    """Figures of one set; measures as fractions.

    Attributes
    ----------
    name : str
    n_train, n_undamaged, n_damaged : int
    image_auroc, unseen_auroc : float or Undefined
        Over all test images, and over the half that no setting was chosen on.
    n_unseen : int
    pixel_auroc, aupro : float or Undefined
    n_masks : int
        Damaged images with a mask. Damaged images without one are left out of the pixel metrics.
    fit_seconds, ms_per_image : float
        Libraries loaded beforehand; median over the test images, reading included, the first left out.
    bank_rows : tuple of int
        One for each tap.
    """

    name: str
    n_train: int
    n_undamaged: int
    n_damaged: int
    image_auroc: float | Undefined
    unseen_auroc: float | Undefined
    n_unseen: int
    pixel_auroc: float | Undefined
    aupro: float | Undefined
    n_masks: int
    fit_seconds: float
    ms_per_image: float
    bank_rows: tuple[int, ...]

    def cells(self) -> list[str]:
        """Return the row of the table."""
        counts = [str(n) for n in (self.n_train, self.n_undamaged, self.n_damaged)]
        measures = [self.image_auroc, self.unseen_auroc, self.pixel_auroc, self.aupro]
        speed = [f"{self.fit_seconds:.1f}", f"{self.ms_per_image:.0f}"]
        return [self.name, *counts, *map(percent, measures), *speed, str(sum(self.bank_rows))]

    def record(self) -> dict[str, Any]:
        """Return the entry of the result file."""
        return {
            "set": self.name,
            "n_train": self.n_train,
            "n_test_undamaged": self.n_undamaged,
            "n_test_damaged": self.n_damaged,
            "image_auroc": plain(self.image_auroc),
            "image_auroc_unseen_half": plain(self.unseen_auroc),
            "n_unseen_half": self.n_unseen,
            "pixel_auroc": plain(self.pixel_auroc),
            "aupro": plain(self.aupro),
            "n_masks": self.n_masks,
            "fit_seconds": round(self.fit_seconds, 2),
            "ms_per_image": round(self.ms_per_image, 1),
            "bank_rows": list(self.bank_rows),
        }


def measure_set(image_set: ImageSet, config: Config, *, device: Device) -> SetResult:
    """Fit on the training images of a set and score its test images.

    Raises
    ------
    AnomalyError
        The set cannot be read or fitted.
    """
    images = read_set(image_set)
    started = time.perf_counter()
    detector = PatchCore(config, device=device).fit(
        [image.path for image in images.train], names=[image.name for image in images.train]
    )
    fit_seconds = time.perf_counter() - started
    scores, milliseconds, maps, masks = _score(detector, images.test)
    damaged = [image.label == DAMAGED for image in images.test]
    unseen = [i for i, image in enumerate(images.test) if in_unseen_half(image.name)]
    pixel_auroc, aupro = _pixels(maps, masks)
    return SetResult(
        name=image_set.name,
        n_train=len(images.train),
        n_undamaged=len(damaged) - sum(damaged),
        n_damaged=sum(damaged),
        image_auroc=image_auroc(scores, damaged),
        unseen_auroc=image_auroc([scores[i] for i in unseen], [damaged[i] for i in unseen]),
        n_unseen=len(unseen),
        pixel_auroc=pixel_auroc,
        aupro=aupro,
        n_masks=sum(mask is not None for mask in masks),
        fit_seconds=fit_seconds,
        ms_per_image=median(milliseconds[1:] or milliseconds),
        bank_rows=tuple(len(bank) for bank in detector.banks),
    )


def _score(
    detector: Detector, images: tuple[LabelledImage, ...]
) -> tuple[list[float], list[float], list[Float32Array], list[BoolArray | None]]:
    """Scores and milliseconds of all images; maps and masks of those that the pixel metrics count."""
    with_masks = any(image.mask is not None for image in images)
    scores, milliseconds = [], []
    maps: list[Float32Array] = []
    masks: list[BoolArray | None] = []
    for image in images:
        started = time.perf_counter()
        prediction = detector.predict(image.path)
        milliseconds.append(1000 * (time.perf_counter() - started))
        scores.append(prediction.score)
        if with_masks and (image.mask is not None or image.label == UNDAMAGED):
            maps.append(prediction.anomaly_map)
            masks.append(None if image.mask is None else read_mask(image.mask))
    return scores, milliseconds, maps, masks


def _pixels(maps: list[Float32Array], masks: list[BoolArray | None]) -> tuple[float | Undefined, float | Undefined]:
    from anomaly.interop import pixel_metrics

    if not maps:
        return Undefined("the set has no masks"), Undefined("the set has no masks")
    found = pixel_metrics(maps, masks)
    return found.auroc, found.aupro


def _load_libraries() -> None:
    """Import what fitting imports, so that the first set is not charged for it."""
    import openvino
    import timm
    import torch

    del openvino, timm, torch


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of image sets in the MVTec AD layout")
    parser.add_argument("--sets", nargs="+", default=[], metavar="NAME", help="only these (default: all)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML (default: the library's)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="result file (JSON)")
    return parser.parse_args(arguments)


def _measure(options: argparse.Namespace) -> None:
    config = load_config(options.config) if options.config else Config()
    sets = find_sets(options.data, options.sets)
    _load_libraries()
    about = provenance()
    results: list[SetResult] = []
    for image_set in sets:
        print(f"{image_set.name} ...", file=sys.stderr, flush=True)
        results.append(measure_set(image_set, config, device=options.device))
    print(f"{machine_line(about['machine'])}; {about['date'][:10]}; device {options.device}; seed {config.seed}")
    print(f"{'settings of ' + options.config.name if options.config else 'default settings'}, the same for every set\n")
    print(format_table(HEADER, [result.cells() for result in results]))
    print("\nAUROC and AUPRO in %. Unseen half: the test images on which no setting was chosen.")
    content = about | {
        "device": options.device,
        "seed": config.seed,
        "config": public_settings(config),
        "sets": [result.record() for result in results],
    }
    write_results(options.output, content)
    print(f"written: {options.output}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return the exit status."""
    return exit_status(lambda: _measure(_parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
