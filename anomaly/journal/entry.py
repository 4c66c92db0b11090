"""One row of the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from anomaly.types import Float32Array, Verdict


@dataclass(frozen=True, eq=False)
class JournalEntry:
    """One judged image.

    Attributes
    ----------
    time : str
        When it was judged, see :func:`time_text`.
    path : str
        As the user named it.
    sha256 : str
        Of the file that was judged.
    model : str
        Fingerprint of the training that judged: what the memory bank holds, whatever the calibration.
    calibration_version : int or None
    label : {"undamaged", "damaged", "reinspect", "not judged"} or None
        None: not calibrated.
    score : float
    threshold, probability : float or None
    measures : mapping of str to float
        Capture measures by name, see :class:`anomaly.types.CaptureSample`.
    warnings : tuple of str
        What was odd about the picture.
    strangeness : ndarray of float32, (4, 4)
        Mean of the anomaly map in each cell of a coarse grid over the image.
    embedding : ndarray of float32, (d,)
        Mean patch embedding, the taps one after another.
    """

    time: str
    path: str
    sha256: str
    model: str
    calibration_version: int | None
    label: Verdict | None
    score: float
    threshold: float | None
    probability: float | None
    measures: Mapping[str, float]
    warnings: tuple[str, ...]
    strangeness: Float32Array = field(repr=False)
    embedding: Float32Array = field(repr=False)


class Judged(NamedTuple):
    """What was said of an image; see :class:`JournalEntry`."""

    label: Verdict | None
    score: float


def time_text(moment: datetime) -> str:
    """Write a moment as the journal does: ISO 8601 in UTC, with microseconds, so that texts sort as moments do.

    Milliseconds would not do: processes judge several images within one, and ``since`` would lose all but the last.
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
