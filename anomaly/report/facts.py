"""The measurements that advice follows from, drawn out of the evidence; rules see nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from anomaly.calibration import Calibration, ScoredImage
from anomaly.commands import work_option
from anomaly.evaluation import EvaluationReport, Interval, Undefined
from anomaly.experiment import CurvePoint
from anomaly.report.evidence import Evidence
from anomaly.report.results import CaptureRow, ExaminedImage
from anomaly.types import DAMAGED, UNDAMAGED


@dataclass(frozen=True)
class Facts:
    """Measurements; what is not known is None or empty.

    Attributes
    ----------
    test : tuple of ExaminedImage
    validation : tuple of ScoredImage
    left_out_scores : tuple of float
        Of bank images, each against the bank without itself.
    calibration : Calibration or None
    auroc : Interval or None
        On the test split.
    photo_side, network_side : float
        Square root of the area of a typical photograph, and of what the network sees of it; pixels.
    patch : int
        Network pixels between two patches of the finest tap.
    bank_images : int
    test_share : float
        Share of the undamaged photographs that training keeps for the test.
    capture : tuple of CaptureRow
    ordinary : mapping of str to (float, float)
    checked : bool
        Whether the settings want pictures checked.
    part_types : tuple of str
        Of the memory bank.
    grouped : bool
        Whether the data name groups (sessions).
    damage_labelled : bool
        Whether training had a damaged photograph, judged by now or not.
    experiment : bool
        Whether an experiment was recorded.
    memory_curve, label_curve : tuple of CurvePoint
        Its learning curves.
    selection : tuple of str
        How training came to the settings, as the trained model records it.
    model : str
        What a command needs to name the trained model: ``" --model DIR"``, or nothing.
    work : str
        What a command needs to find the experiments: ``" --work DIR"``, or nothing.
    data : str
        Folder that it was trained on.
    """

    test: tuple[ExaminedImage, ...] = ()
    validation: tuple[ScoredImage, ...] = ()
    left_out_scores: tuple[float, ...] = ()
    calibration: Calibration | None = None
    auroc: Interval | None = None
    photo_side: float = 0.0
    network_side: float = 0.0
    patch: int = 0
    bank_images: int = 0
    test_share: float = 0.2
    capture: tuple[CaptureRow, ...] = ()
    ordinary: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    checked: bool = True
    part_types: tuple[str, ...] = ()
    grouped: bool = False
    damage_labelled: bool = False
    experiment: bool = False
    memory_curve: tuple[CurvePoint, ...] = ()
    label_curve: tuple[CurvePoint, ...] = ()
    selection: tuple[str, ...] = ()
    model: str = ""
    work: str = ""
    data: str = "DIR"

    @property
    def damaged(self) -> tuple[ExaminedImage, ...]:
        """Damaged test photographs."""
        return tuple(image for image in self.test if image.label == DAMAGED)

    @property
    def undamaged(self) -> tuple[ExaminedImage, ...]:
        """Undamaged test photographs."""
        return tuple(image for image in self.test if image.label == UNDAMAGED)

    @property
    def scale(self) -> float:
        """Pixels of the photograph that one network pixel stands for; 1 where the photograph is not reduced."""
        return self.photo_side / self.network_side if self.network_side and self.photo_side else 1.0

    def validation_errors(self, calibration: Calibration) -> tuple[int, int]:
        """Count the (missed, flagged) validation photographs under a calibration, each by the threshold of its type."""
        judged = [(image, calibration.for_part_type(image.part_type).label(image.score)) for image in self.validation]
        misses = sum(image.label == DAMAGED and verdict == UNDAMAGED for image, verdict in judged)
        return misses, sum(image.label == UNDAMAGED and verdict == DAMAGED for image, verdict in judged)

    def scores(self, label: str) -> list[float]:
        """Return the validation scores of one label."""
        return [image.score for image in self.validation if image.label == label]


def measure(evidence: Evidence) -> Facts:
    """Draw the measurements out of the evidence."""
    results = evidence.results
    bank = [entry for entry in evidence.provenance.splits if entry.split == "bank"]
    sides = [math.sqrt(width * height) for width, height in evidence.photo_sizes]
    return Facts(
        test=results.images if results else (),
        validation=evidence.validation,
        left_out_scores=evidence.left_out_scores,
        calibration=evidence.calibration,
        auroc=_auroc(evidence.test),
        photo_side=median(sides) if sides else 0.0,
        network_side=float(evidence.config.geometry.size),
        patch=min((stride for _, stride in evidence.taps), default=0),
        bank_images=evidence.bank_images,
        test_share=evidence.config.split.test,
        capture=results.capture if results else (),
        ordinary=evidence.ordinary,
        checked=evidence.config.capture.check,
        part_types=tuple(sorted({entry.part_type for entry in bank} - {""})),
        experiment=evidence.experiment is not None,
        memory_curve=evidence.experiment.memory_curve if evidence.experiment else (),
        label_curve=evidence.experiment.label_curve if evidence.experiment else (),
        selection=evidence.provenance.selection,
        grouped=any(entry.group for entry in evidence.provenance.splits),
        damage_labelled=any(entry.label == DAMAGED for entry in evidence.provenance.splits),
        model=evidence.option(),
        work=work_option(evidence.work),
        data=evidence.provenance.data or "DIR",
    )


def as_given(selection: Sequence[str]) -> bool:
    """Whether training took the settings as they were given, turned copies perhaps apart; a further sentence says."""
    # The beginnings are those of anomaly.detector.selection and of `--train --from-experiment`; tests compare.
    return bool(selection) and selection[0].startswith("settings as given: ")


def by_experiment(selection: Sequence[str]) -> bool:
    """Whether training took the settings that an experiment chose, wherever its record is now."""
    return bool(selection) and selection[0].startswith("chosen by experiment ")


def missed(image: ExaminedImage) -> bool:
    """Whether a damaged photograph was called undamaged."""
    return image.label == DAMAGED and image.verdict == UNDAMAGED


def marked(images: Sequence[ExaminedImage]) -> tuple[int, int]:
    """Count the damaged photographs that were found: (marked where the mask is, of those where that is known)."""
    known = [image.met for image in images if image.label == DAMAGED and image.met is not None]
    return sum(known), len(known)


def false_alarm(image: ExaminedImage) -> bool:
    """Whether an undamaged photograph was called damaged."""
    return image.label == UNDAMAGED and image.verdict == DAMAGED


def more_often(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Return how easily chance makes ``a`` (count, n) happen at least this much more often than ``b``.

    Fisher's exact test, one-sided; 1 where either has no case.

    Returns
    -------
    float
        p-value in [0, 1].
    """
    if not a[1] or not b[1]:
        return 1.0
    from scipy.stats import fisher_exact

    table = [[a[0], a[1] - a[0]], [b[0], b[1] - b[0]]]
    return float(fisher_exact(table, alternative="greater").pvalue)


def kinds(images: Sequence[ExaminedImage]) -> dict[str, list[ExaminedImage]]:
    """Damaged photographs by kind of damage; one with several kinds stands under each."""
    found: dict[str, list[ExaminedImage]] = {}
    for image in images:
        for name in sorted(set(image.defect.split("+")) - {""}):
            found.setdefault(name, []).append(image)
    return dict(sorted(found.items()))


def one_sided_sessions(images: Sequence[ExaminedImage]) -> list[tuple[str, int, int]]:
    """Return the sessions that give the label away: at least three photographs, at least four of five damaged.

    Returns
    -------
    list of (str, int, int)
        Name, damaged and undamaged photographs; the most damaged first.
    """
    counts: dict[str, list[int]] = {}
    for image in images:
        if image.group:
            counts.setdefault(image.group, [0, 0])[image.label == UNDAMAGED] += 1
    found = [(name, bad, good) for name, (bad, good) in counts.items() if bad + good >= 3 and 4 * good <= bad]
    return sorted(found, key=lambda session: (-session[1], session[0]))


def by_session(rows: Sequence[CaptureRow], measure: str) -> dict[str, float]:
    """Return the median of a capture measure in each session, of the part type in which sessions differ most.

    Only undamaged photographs count, and sessions with at least three of them. Part types are compared each for
    itself: springs need not be as sharp as gears.

    Returns
    -------
    dict of str to float
        Empty where no part type has a session.
    """
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row.group and row.label == UNDAMAGED:
            values.setdefault(row.part_type, {}).setdefault(row.group, []).append(float(getattr(row, measure)))
    medians = [
        {name: median(found) for name, found in sorted(sessions.items()) if len(found) >= 3}
        for _, sessions in sorted(values.items())
    ]
    return max(medians, key=lambda sessions: spread(list(sessions.values())), default={})


def spread(values: Sequence[float]) -> float:
    """Largest less smallest, as a share of the median; 0 for fewer than two values or a median of 0."""
    middle = median(values) if values else 0.0
    return (max(values) - min(values)) / middle if len(values) > 1 and middle > 0 else 0.0


def _auroc(report: EvaluationReport | None) -> Interval | None:
    return None if report is None or isinstance(report.overall.auroc, Undefined) else report.overall.auroc
