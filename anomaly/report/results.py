"""What was measured on the photographs behind a trained model, recorded once as JSON.

A record belongs to one training and one calibration, known by their fingerprint and number; a report about another
trained model does not find it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomaly.calibration import ScoredImage
from anomaly.errors import ReportError
from anomaly.experiment.checked import checked
from anomaly.files import replace_file
from anomaly.types import Label, Split, Verdict

FORMAT = 1


@dataclass(frozen=True)
class ExaminedImage:
    """One photograph of the test split with its truth and its verdict.

    Attributes
    ----------
    name, sha256 : str
    label : {"undamaged", "damaged"}
        The truth.
    score : float
    verdict : {"undamaged", "damaged", "reinspect"} or None
        By the score alone, as an evaluation counts; None: there is no threshold.
    part_type, group, defect : str
    damaged_px : int or None
        Pixels of the largest connected damage in the mask; None: there is no mask.
    image_px : int
        Pixels of the photograph.
    refused : bool
        The program would not judge it, because of how it was taken.
    met : bool or None
        What the program marks, the map above the threshold, and the mask have a pixel in common. None: it was not
        called damaged, there is no mask, or the record is older than this question.
    """

    name: str
    sha256: str
    label: Label
    score: float
    verdict: Verdict | None
    part_type: str
    group: str
    defect: str
    damaged_px: int | None
    image_px: int
    refused: bool = False
    met: bool | None = None

    def scored(self) -> ScoredImage:
        """Return what an evaluation needs of it."""
        return ScoredImage(self.name, self.sha256, self.label, self.score, self.part_type, self.group, self.defect)


@dataclass(frozen=True)
class CaptureRow:
    """How one photograph of any split was taken; measures as in :class:`anomaly.types.CaptureQuality`."""

    name: str
    split: Split
    label: Label
    part_type: str
    group: str
    width: int
    height: int
    brightness: float
    contrast: float
    sharpness: float
    clipped_dark: float
    clipped_bright: float


@dataclass(frozen=True)
class Example:
    """A picture that shows a verdict: a file beside the record, and what is to be seen."""

    file: str
    name: str
    label: Label
    verdict: Verdict | None
    score: float
    defect: str


@dataclass(frozen=True)
class TestResults:
    """What one examination found.

    Attributes
    ----------
    training : str
        :func:`anomaly.detector.training_fingerprint` of the trained model.
    calibration : int
        Number of the calibration whose verdicts these are; 0: there was none.
    created : str
        ISO 8601, UTC.
    data : str
        The folder of photographs, as the caller named it.
    seconds_per_image : float or None
        Median time of one verdict on the machine that examined; None: no test image.
    images : tuple of ExaminedImage
        The test split; may be empty.
    failed : tuple of (str, str)
        Name and reason of what could not be judged.
    pixels : dict
        Pixel metrics as :meth:`anomaly.evaluation.EvaluationReport.to_dict` has them.
    capture : tuple of CaptureRow
        Photographs of all splits that were found.
    missing : int
        Photographs of the splits that were not found in the folder.
    examples : tuple of Example
    """

    __test__ = False  # no test case of pytest's

    training: str
    calibration: int
    created: str
    data: str
    seconds_per_image: float | None
    images: tuple[ExaminedImage, ...]
    failed: tuple[tuple[str, str], ...]
    pixels: dict[str, Any]
    capture: tuple[CaptureRow, ...]
    missing: int = 0
    examples: tuple[Example, ...] = ()

    def with_examples(self, examples: tuple[Example, ...]) -> TestResults:
        """Return the same results with pictures."""
        return dataclasses.replace(self, examples=examples)


def results_folder(work: Path, *, training: str, calibration: int) -> Path:
    """Where the record of one training and calibration lies."""
    return work / f"test-{training}-{calibration:04d}"


def write_results(results: TestResults, folder: Path) -> None:
    """Write ``results.json``.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    text = json.dumps({"format": FORMAT, **dataclasses.asdict(results)}, indent=1)
    replace_file(folder / "results.json", (text + "\n").encode("utf-8", "surrogateescape"))


def read_results(folder: Path) -> TestResults | None:
    """Read ``results.json``; None where nothing was recorded.

    Raises
    ------
    ReportError
        It is there and cannot be used.
    """
    path = folder / "results.json"
    try:
        value = json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
        if value.pop("format") != FORMAT:
            raise ValueError("another format")
        found: TestResults = checked(TestResults, value, "results")
        return found
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ReportError(
            f"expected recorded results in {path}, and they cannot be used ({error}): delete the file, --report makes "
            "it anew",
            path=path,
        ) from error
