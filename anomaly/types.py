"""What passes between the rooms: plain frozen records of numbers and names.

Axis letters are the same everywhere: b batch, c channels, H W original pixels, h w network pixels,
gh gw patch grid, p = gh * gw, n queries, m bank rows, d embedding size, k neighbours.
Arrays are (row, column); boxes are (x, y, width, height) in original pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

UInt8Array: TypeAlias = npt.NDArray[np.uint8]
Float32Array: TypeAlias = npt.NDArray[np.float32]
Float64Array: TypeAlias = npt.NDArray[np.float64]
Int64Array: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

Label: TypeAlias = Literal["undamaged", "damaged"]
UNDAMAGED: Label = "undamaged"
DAMAGED: Label = "damaged"

Verdict: TypeAlias = Literal["undamaged", "damaged", "reinspect", "not judged"]
"""What a detector says of an image; a truth is one of the first two."""
REINSPECT: Verdict = "reinspect"
NOT_JUDGED: Verdict = "not judged"
"""The picture is not of the kind that the detector knows, so neither label would mean anything."""

Split: TypeAlias = Literal["bank", "validation", "test"]


@dataclass(frozen=True)
class Region:
    """A connected area of the anomaly map above the threshold, in original pixels.

    Attributes
    ----------
    x, y, width, height : int
        Bounding box.
    area_px : int
        Number of pixels of the area itself (at most ``width * height``).
    peak : float
        Largest value of the anomaly map inside.
    peak_x, peak_y : int
        Where that is.
    """

    x: int
    y: int
    width: int
    height: int
    area_px: int
    peak: float
    peak_x: int
    peak_y: int


@dataclass(frozen=True)
class PartVerdict:
    """What is said of one part among several in a picture.

    Attributes
    ----------
    x, y, width, height : int
        Bounding box in original pixels.
    area_px : int
        Original pixels that the part covers.
    cut_off : bool
        It touches the border of the image.
    score : float
        Image score that the picture would have if everything but this part were ordinary; never above its own. That of
        an undamaged part may be somewhat too large, but not above the threshold (``scoring.whole_map``).
    label : {"undamaged", "damaged", "reinspect"}
        That of the score, by the threshold of the image.
    """

    x: int
    y: int
    width: int
    height: int
    area_px: int
    cut_off: bool
    score: float
    label: Verdict


@dataclass(frozen=True)
class NearestPatch:
    """The good patch in the memory bank that is nearest to one place of the image.

    Attributes
    ----------
    image : str
        Name of the bank image, as recorded in ``splits.csv``.
    x, y : int
        Centre of the patch in that image's original pixels.
    distance : float
        Euclidean distance in the embedding of the finest tap.
    """

    image: str
    x: int
    y: int
    distance: float


@dataclass(frozen=True)
class CaptureQuality:
    """Measures of how the picture was taken; none of them is a verdict.

    Attributes
    ----------
    width, height : int
        Original pixels, after EXIF orientation.
    brightness, contrast : float
        Mean and standard deviation of the luma, in [0, 1].
    sharpness : float
        Variance of the Laplacian of the luma (in [0, 1] units); larger is sharper.
    clipped_dark, clipped_bright : float
        Share of pixels at the ends of the range, in [0, 1].
    warnings : tuple of str
        In what the picture differs from those of training, one phrase each; empty: in nothing, or not checked.
    """

    width: int
    height: int
    brightness: float
    contrast: float
    sharpness: float
    clipped_dark: float
    clipped_bright: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CaptureSample:
    """What one picture is like as a whole; nothing here says whether a part is damaged.

    Attributes
    ----------
    measures : dict of str to float
        By the names of :data:`anomaly.capture.MEASURES`.
    strangeness : ndarray of float32, (4, 4)
        Mean of the anomaly map in each cell of a coarse grid over the image.
    embedding : ndarray of float32, (d,)
        Mean patch embedding, the taps one after another.
    score : float
        Image score.
    """

    measures: dict[str, float]
    strangeness: Float32Array
    embedding: Float32Array
    score: float


@dataclass(frozen=True, eq=False)
class Prediction:
    """The verdict on one image.

    Attributes
    ----------
    path : str
        The image as the caller named it.
    label : {"undamaged", "damaged", "reinspect", "not judged"} or None
        None when the detector is not calibrated. ``reinspect``: a person has to look, since neither of the two other
        labels would keep the promised rates. ``not judged``: the picture is too unlike those of training.
    score : float
        Raw image score; larger is stranger. Never clamped or squashed.
    threshold : float or None
        ``score > threshold`` is damaged. None when the detector is not calibrated.
    probability, probability_low, probability_high : float or None
        Probability of damage with its interval; None where no damaged image was labelled.
    p_value : float or None
        Share of undamaged images at least as strange, conformal; None when the detector is not calibrated.
    reinspect_above : float or None
        ``reinspect_above < score <= threshold`` is to be reinspected; None: there is one threshold only.
    anomaly_map : ndarray of float32, (H, W)
        In original pixels, in the unit of the score.
    regions : tuple of Region
        Largest peak first.
    nearest : tuple of NearestPatch
        One for each region, in the same order; for an image without regions one, for the peak of the map.
    quality : CaptureQuality
    calibration_version : int or None
    capture : CaptureSample or None
        What the journal keeps of the picture.
    sha256 : str
        Of the file that was judged; empty where an array was.
    parts : tuple of PartVerdict or None
        The parts of an image that is ``damaged`` or to ``reinspect``, from top to bottom. None for other labels, and
        where parts cannot be told apart.
    """

    path: str
    label: Verdict | None
    score: float
    threshold: float | None
    anomaly_map: Float32Array = field(repr=False)
    regions: tuple[Region, ...]
    nearest: tuple[NearestPatch, ...]
    quality: CaptureQuality
    calibration_version: int | None
    probability: float | None = None
    probability_low: float | None = None
    probability_high: float | None = None
    p_value: float | None = None
    reinspect_above: float | None = None
    capture: CaptureSample | None = field(default=None, repr=False)
    sha256: str = ""
    parts: tuple[PartVerdict, ...] | None = None

    @property
    def parts_in_words(self) -> str:
        """How many of its parts have the label of the image; empty where they were not looked for."""
        if self.parts is None:
            return ""
        return f"{sum(part.label != UNDAMAGED for part in self.parts)} of {len(self.parts)} parts {self.label}"

    @property
    def region_threshold(self) -> float | None:
        """What the regions lie above: the lower of the two thresholds, or the only one."""
        return self.threshold if self.reinspect_above is None else self.reinspect_above
