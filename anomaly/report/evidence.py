"""All that is known of a trained model, from what was recorded: nothing in a report comes from elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anomaly.calibration import Calibration, CalibrationRecord, ScoredImage
from anomaly.commands import data_option, work_option
from anomaly.config import Config
from anomaly.detector import Detector, fingerprint, read_manifest, training_fingerprint
from anomaly.detector.origin import Provenance
from anomaly.embedding.registry import backbone
from anomaly.evaluation import EvaluationReport, evaluate_scores
from anomaly.experiment import Experiment
from anomaly.report.results import TestResults


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a report rests on.

    Attributes
    ----------
    model : str
        Folder of the trained model, as the caller named it.
    fingerprint, training : str
        Of the whole trained model, and of its training alone.
    config : Config
    provenance : Provenance
    backbone : mapping
        Name, origin, sha256 and licence.
    libraries : mapping of str to str
        Versions.
    taps : tuple of (str, int)
        Name and stride, in network pixels.
    bank_images : int
    bank_rows : int
        Of all taps.
    photo_sizes : tuple of (int, int)
        Width and height of every bank image.
    ordinary : mapping of str to (float, float)
        Limits of ordinary pictures for brightness and sharpness; empty: pictures are not checked.
    record : CalibrationRecord or None
    calibrations : int
        How many were made.
    left_out_scores : tuple of float
        Of bank images, each against the bank without itself, that the threshold rests on besides.
    results : TestResults or None
    test : EvaluationReport or None
        Rates on the test split; None: there is no result, or no test image.
    data_licence : str
        First line of the data's licence file; empty: none was found.
    experiment : Experiment or None
        The newest one on the same photographs of memory and validation.
    work : str
        Folder of recorded results and experiments, as the caller named it.
    bank_hashes : frozenset of str
        The sha256 of every bank image.
    """

    model: str
    fingerprint: str
    training: str
    config: Config
    provenance: Provenance
    backbone: Mapping[str, str]
    libraries: Mapping[str, str]
    taps: tuple[tuple[str, int], ...]
    bank_images: int
    bank_rows: int
    photo_sizes: tuple[tuple[int, int], ...]
    ordinary: Mapping[str, tuple[float, float]]
    record: CalibrationRecord | None
    calibrations: int
    left_out_scores: tuple[float, ...]
    results: TestResults | None
    test: EvaluationReport | None
    data_licence: str = ""
    experiment: Experiment | None = None
    work: str = "work"
    bank_hashes: frozenset[str] = frozenset()

    @property
    def calibration(self) -> Calibration | None:
        """The calibration that stands."""
        return self.record.calibration if self.record else None

    @property
    def validation(self) -> tuple[ScoredImage, ...]:
        """The scores that the threshold was chosen on."""
        return self.record.scores if self.record else ()

    @property
    def planned(self) -> frozenset[str]:
        """The sha256 of every photograph that training kept for the test."""
        return frozenset(entry.sha256 for entry in self.provenance.splits if entry.split == "test")

    @property
    def absent(self) -> int:
        """Test photographs that were not found when the others were judged; exact copies count once."""
        if self.results is None:
            return len(self.planned)
        return len(self.planned - {image.sha256 for image in self.results.images}) - len(self.results.failed)

    def option(self) -> str:
        """Return what a command needs to find this trained model: ``" --model DIR"``, or nothing for the default."""
        return "" if self.model == "trained" else f" --model {shlex.quote(self.model)}"

    def report_options(self) -> str:
        """Return what a command needs to find this trained model and what is recorded of it."""
        return f"{self.option()}{work_option(self.work)}"

    def experiment_options(self) -> str:
        """Return what a command needs to find these photographs and the experiments on them."""
        return f"{data_option(self.provenance.data)}{work_option(self.work)}"


def gather(
    detector: Detector,
    folder: Path,
    *,
    results: TestResults | None,
    data: Path | None,
    experiment: Experiment | None = None,
    work: Path = Path("work"),
) -> Evidence:
    """Bring together what a trained model and its record say.

    Parameters
    ----------
    detector : Detector
    folder : Path
        Of the trained model.
    results : TestResults or None
        Recorded for this training and calibration.
    data : Path or None
        Folder of photographs, for its licence only.
    experiment : Experiment or None
        Recorded for the same photographs.
    work : Path
        Folder of recorded results and experiments.
    """
    manifest = read_manifest(folder)
    entry = backbone(detector.config.embedding.backbone)
    test = None
    if results is not None and results.images:
        test = evaluate_scores([image.scored() for image in results.images], detector.calibration)
    return Evidence(
        model=str(folder),
        fingerprint=fingerprint(folder),
        training=training_fingerprint(folder),
        config=detector.config,
        provenance=detector.provenance,
        backbone=manifest["backbone"],
        libraries=manifest["libraries"],
        taps=tuple((tap.name, tap.stride) for tap in entry.select_taps(detector.config.embedding.taps)),
        bank_images=len(detector.bank_images),
        bank_rows=sum(len(bank) for bank in detector.banks),
        photo_sizes=tuple((image.width, image.height) for image in detector.bank_images),
        ordinary=_ordinary(detector),
        record=detector.record,
        calibrations=len(detector.history.records) if detector.history else 0,
        left_out_scores=detector.left_out_scores,
        results=results,
        test=test,
        data_licence="" if data is None else _licence(data),
        experiment=experiment,
        work=str(work),
        bank_hashes=frozenset(image.sha256 for image in detector.bank_images),
    )


def _ordinary(detector: Detector) -> dict[str, tuple[float, float]]:
    reference = detector.capture
    if reference is None:
        return {}
    return {name.removeprefix("log_"): reference.ordinary(name) for name in ("brightness", "log_sharpness")}


def _licence(data: Path) -> str:
    """First line with words of a licence file, or nothing."""
    for name in ("LICENSE", "LICENSE.txt", "LICENCE", "license.txt"):
        try:
            text = (data / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        return next((line.strip(" #") for line in text.splitlines() if line.strip()), "")
    return ""
