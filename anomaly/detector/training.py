"""From a labelled folder to a calibrated detector: check, split, fit on the bank split, calibrate on validation.

The test split is returned untouched: nothing here scores it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from anomaly.config import Config
from anomaly.dataset import Dataset, LabelledImage, SplitAssignment, find_duplicates, split_dataset
from anomaly.detector.detector import Detector, Provenance
from anomaly.detector.patchcore import PatchCore
from anomaly.detector.progress import Progress, silent
from anomaly.embedding.runtime import Device


@dataclass(frozen=True, eq=False)
class Training:
    """What training made.

    Attributes
    ----------
    detector : Detector
        Calibrated on the validation split.
    split : SplitAssignment
    test : tuple of LabelledImage
        The images that nothing has looked at; may be empty.
    """

    detector: Detector
    split: SplitAssignment
    test: tuple[LabelledImage, ...]


def train(
    dataset: Dataset,
    config: Config,
    *,
    data: str,
    device: Device = "auto",
    progress: Progress = silent,
) -> Training:
    """Split, fit and calibrate.

    Parameters
    ----------
    dataset : Dataset
    config : Config
    data : str
        What the caller calls the data; recorded.
    device : {"auto", "cpu", "cuda"}
    progress : Progress
        Told about ``checking images`` and the stages of :meth:`anomaly.PatchCore.fit` and
        :meth:`anomaly.Detector.calibrate`.

    Returns
    -------
    Training

    Raises
    ------
    DatasetError, ImageError, BackboneError, RuntimeUnavailableError, ConfigError, CalibrationError
    """
    core = PatchCore(config, device=device)
    core.prepare()
    duplicates = find_duplicates(
        dataset.images,
        limits=config.image,
        progress=lambda done, total: progress("checking images", done, total),
    )
    split = split_dataset(dataset, config.split, seed=config.seed, duplicates=duplicates)
    bank = split.select("bank")
    detector = core.fit([image.path for image in bank], names=[image.name for image in bank], progress=progress)
    provenance = Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        data=data,
        layout=dataset.layout,
        notes=(*dataset.notes, *split.notes),
        splits=split.entries,
    )
    detector = replace(detector, provenance=provenance).calibrate(
        split.select("validation"), reason="training", progress=progress
    )
    return Training(detector, split, split.select("test"))
