"""Ordinary pictures, and how far another one is from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from anomaly.capture.faults import FaultFilter, contradicted, strongest
from anomaly.capture.measures import MEASURES
from anomaly.capture.novelty import Novelty
from anomaly.types import CaptureQuality, CaptureSample, Float64Array

COLUMNS = (*MEASURES, "log_novelty")
"""What is held against the limits: the measures, and how far the embedding is from those of the ordinary pictures."""

_UPPER_ONLY = frozenset({"log_typical", "log_wide", "log_novelty"})
_LIGHT_AND_FOCUS = ("brightness", "contrast", "log_sharpness", "clipped_dark", "clipped_bright")
_NOT_TELLING = frozenset({"log_area", "log_aspect", "log_wide"})
"""A picture's size does not by itself make a score meaningless, nor does large damage."""
FLOORS = {
    "brightness": 0.02,
    "contrast": 0.015,
    "log_sharpness": 0.15,
    "clipped_dark": 0.005,
    "clipped_bright": 0.005,
    "log_area": 0.05,
    "log_aspect": 0.02,
    "log_typical": 0.03,
    "log_wide": 0.03,
    "log_novelty": 0.03,
}
"""Least standard deviation of each measure: smaller differences are no fault of a picture."""


@dataclass(frozen=True)
class CaptureVerdict:
    """How a picture compares with those of training.

    Attributes
    ----------
    warnings : tuple of str
        One phrase for each way in which it is out of the ordinary.
    refused : bool
        It is so far out that a score means nothing.
    everywhere : bool
        Most patches are strange as well, so that a high score need not come from damage, which is local.
    """

    warnings: tuple[str, ...]
    refused: bool
    everywhere: bool


@dataclass(frozen=True, eq=False)
class CaptureReference:
    """Ordinary pictures as numbers, with limits learnt from them; made by :func:`anomaly.capture.fit.fit_reference`.

    Attributes
    ----------
    samples : tuple of CaptureSample
        Undamaged training images, each against the memory bank without itself.
    centre, scale : ndarray of float64, (m,)
        Of each of :data:`COLUMNS`.
    limit : ndarray of float64, (m,)
        Distance from the centre, in scales, at which a picture is warned of; positive.
    filters : tuple of FaultFilter
        What faults look like that were planted in training images; a picture with one is warned of.
    learnt : mapping of str to CaptureSample
        Pictures that somebody called good after training, by the sha256 of their files, each against the memory bank
        without itself. A picture is ordinary beside one of them, too, as far as the limits reach: what differs in the
        same way is as good, and what differs in another way is as odd as it was.
    """

    samples: tuple[CaptureSample, ...]
    centre: Float64Array
    scale: Float64Array
    limit: Float64Array
    filters: tuple[FaultFilter, ...] = ()
    learnt: Mapping[str, CaptureSample] = field(default_factory=dict)
    _novelty: Novelty = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_novelty", Novelty(embeddings(self.samples)))

    def judge(self, sample: CaptureSample, quality: CaptureQuality, *, refuse_at: float) -> CaptureVerdict:
        """Compare one picture with the ordinary ones.

        Parameters
        ----------
        sample : CaptureSample
        quality : CaptureQuality
            The same picture's; for the words.
        refuse_at : float
            Multiple of the limits beyond which a picture is not judged; at least 1.
        """
        found = [self._compare(sample, quality, refuse_at, beside) for beside in (None, *self.learnt.values())]
        # The kindest counts: what is learnt never makes another picture odder than it was.
        return min(found, key=lambda one: (one.refused, one.everywhere, len(one.warnings)))

    def _compare(
        self, sample: CaptureSample, quality: CaptureQuality, refuse_at: float, beside: CaptureSample | None
    ) -> CaptureVerdict:
        """Compare one picture with the middle of the training pictures or, beside it, with one that was learnt."""
        seen = sample if beside is None else self._moved(sample, beside)
        by_name = dict(zip(COLUMNS, self.excess(seen).tolist(), strict=True))
        warnings = [self._phrase(name, value, quality, beside) for name, value in by_name.items() if abs(value) > 1]
        fault = strongest(self.filters, seen.embedding.astype(np.float64))
        if fault is not None and not contradicted(fault[0].fault, by_name):
            filter_, strength = fault
            warnings.append(filter_.phrase(strength))
        telling = [abs(value) for name, value in by_name.items() if name not in _NOT_TELLING]
        taken_wrongly = max(abs(by_name[name]) for name in _LIGHT_AND_FOCUS) > refuse_at
        return CaptureVerdict(
            warnings=tuple(warnings),
            refused=max(telling) > refuse_at,
            everywhere=by_name["log_typical"] > 1 and (taken_wrongly or self._strange_throughout(sample)),
        )

    def _moved(self, sample: CaptureSample, beside: CaptureSample) -> CaptureSample:
        """Return a picture as far from the middle of the training pictures as it is from one that was learnt.

        So every limit, that of the embedding and those of the faults included, counts from the learnt one.
        """
        middles = zip(MEASURES, self.centre.tolist(), strict=False)  # the last column is no measure
        return replace(
            sample,
            measures={name: sample.measures[name] - beside.measures[name] + middle for name, middle in middles},
            embedding=sample.embedding - beside.embedding + self._novelty.mean.astype(np.float32),
        )

    def excess(self, sample: CaptureSample) -> Float64Array:
        """Signed distance from the ordinary in each of :data:`COLUMNS`; beyond -1 or 1 is out of the ordinary.

        Returns
        -------
        ndarray of float64, (m,)
        """
        return one_sided((self.row(sample) - self.centre) / self.scale) / self.limit

    def row(self, sample: CaptureSample) -> Float64Array:
        """Values of :data:`COLUMNS`, (m,)."""
        novelty = self._novelty.log_distance(sample.embedding.astype(np.float64))
        return np.array([*(sample.measures[name] for name in MEASURES), novelty])

    def _strange_throughout(self, sample: CaptureSample) -> bool:
        """Whether the strangest places stand out no more from the others than they do in ordinary pictures."""
        return _contrast(sample) <= max(_contrast(ordinary) for ordinary in self.samples)

    def _phrase(self, name: str, excess: float, quality: CaptureQuality, beside: CaptureSample | None) -> str:
        found = {
            "brightness": (quality.brightness, "darker", "brighter"),
            "contrast": (quality.contrast, "less contrast", "more contrast"),
            "clipped_dark": (quality.clipped_dark, "fewer black pixels", "under-exposed, more black pixels"),
            "clipped_bright": (quality.clipped_bright, "fewer white pixels", "over-exposed, more white pixels"),
            "log_sharpness": (quality.sharpness, "out of focus, less sharp", "sharper or noisier"),
        }
        if name in found:
            value, below, above = found[name]
            low, high = self._between(name, self._middle(name) if beside is None else beside.measures[name])
            words = below if excess < 0 else above
            said, lowest, highest = _apart(value, low, high)
            return f"{words} than ordinary ({said}, ordinary {lowest} to {highest})"
        if name == "log_area":
            return f"other size ({quality.width}x{quality.height} px)"
        if name == "log_aspect":
            return f"other shape ({quality.width}x{quality.height} px)"
        if name == "log_typical":
            return "strange nearly everywhere"
        if name == "log_wide":
            return "strange over a large part"
        return "unlike every training image as a whole"

    def ordinary(self, name: str) -> tuple[float, float]:
        """Return between which values of one of :data:`COLUMNS` training pictures are ordinary, logarithms undone."""
        return self._between(name, self._middle(name))

    def _middle(self, name: str) -> float:
        return float(self.centre[COLUMNS.index(name)])

    def _between(self, name: str, centre: float) -> tuple[float, float]:
        column = COLUMNS.index(name)
        reach = float(self.limit[column] * self.scale[column])
        low, high = centre - reach, centre + reach
        return (math.exp(low), math.exp(high)) if name.startswith("log_") else (max(low, 0.0), high)


def _apart(value: float, low: float, high: float) -> tuple[str, ...]:
    """Return a value beyond two limits and these in words, in as few digits from three on as tell it from them."""
    texts: tuple[str, ...] = ()
    for digits in range(3, 10):
        texts = tuple(f"{number:.{digits}g}" for number in (value, low, high))
        if texts[0] not in texts[1:]:
            break
    return texts


def _contrast(sample: CaptureSample) -> float:
    return math.log(max(sample.score, 1e-9)) - sample.measures["log_typical"]


def one_sided(distances: Float64Array) -> Float64Array:
    """Distances of (..., m) columns, those that only count upwards cut off at 0."""
    return np.where(np.isin(COLUMNS, sorted(_UPPER_ONLY)), np.maximum(distances, 0.0), distances)


def embeddings(samples: Sequence[CaptureSample]) -> Float64Array:
    """Embeddings of several pictures, (n, d)."""
    return np.stack([sample.embedding for sample in samples]).astype(np.float64)


def sample_rows(samples: Sequence[CaptureSample]) -> Float64Array:
    """Measures of several pictures, (n, m - 1): :data:`COLUMNS` without the novelty."""
    return np.array([[sample.measures[name] for name in MEASURES] for sample in samples])
