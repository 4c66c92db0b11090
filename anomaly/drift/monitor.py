"""Journal rows against the pictures of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from anomaly.capture import CaptureReference
from anomaly.drift.causes import Cause, likely_cause
from anomaly.drift.evidence import SequentialTest
from anomaly.drift.streams import STREAMS, new_values, reference_values, weights
from anomaly.types import CaptureSample, Float64Array

ALARM_EVERY = 10_000
"""Ordinary pictures between two false alarms, on average, at least."""
_MOST_RECENT = 30


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
    evidence : ndarray of float64, (pictures,)
        Up to the alarm, NaN after it; an alarm is where it reaches ``level``.
    level : float
        Also the least average number of ordinary pictures between two false alarms.
    values : ndarray of float64, (pictures, s)
        Of :data:`anomaly.drift.streams.STREAMS`.
    reference : ndarray of float64, (n, s)
    """

    pictures: int
    alarm: int | None
    start: int | None
    stream: str | None
    cause: Cause | None
    evidence: Float64Array = field(repr=False)
    level: float
    values: Float64Array = field(repr=False)
    reference: Float64Array = field(repr=False)


def monitor(
    reference: CaptureReference, samples: Sequence[CaptureSample], *, alarm_every: float = ALARM_EVERY
) -> DriftReport:
    """Look for the first change in a sequence of pictures.

    Parameters
    ----------
    reference : CaptureReference
        Of the model that judged them.
    samples : sequence of CaptureSample
        In the order they were taken.
    alarm_every : float
        Least average number of ordinary pictures up to a false alarm.

    Returns
    -------
    DriftReport
        The bound holds where ordinary pictures are exchangeable with those of training: taken alike, in no particular
        order.
    """
    ordinary = reference_values(reference)
    values = new_values(reference, samples)
    test = SequentialTest(ordinary, weights())
    evidence = np.full(len(samples), np.nan)
    for number, row in enumerate(values):
        by_stream = test.update(row)
        evidence[number] = test.evidence
        if evidence[number] >= alarm_every:
            stream = int((weights() * by_stream).argmax())
            start = test.start(stream)
            recent = list(samples[max(start, number + 1 - _MOST_RECENT) : number + 1])
            cause = likely_cause(reference, recent)
            return DriftReport(
                len(samples), number, start, STREAMS[stream][1], cause, evidence, alarm_every, values, ordinary
            )
    return DriftReport(len(samples), None, None, None, None, evidence, alarm_every, values, ordinary)
