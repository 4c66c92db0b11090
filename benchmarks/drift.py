"""Planted drift: how soon it is noticed, whether its cause is named, and how often ordinary pictures raise an alarm.

    python benchmarks/drift.py DATA [--sets NAME...]

Sets with enough undamaged images outside the memory bank only. Each sequence is 20 ordinary pictures and then 50 with
one fault, all different, in random order.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.capture import CaptureReference
from anomaly.config import Config, load_config
from anomaly.dataset import LabelledImage
from anomaly.detector import Detector
from anomaly.detector.patchcore import PatchCore
from anomaly.drift import DriftReport, monitor, usual_share
from anomaly.imaging.decode import load_image
from anomaly.imaging.faults import blur, exposure
from anomaly.types import DAMAGED, UNDAMAGED, CaptureSample, UInt8Array
from benchmarks._faults import Fault, stain
from benchmarks._machine import machine_line, provenance
from benchmarks._main import exit_status, sets_parser
from benchmarks._results import format_table, write_results
from benchmarks._sets import ImageSet, evenly, find_sets, in_unseen_half, public_settings, read_set

OUTPUT = Path(__file__).parent / "results" / "drift.json"
BEFORE, AFTER = 20, 50
FAULTS = (
    Fault("light", 0.8, exposure),
    Fault("light", 1.2, exposure),
    Fault("focus", 1.0, blur),
    Fault("focus", 2.0, blur),
    Fault("tray", 0.6, stain),
)
DAMAGED_SHARE = 0.4
HEADER = ("set", "drift", "level", "sequences", "noticed", "named right", "pictures until noticed", "early alarms")


@dataclass(frozen=True)
class Outcome:
    """What became of the sequences with one fault.

    Attributes
    ----------
    cause : str
    level : str
    delays : list of int or None
        Pictures with the fault until the alarm; None: no alarm within 50.
    named : list of str
        The causes named.
    early : int
        Alarms before the fault.
    """

    cause: str
    level: str
    delays: list[int | None]
    named: list[str]
    early: int

    def row(self, name: str) -> list[str]:
        """Return the line of the table."""
        found = [delay for delay in self.delays if delay is not None]
        right = sum(cause == self.cause for cause in self.named)
        median = f"{np.median(found):.0f}" if found else "-"
        return [
            name,
            self.cause,
            self.level,
            str(len(self.delays)),
            str(len(found)),
            str(right),
            median,
            str(self.early),
        ]

    def record(self) -> dict[str, Any]:
        """Return the entry of the result file."""
        return {
            "cause": self.cause,
            "level": self.level,
            "delays": self.delays,
            "named": {cause: self.named.count(cause) for cause in sorted(set(self.named))},
            "early_alarms": self.early,
        }


Judged = tuple[CaptureSample, bool]
Setting = tuple[CaptureReference, float]


def measure_set(
    image_set: ImageSet, others: list[ImageSet], config: Config, *, sequences: int
) -> tuple[list[Outcome], tuple[int, int]] | None:
    """Plant every drift; None where the set has too few pictures.

    Returns
    -------
    list of Outcome
    tuple of int
        Ordinary pictures in sequences without a fault, and alarms there.
    """
    images = read_set(image_set)
    bank = evenly(images.train, 60)
    names = {image.name for image in bank}
    outside = [image for image in images.train if image.name not in names]
    unseen = [image for image in images.test if in_unseen_half(image.name)]
    outside += [image for image in unseen if image.label == UNDAMAGED]
    if len(outside) < BEFORE + AFTER:
        return None
    outside = list(evenly(outside, 120))
    detector = PatchCore(config, device="cpu").fit([i.path for i in bank], names=[i.name for i in bank])
    detector = detector.calibrate([image for image in images.test if not in_unseen_half(image.name)])
    reference = detector.capture
    assert reference is not None
    assert detector.calibration is not None
    chosen = detector.calibration
    usual = usual_share(false_alarms=chosen.false_alarms, n_undamaged=chosen.n_undamaged)
    setting = (reference, usual)
    random = np.random.default_rng(config.seed)
    clean = [_sample(detector, image) for image in outside]
    kinds: dict[tuple[str, str], list[Judged]] = {
        (fault.kind, f"{fault.level:g}"): [_sample(detector, image, fault) for image in outside] for fault in FAULTS
    }
    for other in others:
        kinds["part", other.name] = [_sample(detector, i) for i in evenly(read_set(other).test, AFTER)]
    damaged = [_sample(detector, image) for image in unseen if image.label == DAMAGED]
    kinds["damage", f"{100 * DAMAGED_SHARE:.0f} %"] = damaged
    outcomes = [
        _run(setting, key, clean, samples, random=random, sequences=sequences) for key, samples in kinds.items()
    ]
    return outcomes, _ordinary(setting, clean, random)


def _run(
    setting: Setting,
    key: tuple[str, str],
    clean: list[Judged],
    samples: list[Judged],
    *,
    random: np.random.Generator,
    sequences: int,
) -> Outcome:
    delays: list[int | None] = []
    named = []
    early = 0
    for _ in range(sequences):
        order = random.permutation(len(clean))
        before, rest = order[:BEFORE], order[BEFORE:]
        if key[0] == "damage":
            picks = random.choice(
                len(samples), round(DAMAGED_SHARE * AFTER), replace=len(samples) < DAMAGED_SHARE * AFTER
            )
            after = [samples[i] for i in picks] + [clean[i] for i in rest[: AFTER - len(picks)]]
        elif key[0] == "part":
            after = [samples[i] for i in random.permutation(len(samples))[:AFTER]]
        else:
            after = [samples[i] for i in rest[:AFTER]]
        after = [after[i] for i in random.permutation(len(after))]
        report = _monitored(setting, [clean[i] for i in before] + after)
        if report.alarm is not None and report.alarm < BEFORE:
            early += 1
        elif report.alarm is None or report.cause is None:
            delays.append(None)
        else:
            delays.append(report.alarm + 1 - BEFORE)
            named.append(report.cause.name)
    return Outcome(key[0], key[1], delays, named, early)


def _ordinary(setting: Setting, clean: list[Judged], random: np.random.Generator) -> tuple[int, int]:
    """Sequences without any fault: pictures seen, alarms."""
    pictures = alarms = 0
    while pictures < 10_000:
        report = _monitored(setting, [clean[i] for i in random.permutation(len(clean))])
        pictures += len(clean) if report.alarm is None else report.alarm + 1
        alarms += report.alarm is not None
    return pictures, alarms


def _sample(detector: Detector, image: LabelledImage, fault: Fault | None = None) -> Judged:
    pixels: UInt8Array = load_image(image.path, limits=detector.config.image)
    found = detector.predict(pixels if fault is None else fault(pixels))
    assert found.capture is not None
    return found.capture, found.label == DAMAGED


def _monitored(setting: Setting, judged: list[Judged]) -> DriftReport:
    reference, usual = setting
    samples, flagged = [sample for sample, _ in judged], [mark for _, mark in judged]
    return monitor(reference, samples, flagged=flagged, usual=usual)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = sets_parser(__doc__, output=OUTPUT)
    parser.add_argument("--sequences", type=int, default=40, metavar="N", help="for each drift")
    return parser.parse_args(arguments)


def _measure(options: argparse.Namespace) -> None:
    config = load_config(options.config) if options.config else Config()
    everything = find_sets(options.data)
    about = provenance()
    rows, records = [], []
    for image_set in find_sets(options.data, options.sets):
        print(f"{image_set.name} ...", file=sys.stderr, flush=True)
        others = [other for other in everything if other.name != image_set.name]
        found = measure_set(image_set, others, config, sequences=options.sequences)
        if found is None:
            print(f"{image_set.name}: too few undamaged images outside the memory bank", file=sys.stderr)
            continue
        outcomes, (pictures, alarms) = found
        rows += [outcome.row(image_set.name) for outcome in outcomes]
        record = {"set": image_set.name, "ordinary_pictures": pictures, "false_alarms": alarms}
        records.append(record | {"drifts": [outcome.record() for outcome in outcomes]})
    print(f"{machine_line(about['machine'])}; {about['date'][:10]}; seed {config.seed}\n")
    print(format_table(HEADER, rows))
    for record in records:
        print(f"{record['set']}: {record['false_alarms']} alarms in {record['ordinary_pictures']} ordinary pictures")
    drifts = [drift for record in records for drift in record["drifts"]]
    noticed = sum(delay is not None for drift in drifts for delay in drift["delays"])
    right = sum(drift["named"].get(drift["cause"], 0) for drift in drifts)
    total = sum(len(drift["delays"]) for drift in drifts)
    print(f"noticed within {AFTER} pictures: {noticed} of {total}; cause named right: {right} of {noticed}")
    write_results(options.output, about | {"seed": config.seed, "config": public_settings(config), "sets": records})


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; return the exit status."""
    return exit_status(lambda: _measure(_parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
