"""What mislabelled training images cost, which of them training leaves out or names, and what a look at those gives.

    python benchmarks/contamination.py DATA [--sets NAME...] [--ball-screw FOLDER] [--draws 2]

Into at most ``--most-train`` images of ``train/good`` damaged test images are mixed, so that 0, 5 and 10 % of the
memory bank are mislabelled; half of the other test images is for validation, the other half is judged. Each draw of the
planted images and of the halves has a seed of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.config import Config, load_config, replace_setting
from anomaly.dataset import LabelledImage, read_dataset
from anomaly.detector import Detector
from anomaly.detector.bank_change import without_images
from anomaly.detector.leave_out import choose_to_leave_out
from anomaly.detector.memory import fill, remember_by
from anomaly.detector.patchcore import PatchCore, complete
from anomaly.detector.suspects import find_suspects
from anomaly.evaluation.metrics import Interval, auroc_interval
from anomaly.types import DAMAGED, UNDAMAGED
from benchmarks._machine import machine_line, provenance
from benchmarks._main import exit_status
from benchmarks._results import format_table, write_results
from benchmarks._sets import evenly, find_sets, public_settings, read_set

OUTPUT = Path(__file__).parent / "results" / "contamination.json"
SHARES = (0.0, 0.05, 0.1)
HEADER = (
    "set", "seed", "mislabelled", "bank", "AUROC", "left out", "good", "AUROC", "named", "good", "AUROC after review",
)  # fmt: skip


@dataclass(frozen=True)
class Contaminated:
    """One training with mislabelled images.

    Attributes
    ----------
    name : str
        Of the set.
    seed : int
        Of the draw.
    share : float
        Of the bank images, mislabelled.
    undamaged, planted : int
        Bank images.
    auroc_tolerating : float
        Of the judged images, nothing left out.
    planted_left_out, undamaged_left_out : int
        What ``--train`` leaves out.
    auroc : float
        Of the judged images, trained without those.
    planted_named, undamaged_named : int
        Of the suspects, those left out among them.
    auroc_after : float
        Without the planted ones among the suspects only, as somebody who looks at them would have it.
    """

    name: str
    seed: int
    share: float
    undamaged: int
    planted: int
    auroc_tolerating: float
    planted_left_out: int
    undamaged_left_out: int
    auroc: float
    planted_named: int
    undamaged_named: int
    auroc_after: float

    def row(self) -> list[str]:
        """Return the line of the table."""
        return [
            self.name,
            f"{self.seed}",
            f"{100 * self.share:.0f} %",
            f"{self.undamaged} + {self.planted}",
            f"{100 * self.auroc_tolerating:.1f}",
            f"{self.planted_left_out} of {self.planted}",
            f"{self.undamaged_left_out}",
            f"{100 * self.auroc:.1f}",
            f"{self.planted_named} of {self.planted}",
            f"{self.undamaged_named}",
            f"{100 * self.auroc_after:.1f}",
        ]


def measure_set(
    name: str, train: Sequence[LabelledImage], test: Sequence[LabelledImage], config: Config
) -> list[Contaminated]:
    """Train once for each of `SHARES`; which images are planted depends on the seed of the configuration alone.

    Every other one of the images that are never planted serves as validation, the others are judged.

    Raises
    ------
    AnomalyError
    """
    random = np.random.default_rng(config.seed)
    good = [image for image in test if image.label == UNDAMAGED]
    damaged = [image for image in test if image.label == DAMAGED]
    good, damaged = ([of_label[i] for i in random.permutation(len(of_label))] for of_label in (good, damaged))
    rest = damaged[_planted(len(train), max(SHARES)) :]
    validation, judged = [*good[::2], *rest[::2]], [*good[1::2], *rest[1::2]]
    core = PatchCore(config, device="cpu")
    return [_measure_share(name, share, train, damaged, (validation, judged), core) for share in SHARES]


def _measure_share(
    name: str,
    share: float,
    train: Sequence[LabelledImage],
    damaged: Sequence[LabelledImage],
    others: tuple[Sequence[LabelledImage], Sequence[LabelledImage]],
    core: PatchCore,
) -> Contaminated:
    validation, judged = others
    planted = damaged[: _planted(len(train), share)]
    bank = [*train, *planted]
    bank = [bank[i] for i in np.random.default_rng(core.config.seed).permutation(len(bank))]
    everything, told_apart = _fit(core, bank, validation)
    left_out = () if told_apart else choose_to_leave_out(core.prepare().build()[0], core.config, bank, validation)
    kept = [image for number, image in enumerate(bank) if number not in left_out]
    detector = _fit(core, kept, validation)[0] if left_out else everything
    suspects = find_suspects(detector, kept, left_out=[bank[number] for number in left_out])
    named = {suspect.name for suspect in suspects}
    forgotten = [number for number, image in enumerate(kept) if image.name in named and image.label == DAMAGED]
    return Contaminated(
        name=name,
        seed=core.config.seed,
        share=share,
        undamaged=len(train),
        planted=len(planted),
        auroc_tolerating=_auroc(everything, judged),
        planted_left_out=sum(bank[number].label == DAMAGED for number in left_out),
        undamaged_left_out=sum(bank[number].label == UNDAMAGED for number in left_out),
        auroc=_auroc(detector, judged),
        planted_named=sum(image.name in named for image in planted),
        undamaged_named=sum(image.name in named for image in train),
        auroc_after=_auroc(without_images(detector, forgotten) if forgotten else detector, judged),
    )


def _fit(core: PatchCore, bank: Sequence[LabelledImage], validation: Sequence[LabelledImage]) -> tuple[Detector, bool]:
    """Return a detector of these bank images, and whether it tells the validation images apart."""
    memory = fill(remember_by("cpu"), core.config, bank, validation)
    return complete(memory.detector, [image.path for image in bank]), memory.tells_apart


def _planted(n: int, share: float) -> int:
    return round(n * share / (1 - share))


def _auroc(detector: Detector, images: Sequence[LabelledImage]) -> float:
    found = auroc_interval([detector.score(i.path) for i in images], [i.label == DAMAGED for i in images])
    if not isinstance(found, Interval):
        raise ValueError(f"the AUROC is undefined: {found.reason}")
    return found.value


def _summary(results: Sequence[list[Contaminated]]) -> list[str]:
    lines = []
    for place, share in enumerate(SHARES):
        at = [(of_set[0].auroc_tolerating, of_set[place]) for of_set in results]
        lost = [
            100 * float(np.mean([clean - value for clean, value in pairs]))
            for pairs in (
                [(clean, found.auroc_tolerating) for clean, found in at],
                [(clean, found.auroc) for clean, found in at],
                [(clean, found.auroc_after) for clean, found in at],
            )
        ]
        planted, good = sum(found.planted for _, found in at), sum(found.undamaged for _, found in at)
        lines.append(
            f"{100 * share:.0f} % mislabelled: {lost[0]:.1f} points of AUROC lost on average with all images, "
            f"{lost[1]:.1f} as trained, {lost[2]:.1f} after the review; of {planted} planted images "
            f"{sum(found.planted_left_out for _, found in at)} left out, "
            f"{sum(found.planted_named for _, found in at)} named; of {good} undamaged "
            f"{sum(found.undamaged_left_out for _, found in at)} left out, "
            f"{sum(found.undamaged_named for _, found in at)} named"
        )
    return lines


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of image sets in the MVTec AD layout")
    parser.add_argument("--sets", nargs="+", default=[], metavar="NAME", help="only these (default: all)")
    parser.add_argument("--ball-screw", type=Path, metavar="FOLDER", help="besides, this folder of labelled images")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML (default: the library's)")
    parser.add_argument("--size", type=int, metavar="N", help="geometry.size instead of the configuration's")
    parser.add_argument("--most-train", type=int, default=60, metavar="N", help="undamaged images in the memory bank")
    parser.add_argument("--most-test", type=int, default=50, metavar="N", help="test images of each label")
    parser.add_argument("--draws", type=int, default=2, metavar="N", help="with N seeds, from that of the settings on")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="result file (JSON)")
    return parser.parse_args(arguments)


def _sources(options: argparse.Namespace) -> list[tuple[str, list[LabelledImage], list[LabelledImage]]]:
    """Return name, undamaged training images and test images of each set."""
    found = []
    for image_set in find_sets(options.data, options.sets):
        images = read_set(image_set)
        found.append((image_set.name, list(images.train), list(images.test)))
    if options.ball_screw is not None:
        dataset = read_dataset(options.ball_screw)
        good = list(dataset.undamaged)
        found.append((options.ball_screw.name, good[::2], [*good[1::2], *dataset.damaged]))
    most = options.most_train, options.most_test
    return [(name, list(evenly(train, most[0])), _few(test, most[1])) for name, train, test in found]


def _few(images: Sequence[LabelledImage], most: int) -> list[LabelledImage]:
    """At most so many of each label."""
    labels = (UNDAMAGED, DAMAGED)
    return [image for label in labels for image in evenly([i for i in images if i.label == label], most)]


def _measure(options: argparse.Namespace) -> None:
    config = load_config(options.config) if options.config else Config()
    if options.size is not None:
        config = replace_setting(config, "geometry.size", options.size)
    for name in ("parts.find", "capture.check"):  # neither has a part in a score, and both take their time
        config = replace_setting(config, name, False)
    about = provenance()
    results = []
    for name, train, test in _sources(options):
        print(f"{name} ...", file=sys.stderr, flush=True)
        for seed in range(config.seed, config.seed + options.draws):
            results.append(measure_set(name, train, test, replace_setting(config, "seed", seed)))
            print(format_table(HEADER, [found.row() for found in results[-1]]), file=sys.stderr, flush=True)
            sets = [vars(found) for of_set in results for found in of_set]
            write_results(
                options.output, about | {"seed": config.seed, "config": public_settings(config), "sets": sets}
            )
    print(f"{machine_line(about['machine'])}; {about['date'][:10]}; seeds from {config.seed}\n")
    print(format_table(HEADER, [found.row() for of_set in results for found in of_set]))
    print("\nAUROC of the judged images in %: with all images in the bank, as trained, after the review.")
    for line in _summary(results):
        print(line)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return the exit status."""
    return exit_status(lambda: _measure(_parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
