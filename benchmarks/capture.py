"""What the capture check notices of faults that make verdicts wrong, and whether ordinary pictures pass.

    python benchmarks/capture.py DATA [--sets NAME...]

Per set the memory bank is made from at most ``--most-train`` images of ``train/good``, the threshold from one half of
the test images, and faults are planted in images of the other half.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.config import Config, load_config
from anomaly.dataset import LabelledImage
from anomaly.detector import Detector
from anomaly.detector.patchcore import PatchCore
from anomaly.evaluation.metrics import Undefined, rate_interval
from anomaly.imaging.decode import load_image
from anomaly.types import DAMAGED, NOT_JUDGED, UNDAMAGED, UInt8Array
from benchmarks._faults import FAULTS
from benchmarks._machine import machine_line, provenance
from benchmarks._main import exit_status, sets_parser
from benchmarks._results import format_table, write_results
from benchmarks._sets import ImageSet, evenly, find_sets, in_unseen_half, public_settings, read_set

OUTPUT = Path(__file__).parent / "results" / "capture.json"
DROP = 0.05
HEADER = ("set", "fault", "level", "accuracy", "drop", "images", "warned", "not judged", "caught")


@dataclass
class Tally:
    """What became of the pictures of one kind; counts."""

    images: int = 0
    warned: int = 0
    not_judged: int = 0
    caught: int = 0
    right: dict[str, list[bool]] = field(default_factory=lambda: {UNDAMAGED: [], DAMAGED: []})

    def add(self, detector: Detector, picture: UInt8Array, truth: str | None = None) -> None:
        """Judge one picture; ``truth`` where accuracy is asked for."""
        found = detector.predict(picture)
        self.images += 1
        self.warned += bool(found.quality.warnings)
        self.not_judged += found.label == NOT_JUDGED
        self.caught += bool(found.quality.warnings) or found.label == NOT_JUDGED
        if truth is not None:
            assert found.threshold is not None
            self.right[truth].append((found.score > found.threshold) == (truth == DAMAGED))

    @property
    def accuracy(self) -> float:
        """Balanced accuracy of the score alone, whatever the check says."""
        return float(np.mean([np.mean(right) for right in self.right.values() if right]))

    def record(self) -> dict[str, Any]:
        """Return the counts for the result file."""
        return {"images": self.images, "warned": self.warned, "not_judged": self.not_judged, "caught": self.caught}


@dataclass(frozen=True)
class SetResult:
    """Tallies of one set."""

    name: str
    n_train: int
    ordinary: Tally
    damaged: Tally
    clean: Tally
    faults: dict[tuple[str, float], Tally]
    other_parts: Tally
    photographs: Tally

    def harmful(self) -> list[Tally]:
        """Return the faults that cost at least 5 points of accuracy."""
        return [tally for tally in self.faults.values() if self.clean.accuracy - tally.accuracy >= DROP - 1e-9]

    def rows(self) -> list[list[str]]:
        """Return the lines of the table."""
        rows = [_line(self.name, "none: ordinary", "", None, self.ordinary)]
        rows.append(_line("", "none: damaged", "", None, self.damaged))
        for (kind, level), tally in self.faults.items():
            rows.append(_line("", kind, f"{level:g}", self.clean.accuracy, tally))
        rows.append(_line("", "other parts", "", None, self.other_parts))
        rows.append(_line("", "photographs", "", None, self.photographs))
        return rows

    def record(self) -> dict[str, Any]:
        """Return the entry of the result file."""
        return {
            "set": self.name,
            "n_train": self.n_train,
            "accuracy": round(self.clean.accuracy, 4),
            "ordinary": self.ordinary.record(),
            "damaged": self.damaged.record(),
            "faults": [
                {"kind": kind, "level": level, "accuracy": round(tally.accuracy, 4), **tally.record()}
                for (kind, level), tally in self.faults.items()
            ],
            "other_parts": self.other_parts.record(),
            "photographs": self.photographs.record(),
        }


def measure_set(image_set: ImageSet, others: Sequence[ImageSet], config: Config, *, most: int, train: int) -> SetResult:
    """Fit, calibrate on one half of the test images, plant faults in the other.

    Raises
    ------
    AnomalyError
    """
    images = read_set(image_set)
    bank = evenly(images.train, train)
    detector = PatchCore(config, device="cpu").fit([i.path for i in bank], names=[i.name for i in bank])
    seen = [image for image in images.test if not in_unseen_half(image.name)]
    detector = detector.calibrate(_few(seen, 25))
    unseen = [image for image in images.test if in_unseen_half(image.name)]
    names = {image.name for image in bank}
    ordinary = [image for image in images.train if image.name not in names]
    ordinary += [image for image in images.test if image.label == UNDAMAGED]
    load = _loader(config)
    planted = _few(unseen, most)
    result = SetResult(image_set.name, len(bank), *(Tally() for _ in range(3)), {}, Tally(), Tally())
    for image in evenly(ordinary, 60):
        result.ordinary.add(detector, load(image))
    for image in evenly([image for image in images.test if image.label == DAMAGED], 30):
        result.damaged.add(detector, load(image))
    for image in planted:
        result.clean.add(detector, load(image), image.label)
    for fault in FAULTS:
        tally = result.faults[fault.kind, fault.level] = Tally()
        for image in planted:
            tally.add(detector, fault(load(image)), image.label)
    for other in others:
        for image in evenly(read_set(other).test, 4):
            result.other_parts.add(detector, load(image))
    for photograph in photographs():
        result.photographs.add(detector, photograph)
    return result


def photographs() -> Iterable[UInt8Array]:
    """Pictures of anything: those that come with scikit-image and scikit-learn."""
    import skimage
    import sklearn

    folders = [Path(skimage.__file__).parent / "data", Path(sklearn.__file__).parent / "datasets" / "images"]
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix in (".png", ".jpg"):
                with Image.open(path) as picture:
                    yield np.asarray(picture.convert("RGB"))


def _loader(config: Config) -> Callable[[LabelledImage], UInt8Array]:
    return lambda image: load_image(image.path, limits=config.image)


def _few(images: Sequence[LabelledImage], most: int) -> list[LabelledImage]:
    """At most so many of each label."""
    labels = (UNDAMAGED, DAMAGED)
    return [image for label in labels for image in evenly([i for i in images if i.label == label], most)]


def _line(name: str, kind: str, level: str, clean: float | None, tally: Tally) -> list[str]:
    accuracy = drop = "-"
    if clean is not None:
        accuracy, drop = f"{100 * tally.accuracy:.0f}", f"{100 * (clean - tally.accuracy):.0f}"
    counts = [str(tally.images), str(tally.warned), str(tally.not_judged), str(tally.caught)]
    return [name, kind, level, accuracy, drop, *counts]


def _summary(results: Sequence[SetResult]) -> list[str]:
    groups = {
        "ordinary pictures warned of or not judged": [r.ordinary for r in results],
        f"pictures at levels that cost >= {100 * DROP:.0f} points, caught": [t for r in results for t in r.harmful()],
        "pictures of other parts caught": [r.other_parts for r in results],
        "photographs of anything caught": [r.photographs for r in results],
    }
    lines = []
    for words, tallies in groups.items():
        caught, n = sum(t.caught for t in tallies), sum(t.images for t in tallies)
        lines.append(f"{words}: {_share(caught, n)}")
    damaged = [r.damaged for r in results]
    lost, n = sum(t.not_judged for t in damaged), sum(t.images for t in damaged)
    lines.append(f"damaged pictures without a fault that were not judged: {_share(lost, n)}")
    return lines


def _share(k: int, n: int) -> str:
    rate = rate_interval(k, n)
    if isinstance(rate, Undefined):
        return f"none of {n}"
    return f"{k} of {n}, {100 * k / n:.1f} % ({100 * rate.low:.1f}-{100 * rate.high:.1f})"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = sets_parser(__doc__, output=OUTPUT)
    parser.add_argument("--most", type=int, default=8, metavar="N", help="images of each label that get faults")
    parser.add_argument("--most-train", type=int, default=60, metavar="N", help="images in the memory bank")
    return parser.parse_args(arguments)


def _measure(options: argparse.Namespace) -> None:
    config = load_config(options.config) if options.config else Config()
    everything = find_sets(options.data)
    about = provenance()
    results = []
    for image_set in find_sets(options.data, options.sets):
        print(f"{image_set.name} ...", file=sys.stderr, flush=True)
        others = [other for other in everything if other.name != image_set.name]
        results.append(measure_set(image_set, others, config, most=options.most, train=options.most_train))
        print(format_table(HEADER, results[-1].rows()), file=sys.stderr, flush=True)
    print(f"{machine_line(about['machine'])}; {about['date'][:10]}; seed {config.seed}\n")
    print(format_table(HEADER, [row for result in results for row in result.rows()]))
    print("\nAccuracy: balanced, of the score alone, in %. Caught: warned of or not judged.")
    for line in _summary(results):
        print(line)
    sets = [result.record() for result in results]
    write_results(options.output, about | {"seed": config.seed, "config": public_settings(config), "sets": sets})


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return the exit status."""
    return exit_status(lambda: _measure(_parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
