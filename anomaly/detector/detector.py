"""A fitted detector: image in, verdict out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from anomaly.calibration import (
    Calibration,
    CalibrationHistory,
    CalibrationRecord,
    Objective,
    ScoredImage,
    calibrate,
    calibrate_by_type,
    merge_scores,
)
from anomaly.calibration.calibration import DEFAULT_CONFIDENCE
from anomaly.capture import CaptureReference, capture_sample
from anomaly.config import Config
from anomaly.dataset import Dataset, LabelledImage, labelled_images, refuse_bank_images
from anomaly.detector.ahead import load_ahead
from anomaly.detector.beside import beside, one_ahead
from anomaly.detector.features import BankImage, Extractor, PatchDistances, PatchSearch, look_up, part_type_of
from anomaly.detector.origin import EmbeddingFiles, Provenance, Source
from anomaly.detector.part_view import PartViews
from anomaly.detector.progress import Progress, silent
from anomaly.detector.thumbnails import Thumbnails
from anomaly.detector.verdict import apply_calibration, check_capture, judge_parts
from anomaly.embedding.runtime import Device
from anomaly.errors import DatasetError
from anomaly.imaging.decode import content_hash, load_known
from anomaly.imaging.geometry import View
from anomaly.imaging.quality import measure_quality
from anomaly.scoring import ProvenMaps, image_score, to_pixels
from anomaly.types import (
    DAMAGED,
    REINSPECT,
    CaptureQuality,
    CaptureSample,
    Float32Array,
    NearestPatch,
    Prediction,
    UInt8Array,
)
from memory_bank import MemoryBank

if TYPE_CHECKING:
    from anomaly.imaging.heatmap import BankPicture


@dataclass(frozen=True, eq=False)
class Detector:
    """What :meth:`anomaly.PatchCore.fit` returns and the trained-model folder holds.

    Immutable: :meth:`calibrate` and :meth:`with_history` return another detector on the same memory banks.

    Attributes
    ----------
    config : Config
    extractor : Extractor
    embedding : EmbeddingFiles
    banks : tuple of MemoryBank
        One per tap; the tags of a row are the centre (x, y) of its patch in the bank image's original pixels.
    scales : tuple of float
        Divisor of the distances of each tap; see :mod:`anomaly.detector.scales`.
    bank_images : tuple of BankImage
        The ``group`` of a bank row counts into this.
    thumbnails : Thumbnails
    provenance : Provenance
    history : CalibrationHistory or None
        Every calibration so far; None before the first.
    capture : CaptureReference or None
        What an ordinary picture is; None: pictures are not checked.
    part_views : mapping of str to PartView
        How parts are told apart, by part type; empty: they were not looked for.
    source : Source or None
        The trained model that it was read from; None: it was fitted, and not read.
    """

    config: Config
    extractor: Extractor
    embedding: EmbeddingFiles
    banks: tuple[MemoryBank, ...]
    scales: tuple[float, ...]
    bank_images: tuple[BankImage, ...]
    thumbnails: Thumbnails
    provenance: Provenance = field(default_factory=Provenance)
    history: CalibrationHistory | None = None
    capture: CaptureReference | None = None
    part_views: PartViews = field(default_factory=dict)
    source: Source | None = None

    @property
    def calibration(self) -> Calibration | None:
        """The calibration that stands, or None before the first."""
        return self.record.calibration if self.record else None

    @property
    def left_out_scores(self) -> tuple[float, ...]:
        """Scores of bank images, each against the bank without itself, for :func:`anomaly.calibrate`.

        Empty where pictures are not checked, or are of several part types, whose scores would mix.
        """
        if self.capture is None or len({image.part_type for image in self.bank_images}) > 1:
            return ()
        return tuple(sample.score for sample in self.capture.samples)

    @property
    def record(self) -> CalibrationRecord | None:
        """The same with its number, time, reason and scores."""
        return self.history.active if self.history else None

    def score(self, image: Path | str | UInt8Array) -> float:
        """Raw image score; larger is stranger.

        Parameters
        ----------
        image : path, or ndarray of uint8, (H, W, 3)

        Raises
        ------
        ImageError
            The file cannot be used.
        """
        return self._judge(*self.extractor.embed(self._pixels(image)[0])).score

    def sample(self, pixels: UInt8Array, *, exclude_group: int | None = None) -> CaptureSample:
        """Return what one picture is like as a whole, its score among it, without any verdict.

        Parameters
        ----------
        pixels : ndarray of uint8, (H, W, 3)
        exclude_group : int, optional
            Number of a bank image whose own rows do not count.

        Raises
        ------
        memory_bank.TooFewRowsError
            Hardly a row of the bank comes from another image.
        """
        judged, measured = self._examine(pixels, exclude_group)
        return capture_sample(measured(), judged.grid_map, judged.search.means, judged.score)

    def predict(
        self, image: Path | str | UInt8Array, *, part_type: str = "", exclude_group: int | None = None
    ) -> Prediction:
        """Score one image, label it if the detector is calibrated, and say where and why.

        Parameters
        ----------
        image : path, or ndarray of uint8, (H, W, 3)
        part_type : str
            Whose threshold counts, where it has one of its own; empty, or a type without: the common threshold.
        exclude_group : int, optional
            Number of a bank image whose own rows do not count, such as this one's.

        Raises
        ------
        ImageError
            The file cannot be used.
        """
        pixels, sha256 = self._pixels(image)
        judged, measured = self._examine(pixels, exclude_group)
        record, (height, width), grid_map = self.record, pixels.shape[:2], judged.grid_map
        if record is not None:
            lowest = record.calibration.for_part_type(part_type).region_threshold
            grid_map = judged.maps.above(lowest, height=height, width=width)
        anomaly_map = to_pixels(grid_map, height, width)
        quality = measured()
        prediction = Prediction(
            path="" if not isinstance(image, Path | str) else str(image),
            label=None,
            score=judged.score,
            threshold=None,
            anomaly_map=anomaly_map,
            regions=(),
            nearest=(),
            quality=quality,
            calibration_version=None,
            capture=capture_sample(quality, judged.grid_map, judged.search.means, judged.score),
            sha256=sha256,
        )
        if record is not None:
            prediction = apply_calibration(prediction, record, part_type)
        prediction = check_capture(prediction, self.capture, self.config)
        if record is not None and self.part_views and prediction.label in (DAMAGED, REINSPECT):
            part_view = self.part_views.get(part_type)
            if part_view is None:
                nearest = [tap.nearest for tap in judged.search.taps]
                part_view = self.part_views.get(part_type_of(nearest, self.banks, self.bank_images))
            parts = judge_parts(pixels, judged.maps, part_view, record.calibration.for_part_type(part_type))
            prediction = replace(prediction, parts=parts)
        found = judged.search.found()
        places = [(region.peak_x, region.peak_y) for region in prediction.regions] or [_peak(anomaly_map)]
        return replace(prediction, nearest=tuple(self._nearest(found, x, y) for x, y in places))

    def score_labelled(
        self, labelled: Sequence[LabelledImage], *, progress: Progress = silent
    ) -> tuple[ScoredImage, ...]:
        """Score labelled images that are not in the memory bank.

        Raises
        ------
        LeakError
            Some of them are in the memory bank; nothing was scored.
        ImageError
            One of them cannot be used.
        """
        hashes = [content_hash(image.path) for image in labelled]
        refuse_bank_images(
            [(image.name, sha256) for image, sha256 in zip(labelled, hashes, strict=True)],
            [(image.name, image.sha256) for image in self.bank_images],
        )
        scored = []
        images = load_ahead([image.path for image in labelled], limits=self.config.image)
        embedded = one_ahead(self.extractor.embed(pixels) for pixels in images)
        for done, (image, sha256, found) in enumerate(zip(labelled, hashes, embedded, strict=True)):
            scored.append(
                ScoredImage(
                    name=image.name,
                    sha256=sha256,
                    label=image.label,
                    score=self._judge(*found).score,
                    part_type=image.part_type,
                    group=image.group,
                    defect=image.defect,
                )
            )
            progress("scoring", done + 1, len(labelled))
        return tuple(scored)

    def calibrate(
        self,
        labelled: Path | str | Dataset | Iterable[LabelledImage] = (),
        *,
        scored: Sequence[ScoredImage] = (),
        objective: Objective = "accuracy",
        target: float | None = None,
        confidence: float = DEFAULT_CONFIDENCE,
        miss_cost: float | None = None,
        max_miss_rate: float | None = None,
        max_false_alarm_rate: float | None = None,
        reason: str = "calibrated in Python",
        progress: Progress = silent,
    ) -> Detector:
        """Choose the threshold anew, on the stored validation scores and newly labelled images together.

        Parameters
        ----------
        labelled : folder, Dataset or iterable of LabelledImage
            Images outside the memory bank; a folder is read as ``--data DIR`` is. Empty: the stored scores alone.
        scored : sequence of ScoredImage
            Other labelled images that this very memory bank has scored before.
        objective, target, confidence, miss_cost, max_miss_rate, max_false_alarm_rate
            See :func:`anomaly.calibrate`.
        reason : str
            Why; kept in the record.
        progress : Progress
            Told about the stage ``scoring``.

        Returns
        -------
        Detector
            On the same memory banks, with one more calibration on record.

        Raises
        ------
        LeakError
            Some images are in the memory bank.
        CalibrationError, PromiseNotPossibleError, DatasetError, ImageError
        """
        new = self.score_labelled(labelled_images(labelled), progress=progress)
        old = self.record.scores if self.record else ()
        merged = merge_scores(old, (*new, *scored))
        choose = partial(
            calibrate,
            objective=objective,
            target=target,
            confidence=confidence,
            miss_cost=miss_cost,
            max_miss_rate=max_miss_rate,
            max_false_alarm_rate=max_false_alarm_rate,
            left_out_scores=self.left_out_scores,
        )
        calibration = calibrate_by_type(merged.scores, choose)
        calibration = replace(calibration, notes=(*calibration.notes, *merged.notes))
        source = _source(stored=len(merged.scores) - merged.n_new, new=merged.n_new)
        return self._with_calibration(calibration, merged.scores, reason=reason, source=source)

    def _with_calibration(
        self, calibration: Calibration, scores: tuple[ScoredImage, ...], *, reason: str, source: str
    ) -> Detector:
        """Return the same detector with one more calibration on record, which then stands."""
        created = datetime.now(UTC).isoformat(timespec="seconds")
        version = self.history.next_version if self.history else 1
        record = CalibrationRecord(version, created, reason, source, calibration, scores)
        return self.with_history(self.history.append(record) if self.history else CalibrationHistory((record,), 1))

    def save(self, folder: Path | str) -> None:
        """Write the trained model; see :func:`anomaly.detector.trained_model.save_detector`."""
        from anomaly.detector.trained_model import save_detector

        save_detector(self, folder)

    @staticmethod
    def load(folder: Path | str, *, device: Device = "auto") -> Detector:
        """Read a trained model; see :func:`anomaly.detector.trained_model.load_detector`."""
        from anomaly.detector.trained_model import load_detector

        return load_detector(folder, device=device)

    def bank_picture(self, name: str) -> BankPicture:
        """Return the small picture of a bank image, for :func:`anomaly.render_heatmap`.

        Raises
        ------
        DatasetError
            No image of the memory bank has this name.
        TrainedModelCorruptError
            The thumbnail is missing or damaged.
        """
        from anomaly.imaging.heatmap import BankPicture

        entry = next((image for image in self.bank_images if image.name == name), None)
        if entry is None:
            raise DatasetError(f"{name!r} is no image of the memory bank: expected a name of bank_images")
        return BankPicture(self.thumbnails.picture(name), entry.width, entry.height)

    def with_history(self, history: CalibrationHistory) -> Detector:
        """Return the same detector under another calibration history."""
        return replace(self, history=history)

    def _pixels(self, image: Path | str | UInt8Array) -> tuple[UInt8Array, str]:
        """Return the pixels, and the sha256 of the file; empty where there is none."""
        return load_known(image, limits=self.config.image) if isinstance(image, Path | str) else (image, "")

    def _examine(self, pixels: UInt8Array, exclude_group: int | None) -> tuple[_Judged, Callable[[], CaptureQuality]]:
        """Score a picture, and measure beside the search how it was taken: the network keeps every core busy."""
        view, grids = self.extractor.embed(pixels)
        measured = beside(partial(measure_quality, pixels))
        return self._judge(view, grids, exclude_group), measured

    def _judge(self, view: View, grids: Sequence[Float32Array], exclude_group: int | None = None) -> _Judged:
        """Look up an embedded picture and score it."""
        neighbours, scoring = self.config.bank.neighbours, self.config.scoring
        search = look_up(
            view, grids, self.banks, neighbours=neighbours, exclude_group=exclude_group, prove=scoring.whole_map
        )
        maps = ProvenMaps(search.taps, self.scales, scoring.smoothing, scoring.top_share)
        grid_map = maps.for_score()
        return _Judged(search, maps, grid_map, image_score(grid_map, top_share=scoring.top_share))

    def _nearest(self, found: PatchDistances, x: int, y: int) -> NearestPatch:
        """Nearest good patch at one place, in the tap that finds the place strangest."""
        cells = [_cell(found, tap, x, y) for tap in range(len(self.banks))]
        strange = [float(found.distance[tap][cell]) / self.scales[tap] for tap, cell in enumerate(cells)]
        tap = max(range(len(strange)), key=strange.__getitem__)
        bank, row = self.banks[tap], int(found.nearest[tap][cells[tap]])
        image = self.bank_images[int(bank.groups[row])]
        centre_x, centre_y = (int(value) for value in bank.tags[row])
        return NearestPatch(image.name, centre_x, centre_y, float(found.distance[tap][cells[tap]]))


class _Judged(NamedTuple):
    """The search for the patches of a picture, the maps that it can give, the one for its score, and the score."""

    search: PatchSearch
    maps: ProvenMaps
    grid_map: Float32Array
    score: float


def _source(*, stored: int, new: int) -> str:
    """Where the scores of a calibration come from, in words."""
    parts = [f"{stored} stored scores"] if stored else []
    parts += [f"{new} new scores"] if new else []
    return " and ".join(parts)


def _cell(found: PatchDistances, tap: int, x: int, y: int) -> tuple[int, int]:
    """Grid cell (row, column) of a tap that holds an original pixel."""
    gh, gw = found.distance[tap].shape
    left, top, width, height = found.view.box
    return min(gh - 1, (y - top) * gh // height), min(gw - 1, (x - left) * gw // width)


def _peak(anomaly_map: Float32Array) -> tuple[int, int]:
    y, x = divmod(int(anomaly_map.argmax()), anomaly_map.shape[1])
    return x, y
