"""Every error that goodparts raises on purpose, as one tree.

    AnomalyError
    ├── ConfigError
    ├── ImageError                      one image cannot be used; carries ``path``
    │   ├── ImageUnreadableError        missing, no permission, a directory, corrupt, truncated, no image
    │   └── ImageTooLargeError          more bytes or pixels than the limits allow
    ├── PartFinderError                 stored settings of a part finder are wrong
    ├── NoPartsError                    pictures cannot be cut into parts; carries ``reason``
    ├── DatasetError
    │   ├── LayoutError                 the folder is in none of the accepted layouts
    │   ├── LabelsError                 labels.csv is wrong; carries ``row``
    │   ├── LabelConflictError          the same picture carries two labels; carries ``paths``
    │   ├── TooFewImagesError           carries ``n`` and ``needed``
    │   └── LeakError                   an image to be judged is in the memory bank; carries ``paths``
    ├── BackboneError
    │   ├── UnknownBackboneError
    │   └── WeightsUnavailableError     no weights offline and no file given
    ├── RuntimeUnavailableError         a runtime (OpenVINO, CUDA) or an extra is not installed
    ├── CalibrationError
    │   ├── NotCalibratedError
    │   └── PromiseNotPossibleError     carries ``needed`` and ``best_possible``
    ├── TrainedModelError               carries ``path``
    │   ├── TrainedModelMissingError
    │   ├── TrainedModelCorruptError    wrong hash, missing file, unreadable manifest
    │   └── TrainedModelVersionError    written by a newer goodparts
    ├── JournalError                    the journal cannot be used; carries ``path``
    ├── ReportError                     recorded evidence or the typesetting fails; carries ``path``
    ├── ExperimentError                 a recorded experiment cannot be used; carries ``path``
    └── OutputError                     a result cannot be written; carries ``path``

Each message is one line that says what was expected, what came and what to do next.
Foreign exceptions (PIL, OpenVINO, FAISS, OSError) are mapped to these at the door they come in by.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class AnomalyError(Exception):
    """Root of the tree; ``except AnomalyError`` catches whatever goodparts raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        """Come through to another process with what it carries, whatever its class must be made with."""
        return _again, (type(self), self.args), self.__dict__


class ConfigError(AnomalyError):
    """A setting is unknown, of the wrong type or out of range."""


class ImageError(AnomalyError):
    """One image cannot be used; the others of the call still can."""

    def __init__(self, message: str, *, path: Path | str | None = None) -> None:
        super().__init__(message)
        self.path = path


class ImageUnreadableError(ImageError):
    """The file is missing, forbidden, a directory, empty, corrupt, truncated or not an image."""


class ImageTooLargeError(ImageError):
    """The file has more bytes or pixels than the limits allow; it was not decoded."""


class PartFinderError(AnomalyError):
    """What was stored of a part finder cannot be read."""


class NoPartsError(AnomalyError):
    """The undamaged pictures cannot be cut into parts and should be judged whole; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"expected pictures of several parts: {reason}; judge the picture as a whole")
        self.reason = reason


class DatasetError(AnomalyError):
    """Labelled data cannot be used as they are."""


class LayoutError(DatasetError):
    """The folder is in none of the accepted layouts."""


class LabelsError(DatasetError):
    """``labels.csv`` is wrong; ``row`` is its 1-based line number, None for the header."""

    def __init__(self, message: str, *, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


class LabelConflictError(DatasetError):
    """The same picture is labelled undamaged and damaged."""

    def __init__(self, message: str, *, paths: Sequence[str]) -> None:
        super().__init__(message)
        self.paths = tuple(paths)


class TooFewImagesError(DatasetError):
    """Fewer images than the step needs."""

    def __init__(self, message: str, *, n: int, needed: int) -> None:
        super().__init__(message)
        self.n = n
        self.needed = needed


class LeakError(DatasetError):
    """Images that are to be judged are in the memory bank, or straddle a split."""

    def __init__(self, message: str, *, paths: Sequence[str]) -> None:
        super().__init__(message)
        self.paths = tuple(paths)


class BackboneError(AnomalyError):
    """The embedding network cannot be built."""


class UnknownBackboneError(BackboneError):
    """No registry entry of that name."""


class WeightsUnavailableError(BackboneError):
    """The weights are neither embedded, nor cached, nor given, nor to be had from the network."""


class RuntimeUnavailableError(AnomalyError):
    """A runtime or an optional dependency is not installed."""


class CalibrationError(AnomalyError):
    """A threshold cannot be derived from these scores."""


class NotCalibratedError(CalibrationError):
    """The detector has no threshold yet."""


class PromiseNotPossibleError(CalibrationError):
    """The labelled images cannot carry the promised rate.

    Attributes
    ----------
    needed : int
        Labelled images of the class concerned that the promise needs.
    best_possible : float
        The smallest rate that today's images can promise at the same confidence.
    """

    def __init__(self, message: str, *, needed: int, best_possible: float) -> None:
        super().__init__(message)
        self.needed = needed
        self.best_possible = best_possible


class TrainedModelError(AnomalyError):
    """The trained-model folder cannot be used."""

    def __init__(self, message: str, *, path: Path | str) -> None:
        super().__init__(message)
        self.path = path


class TrainedModelMissingError(TrainedModelError):
    """There is no trained model at that place."""


class TrainedModelCorruptError(TrainedModelError):
    """A file of the trained model is missing, unreadable or not the one that was written."""


class TrainedModelVersionError(TrainedModelError):
    """The trained model was written by a newer goodparts."""


class JournalError(AnomalyError):
    """The journal cannot be opened, read or written."""

    def __init__(self, message: str, *, path: Path | str) -> None:
        super().__init__(message)
        self.path = path


class ReportError(AnomalyError):
    """Recorded evidence cannot be used, or the report cannot be typeset."""

    def __init__(self, message: str, *, path: Path | str) -> None:
        super().__init__(message)
        self.path = path


class ExperimentError(AnomalyError):
    """What was recorded of an experiment cannot be used, or there is none."""

    def __init__(self, message: str, *, path: Path | str) -> None:
        super().__init__(message)
        self.path = path


class OutputError(AnomalyError):
    """A result cannot be written."""

    def __init__(self, message: str, *, path: Path | str) -> None:
        super().__init__(message)
        self.path = path


def _again(kind: type[AnomalyError], arguments: tuple[object, ...]) -> AnomalyError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    return error
