"""The outcome of an experiment as a file, and how it is found again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomaly.dataset import Dataset, LabelledImage, SplitEntry
from anomaly.errors import ExperimentError, ImageError
from anomaly.experiment.checked import checked
from anomaly.experiment.space import Space, Value
from anomaly.files import replace_file
from anomaly.imaging.decode import content_hash
from anomaly.imaging.names import printable_name

FORMAT = 1
RECORD = "experiment.json"

_UNUSABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What reading a record raises that somebody has changed."""


@dataclass(frozen=True)
class TrialRow:
    """One combination in the table.

    Attributes
    ----------
    number : int
    settings : mapping
    loss, loss_error : float
        Mean logarithmic loss in nats, and its standard error.
    auroc, low, high : float
    found : float
        Damaged photographs found where 5 % of the undamaged ones are flagged, mean over repeats.
    seconds : float
        It took, with its share of the features.
    """

    number: int
    settings: Mapping[str, Value]
    loss: float
    loss_error: float
    auroc: float
    low: float
    high: float
    found: float
    seconds: float


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy with so many photographs: ``value`` in [0, 1] with its interval."""

    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Experiment:
    """What was compared, on what, and what came out.

    Attributes
    ----------
    identity : str
        Of the photographs, the settings that were not varied and the space.
    data : str
        The folder, as the caller named it.
    dataset : str
        Hash of all photographs of the folder, their labels and given splits; a folder that changed has another.
    images : str
        Hash of the photographs of memory and validation.
    created : str
        ISO 8601, UTC.
    config : dict
        The settings that were not varied.
    space : dict
    undamaged, damaged, units : int
        Photographs that took part, and units of photographs that were kept together.
    kept_together : bool
        Whether no unit was in the memory and judged at once.
    trials : tuple of TrialRow
        In the order of their numbers.
    importance : dict of str to float
    best, chosen : int
        Numbers of trials.
    reason : str
    memory_curve : tuple of CurvePoint
        AUROC against undamaged photographs in the memory.
    label_curve : tuple of CurvePoint
        Mean of found and passed shares against damaged photographs that set the threshold.
    """

    identity: str
    data: str
    dataset: str
    images: str
    created: str
    config: Mapping[str, Any]
    space: Mapping[str, Any]
    undamaged: int
    damaged: int
    units: int
    kept_together: bool
    trials: tuple[TrialRow, ...]
    importance: Mapping[str, float]
    best: int
    chosen: int
    reason: str
    memory_curve: tuple[CurvePoint, ...] = ()
    label_curve: tuple[CurvePoint, ...] = ()

    def trial(self, number: int) -> TrialRow:
        """Return a trial by its number."""
        return next(row for row in self.trials if row.number == number)


def write_experiment(experiment: Experiment, folder: Path) -> None:
    """Write ``experiment.json``.

    Raises
    ------
    OutputError
    """
    text = json.dumps({"format": FORMAT, **dataclasses.asdict(experiment)}, indent=1)
    replace_file(folder / RECORD, (text + "\n").encode("utf-8", "surrogateescape"))


def read_experiment(path: Path) -> Experiment:
    """Read ``experiment.json``.

    Raises
    ------
    ExperimentError
        It cannot be used.
    """
    try:
        value = _plain(path)
        if value.pop("format") != FORMAT:
            raise ValueError("another format")
        return _experiment(value)
    except _UNUSABLE as error:
        raise _unusable(path, error) from error


def _experiment(value: dict[str, Any]) -> Experiment:
    found: Experiment = checked(Experiment, value, "experiment")
    if unknown := {found.best, found.chosen} - {row.number for row in found.trials}:
        raise ValueError(f"there is no trial {min(unknown)}")
    checked(
        Mapping[str, Mapping[str, Any]], {name: own for name, own in found.config.items() if name != "seed"}, "config"
    )
    checked(Space, found.space, "space")
    if missing := {"folds", "repeats"} - found.space.keys():
        raise ValueError(f"space has no {min(missing)!r}")
    return found


def find_experiment(
    work: Path,
    *,
    images: str | None = None,
    dataset: str | None = None,
    remark: Callable[[str], None] = lambda _: None,
) -> Experiment | None:
    """Return the newest experiment on these photographs.

    Parameters
    ----------
    work : Path
    images, dataset : str, optional
        What its record has to say.
    remark : callable
        Told of each record that is passed over because nobody can read which photographs it is about.

    Raises
    ------
    ExperimentError
        A record on these photographs cannot be used.
    """
    wanted = {"images": images, "dataset": dataset}
    fitting = []
    for path in sorted(work.glob(f"experiment-*/{RECORD}")):
        try:
            about = _about(path)
        except ExperimentError as error:
            remark(f"passed over: {printable_name(str(error))}")
            continue
        if all(value is None or about[name] == value for name, value in wanted.items()):
            fitting.append(read_experiment(path))
    return max(fitting, key=lambda experiment: (experiment.created, experiment.identity), default=None)


def images_hash(entries: Iterable[SplitEntry]) -> str:
    """Hash of the photographs of memory and validation, by content and label."""
    used = sorted((entry.sha256, entry.label, entry.split) for entry in entries if entry.split != "test")
    return hashlib.sha256(json.dumps(used).encode()).hexdigest()[:16]


def dataset_hash(dataset: Dataset) -> str:
    """Hash of all photographs of a folder, by name, label, part type, group, content and the split they are given.

    A file that cannot be read has no content, and one without a given split hashes as it did before splits counted.
    """
    rows = [
        [image.name, image.label, image.part_type, image.group, _content(image), *filter(None, [image.split])]
        for image in dataset.images
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def _about(path: Path) -> dict[str, str]:
    """Return the hashes of the photographs that a record is about, whatever else of it can be used."""
    try:
        value = _plain(path)
        return {"images": str(value["images"]), "dataset": str(value["dataset"])}
    except _UNUSABLE as error:
        raise _unusable(path, error) from error


def _plain(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
    return value


def _unusable(path: Path, error: Exception) -> ExperimentError:
    return ExperimentError(
        f"expected a recorded experiment in {path}, and it cannot be used ({error}): delete the file and run "
        "--experiment again",
        path=path,
    )


def _content(image: LabelledImage) -> str:
    try:
        return content_hash(image.path)
    except ImageError:
        return ""
