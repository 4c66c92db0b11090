"""Every calibration ever made, with its scores: numbered, never deleted, kept as text.

Nothing here touches a file. `CalibrationHistory.to_texts` says which file holds which text, and
`CalibrationHistory.from_texts` takes them back.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from anomaly.calibration._json import Fields, dump_text, load_object
from anomaly.calibration.calibration import (
    BOTH_RATES_FIELDS,
    BY_PART_TYPE,
    FIELDS,
    Calibration,
    Objective,
    counts_at,
)
from anomaly.calibration.scored import ScoredImage, ValidationScores, scores_by_label
from anomaly.errors import CalibrationError
from anomaly.types import Label

FORMAT = 1
INDEX_NAME = "history.json"
_RECORD_NAME = re.compile(r"[0-9]{4,}\.json")


@dataclass(frozen=True)
class CalibrationRecord:
    """One calibration with all it rests on.

    Attributes
    ----------
    version : int
        1, 2, 3, ... within one trained model.
    created : str
        ISO 8601 with offset zero, e.g. ``2026-11-22T15:58:00+00:00``.
    reason : str
        Why it was made, e.g. ``"training"``.
    source : str
        Where the scores come from, e.g. ``"validation split"``.
    calibration : Calibration
    scores : tuple of ScoredImage

    Raises
    ------
    CalibrationError
        Version or time is malformed, or the counts do not follow from threshold and scores.
    """

    version: int
    created: str
    reason: str
    source: str
    calibration: Calibration
    scores: tuple[ScoredImage, ...]

    def __post_init__(self) -> None:
        if self.version < 1:
            raise CalibrationError(f"calibration versions count from 1, got {self.version}; number it anew")
        _check_time(self.created)
        self._check_counts(self.calibration, self.scores)
        for name, own in self.calibration.by_part_type.items():
            self._check_counts(own, _of_type(self.scores, name))

    def _check_counts(self, stated: Calibration, scores: Iterable[ScoredImage]) -> None:
        undamaged, damaged = scores_by_label(scores)
        found = counts_at(undamaged, damaged, threshold=stated.threshold, reinspect_above=stated.reinspect_above)
        if any(getattr(stated, name) != count for name, count in found.items()):
            told = ", ".join(f"{name} {count}" for name, count in found.items())
            raise CalibrationError(
                f"calibration {self.version}: its counts do not follow from its scores ({told}); restore the file "
                "from a copy or calibrate again"
            )

    def to_json(self) -> str:
        """Return the record as deterministic text."""
        facts = {name: getattr(self, name) for name in ("version", "created", "reason", "source")}
        scores = [dataclasses.asdict(image) for image in self.scores]
        return dump_text({"format": FORMAT, **facts, "calibration": self.calibration.to_dict(), "scores": scores})

    @classmethod
    def from_json(cls, text: str) -> CalibrationRecord:
        """Return the record that `to_json` wrote.

        Raises
        ------
        CalibrationError
            The text is damaged, contradicts itself or was written by a newer goodparts.
        """
        what = "a calibration record"
        value = load_object(text, what=what)
        _check_format(value, what=what)
        fields = Fields(value, what=what, keys=("format", *_names(cls)))
        scores = tuple(_scored_image(item) for item in fields.items("scores"))
        return cls(
            version=fields.integer("version"),
            created=fields.text("created"),
            reason=fields.text("reason"),
            source=fields.text("source"),
            calibration=_calibration(fields.raw("calibration"), scores),
            scores=scores,
        )


@dataclass(frozen=True)
class Rollback:
    """An older calibration was made to stand again.

    Attributes
    ----------
    from_version, to_version : int
    created : str
        ISO 8601 with offset zero.
    reason : str
    """

    from_version: int
    to_version: int
    created: str
    reason: str

    def __post_init__(self) -> None:
        _check_time(self.created)


@dataclass(frozen=True)
class CalibrationHistory:
    """All calibrations of one trained model, and the one that stands.

    Attributes
    ----------
    records : tuple of CalibrationRecord
        Versions 1, 2, ..., in order; none is ever deleted.
    active_version : int
    rollbacks : tuple of Rollback
        In the order they happened.

    Raises
    ------
    CalibrationError
        A version is missing or out of order, or the standing one does not exist.
    """

    records: tuple[CalibrationRecord, ...]
    active_version: int
    rollbacks: tuple[Rollback, ...] = ()

    def __post_init__(self) -> None:
        versions = [record.version for record in self.records]
        if not versions or versions != list(range(1, len(versions) + 1)):
            raise CalibrationError(
                f"calibrations must be numbered 1, 2, 3, ... without a gap, got {versions}; restore the missing file"
            )
        named = [self.active_version, *(v for r in self.rollbacks for v in (r.from_version, r.to_version))]
        for version in named:
            self.record(version)

    @property
    def active(self) -> CalibrationRecord:
        """The calibration that stands."""
        return self.record(self.active_version)

    @property
    def next_version(self) -> int:
        """The number that the next record has to carry."""
        return len(self.records) + 1

    def record(self, version: int) -> CalibrationRecord:
        """Return one record by its number.

        Raises
        ------
        CalibrationError
            There is none of that number.
        """
        if not 1 <= version <= len(self.records):
            raise CalibrationError(f"calibration {version} does not exist; choose one of 1 to {len(self.records)}")
        return self.records[version - 1]

    def append(self, record: CalibrationRecord) -> CalibrationHistory:
        """Return the history with one more record, which then stands.

        Raises
        ------
        CalibrationError
            Its version is not `next_version`.
        """
        return dataclasses.replace(self, records=(*self.records, record), active_version=record.version)

    def rollback(self, version: int, *, created: str, reason: str) -> CalibrationHistory:
        """Return the history with another calibration standing; nothing is deleted, the change is recorded.

        Raises
        ------
        CalibrationError
            There is no such version, it stands already, or the time is malformed.
        """
        self.record(version)
        if version == self.active_version:
            raise CalibrationError(f"calibration {version} stands already; choose another version")
        event = Rollback(from_version=self.active_version, to_version=version, created=created, reason=reason)
        return dataclasses.replace(self, active_version=version, rollbacks=(*self.rollbacks, event))

    def lines(self) -> list[str]:
        """Return one line for each record, ``*`` before the one that stands, then one for each rollback."""
        found = []
        for record in self.records:
            mark = "*" if record.version == self.active_version else " "
            told = "  ".join(_summary(record.calibration))
            found.append(f"{mark} {record.version:04d}  {record.created}  {told}  ({record.reason})")
        found += [
            f"  {event.created}  rolled back from {event.from_version} to {event.to_version}  ({event.reason})"
            for event in self.rollbacks
        ]
        return found

    def to_texts(self) -> dict[str, str]:
        """Return file name -> text: ``0001.json``, ``0002.json``, ... and ``history.json``."""
        texts = {f"{record.version:04d}.json": record.to_json() for record in self.records}
        texts[INDEX_NAME] = dump_text(
            {
                "format": FORMAT,
                "active_version": self.active_version,
                "rollbacks": [dataclasses.asdict(event) for event in self.rollbacks],
            }
        )
        return texts

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> CalibrationHistory:
        """Return the history that `to_texts` wrote; without ``history.json`` the newest record stands.

        Raises
        ------
        CalibrationError
            A name is unknown, a text is damaged, a record is missing or stands under another number.
        """
        records = []
        for name in sorted(set(texts) - {INDEX_NAME}, key=lambda name: (len(name), name)):
            if not _RECORD_NAME.fullmatch(name):
                raise CalibrationError(f"expected files like 0001.json, got {name!r}; remove that file")
            record = CalibrationRecord.from_json(texts[name])
            if name != f"{record.version:04d}.json":
                raise CalibrationError(f"{name} holds calibration {record.version}; restore the file from a copy")
            records.append(record)
        if INDEX_NAME not in texts:
            return cls(records=tuple(records), active_version=len(records))
        value = load_object(texts[INDEX_NAME], what=INDEX_NAME)
        _check_format(value, what=INDEX_NAME)
        fields = Fields(value, what=INDEX_NAME, keys=("format", "active_version", "rollbacks"))
        return cls(
            records=tuple(records),
            active_version=fields.integer("active_version"),
            rollbacks=tuple(_rollback(item) for item in fields.items("rollbacks")),
        )


def _summary(calibration: Calibration) -> list[str]:
    """Say in few words what a calibration is for, what it does and how it did, all that `Calibration.lines` counts."""
    lower, threshold = calibration.reinspect_above, f"{calibration.threshold:.6g}"
    told = calibration.lines()
    found = [f"{calibration.objective}{_rates(calibration)}"]
    if lower is None:
        found += [f"threshold {threshold}", told[0]]
    else:
        found += [f"thresholds {lower:.6g} and {threshold}, reinspect between", *told[:2]]
    types = sorted(calibration.by_part_type)
    return [*found, f"thresholds of their own: {', '.join(types)}"] if types else found


def _rates(calibration: Calibration) -> str:
    """Say which rates were asked for; nothing where an objective has none."""
    if calibration.objective == "both-rates":
        rates = calibration.max_miss_rate, calibration.max_false_alarm_rate
        return " (misses at most {:g}, false alarms at most {:g})".format(*rates)
    return "" if calibration.target is None else f" ({calibration.target:g})"


def _names(record: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(record))


def _check_time(created: str) -> None:
    try:
        time = datetime.fromisoformat(created)
    except ValueError:
        time = None
    if time is None or time.utcoffset() != timedelta(0):
        raise CalibrationError(
            f"expected an ISO 8601 time in UTC such as 2026-11-22T15:58:00+00:00, got {created!r}; correct it"
        )


def _check_format(value: Mapping[str, Any], *, what: str) -> None:
    if value.get("format") != FORMAT or isinstance(value.get("format"), bool):
        raise CalibrationError(
            f"{what}: expected format {FORMAT}, got {str(value.get('format'))[:40]!r}; "
            "update goodparts or restore the file"
        )


def _of_type(scores: Iterable[ScoredImage], part_type: str) -> tuple[ScoredImage, ...]:
    return tuple(image for image in scores if image.part_type == part_type)


def _calibration(value: object, scores: tuple[ScoredImage, ...]) -> Calibration:
    both_rates = isinstance(value, dict) and value.get("objective") == "both-rates"
    types = isinstance(value, dict) and BY_PART_TYPE in value
    keys = FIELDS + (BOTH_RATES_FIELDS if both_rates else ()) + ((BY_PART_TYPE,) if types else ())
    fields = Fields(value, what="calibration", keys=keys)
    notes = fields.items("notes")
    if not all(isinstance(note, str) for note in notes):
        raise CalibrationError("calibration: notes must be a list of texts; restore the file from a copy")
    return Calibration(
        threshold=fields.number("threshold"),
        objective=cast(Objective, fields.text("objective")),  # Calibration checks it
        n_undamaged=fields.integer("n_undamaged"),
        n_damaged=fields.integer("n_damaged"),
        false_alarms=fields.integer("false_alarms"),
        misses=fields.integer("misses"),
        target=fields.optional_number("target"),
        confidence=fields.optional_number("confidence"),
        miss_cost=fields.optional_number("miss_cost"),
        notes=tuple(notes),
        max_miss_rate=fields.number("max_miss_rate") if both_rates else None,
        max_false_alarm_rate=fields.number("max_false_alarm_rate") if both_rates else None,
        reinspect_above=fields.optional_number("reinspect_above") if both_rates else None,
        reinspected_undamaged=fields.integer("reinspected_undamaged") if both_rates else 0,
        reinspected_damaged=fields.integer("reinspected_damaged") if both_rates else 0,
        by_part_type={
            name: _calibration(own, _of_type(scores, name))
            for name, own in (fields.entries(BY_PART_TYPE) if types else {}).items()
        },
        validation=ValidationScores(*scores_by_label(scores)),
    )


def _scored_image(value: object) -> ScoredImage:
    fields = Fields(value, what="a scored image", keys=_names(ScoredImage))
    return ScoredImage(
        name=fields.text("name"),
        sha256=fields.text("sha256"),
        label=cast(Label, fields.text("label")),  # ScoredImage checks it
        score=fields.number("score"),
        part_type=fields.text("part_type"),
        group=fields.text("group"),
        defect=fields.text("defect"),
    )


def _rollback(value: object) -> Rollback:
    fields = Fields(value, what="a rollback", keys=_names(Rollback))
    return Rollback(
        from_version=fields.integer("from_version"),
        to_version=fields.integer("to_version"),
        created=fields.text("created"),
        reason=fields.text("reason"),
    )
