"""Journal rows against the pictures of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from anomaly.capture import CaptureReference
from anomaly.drift.causes import CAUSES, Cause, likely_cause
from anomaly.drift.evidence import SequentialTest
from anomaly.drift.streams import STREAMS, new_values, reference_values, weights
from anomaly.errors import ConfigError
from anomaly.types import BoolArray, CaptureSample, Float64Array

USUAL_SHARE = 0.05
"""Share of pictures that are flagged while all is well, at most."""
ALARM_EVERY = 10_000
"""Ordinary pictures between two false alarms, on average, at least."""
_MOST_RECENT = 10
_BEYOND_CHANCE = 10
"""Evidence of n ordinary pictures is n on average, so it is ten times that in at most one of ten cases (Markov)."""


@dataclass(frozen=True, eq=False)
class DriftReport:
    """What a sequence of pictures says.

    Attributes
    ----------
    pictures : int
        How many there were.
    alarm : int or None
        Number of the picture, from 0, at which a change was certain enough; None: there is none.
    start : int or None
        Number of the picture with which it most likely began.
    stream : str or None
        The value that gave it away.
    cause : Cause or None
    also : Cause or None
        Another cause that is as possible: damage, where the share of flagged pictures alone gave the alarm.
    evidence : ndarray of float64, (pictures,)
        Up to the alarm, NaN after it; an alarm is where it reaches ``level``.
    level : float
        Also the least average number of ordinary pictures between two false alarms.
    values : ndarray of float64, (pictures, s - 1)
        Of :data:`anomaly.drift.streams.STREAMS` but the last.
    reference : ndarray of float64, (n, s - 1)
    flagged : tuple of bool
    """

    pictures: int
    alarm: int | None
    start: int | None
    stream: str | None
    cause: Cause | None
    also: Cause | None
    evidence: Float64Array = field(repr=False)
    level: float
    values: Float64Array = field(repr=False)
    reference: Float64Array = field(repr=False)
    flagged: tuple[bool, ...] = field(repr=False)


def usual_share(*, false_alarms: int, n_undamaged: int) -> float:
    """Share of flagged pictures to expect at most, from the validation images that chose the threshold.

    Laplace's rule of succession on the false alarms, and never below :data:`USUAL_SHARE`, since some parts are damaged.
    """
    return max(USUAL_SHARE, (false_alarms + 1) / (n_undamaged + 2))


def monitor(
    reference: CaptureReference,
    samples: Sequence[CaptureSample],
    *,
    flagged: Sequence[bool] = (),
    usual: float = USUAL_SHARE,
    alarm_every: float = ALARM_EVERY,
) -> DriftReport:
    """Look for the first change in a sequence of pictures.

    Parameters
    ----------
    reference : CaptureReference
        Of the model that judged them.
    samples : sequence of CaptureSample
        In the order they were taken.
    flagged : sequence of bool
        Which of them were labelled damaged, one for each; empty: it is not known, and the share of damage is not
        watched.
    usual : float
        Share of pictures that are flagged while all is well, at most, in (0, 1).
    alarm_every : float
        Least average number of ordinary pictures up to a false alarm; above 1, finite.

    Returns
    -------
    DriftReport
        The bound holds where ordinary pictures are exchangeable with those of training (taken alike, in no particular
        order) and no more than the usual share of them is flagged.

    Raises
    ------
    ConfigError
        ``usual`` is no share, ``alarm_every`` no such number, or ``flagged`` is of another length than ``samples``.
    """
    if not _is_number(usual) or not 0 < usual < 1:
        raise ConfigError(f"the usual share of flagged pictures is {usual!r}: expected a number between 0 and 1")
    if not _is_number(alarm_every) or not 1 < alarm_every < math.inf:
        raise ConfigError(f"a false alarm every {alarm_every!r} pictures: expected a finite number above 1")
    marks = tuple(flagged) or (False,) * len(samples)
    if len(marks) != len(samples):
        raise ConfigError(f"expected a mark for each of {len(samples)} pictures, got {len(marks)}: leave out neither")
    ordinary, values = reference_values(reference), new_values(reference, samples)
    evidence = np.full(len(samples), np.nan)
    test = SequentialTest(ordinary, weights(), usual_share=usual)
    alarm = start = stream = cause = also = None
    for number, (row, mark) in enumerate(zip(values, marks, strict=True)):
        by_stream = test.update(row, flagged=mark)
        evidence[number] = test.evidence
        if evidence[number] >= alarm_every:
            strongest = int((weights() * by_stream).argmax())
            alarm, start, stream = number, test.start(strongest), STREAMS[strongest][1]
            recent = samples[max(start, number + 1 - _MOST_RECENT) : number + 1]
            evident = by_stream >= _BEYOND_CHANCE * (number + 1)
            cause, also = _causes(reference, list(recent), evident, strongest)
            break
    return DriftReport(len(samples), alarm, start, stream, cause, also, evidence, alarm_every, values, ordinary, marks)


def _causes(
    reference: CaptureReference, recent: list[CaptureSample], evident: BoolArray, stream: int
) -> tuple[Cause, Cause | None]:
    """Return the likely cause, and damage besides where no value of a picture shows as much as the flags do.

    Parameters
    ----------
    reference : CaptureReference
    recent : list of CaptureSample
    evident : ndarray of bool, (s,)
        Which streams show more than chance does.
    stream : int
        The one that shows most.
    """
    strongest = STREAMS[stream][0]
    causes = {cause for (cause, _), shows in zip(STREAMS, evident, strict=True) if shows}
    cause = likely_cause(reference, recent, evident=causes, strongest=strongest)
    # Pictures that are dark or out of focus get parts flagged, and so does damage: then it takes a look at the parts.
    also = CAUSES["damage"] if strongest == "damage" and cause.name != "damage" else None
    return cause, also


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
