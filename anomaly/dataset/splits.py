"""Dividing a dataset into memory bank, validation and test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from anomaly.config import SplitConfig, validate_split
from anomaly.dataset.allocation import Stratum, Unit, allocate
from anomaly.dataset.duplicates import DuplicateReport, Unions
from anomaly.dataset.records import Dataset, LabelledImage
from anomaly.dataset.wording import counted, listed
from anomaly.errors import DatasetError, LabelsError, LeakError, TooFewImagesError
from anomaly.imaging.names import printable_name
from anomaly.types import DAMAGED, UNDAMAGED, Label, Split

LEAST_UNDAMAGED = 5
LEAST_BANK = 2
_LEAST_BANK_SHARE = 0.5
"""Of the bank's share, to be filled before groups with damaged images may serve there."""


@dataclass(frozen=True)
class SplitEntry:
    """One line of ``splits.csv``.

    Attributes
    ----------
    name : str
        As in :class:`~anomaly.dataset.records.LabelledImage`.
    sha256 : str
        Of the file's bytes.
    label, split, part_type, group, defect : str
    """

    name: str
    sha256: str
    label: Label
    split: Split
    part_type: str = ""
    group: str = ""
    defect: str = ""


@dataclass(frozen=True)
class SplitAssignment:
    """Which image serves what.

    Attributes
    ----------
    entries : tuple of SplitEntry
        Sorted by name: what ``splits.csv`` records.
    images : tuple of LabelledImage
        The same images in the same order, ``split`` filled in.
    notes : tuple of str
        Plain sentences for the user: what was left out or moved, and why; those of the dataset not repeated.
    """

    entries: tuple[SplitEntry, ...]
    images: tuple[LabelledImage, ...]
    notes: tuple[str, ...] = ()

    def select(self, split: Split, *, label: Label | None = None) -> tuple[LabelledImage, ...]:
        """Return the images of a split, of one label if asked for."""
        return tuple(image for image in self.images if image.split == split and label in (None, image.label))


def split_dataset(dataset: Dataset, config: SplitConfig, *, seed: int, duplicates: DuplicateReport) -> SplitAssignment:
    """Divide a dataset.

    Undamaged images go to bank, validation and test, damaged ones to validation and test, in the shares of
    ``config``, each part type for itself. Images of one group, exact copies and near-duplicates stay together. A
    group that holds a damaged image stays out of the bank, unless the others could not fill half of the bank's
    share: then it may serve there, and its damaged images serve nowhere. Of exact copies the first by name is kept:
    a second one would be no further evidence, wherever it went. Where ``labels.csv`` gives the splits they are
    taken as they are, and checked. How shares are met with whole groups: :mod:`anomaly.dataset.allocation`.

    Parameters
    ----------
    dataset : Dataset
    config : SplitConfig
    seed : int
        Non-negative.
    duplicates : DuplicateReport
        Of the same images.

    Returns
    -------
    SplitAssignment

    Raises
    ------
    ConfigError
        A share is out of range.
    TooFewImagesError
        Fewer than 5 undamaged images, or too few groups to keep apart.
    LeakError
        A group or duplicates straddle the splits that ``labels.csv`` gives.
    LabelsError
        Only some images have a split, or a damaged one is in the bank.
    DatasetError
        The report was made from other images.
    """
    validate_split(config)
    wished = _wished(config)
    images, notes = _usable(dataset, duplicates)
    given = [image for image in images if image.split is not None]
    if given:
        _check_given(dataset.images, images, given, duplicates)
        chosen = {image.name: image.split for image in given if image.split is not None}
    else:
        n = sum(image.label == UNDAMAGED for image in images)
        if n < LEAST_UNDAMAGED:
            raise TooFewImagesError(
                f"expected at least {LEAST_UNDAMAGED} undamaged images, none of them a copy, but found {n}; add more",
                n=n,
                needed=LEAST_UNDAMAGED,
            )
        units = _units(dataset.images, images, duplicates, wished)
        splits = allocate(units, wished, seed=seed)
        chosen = {name: split for unit, split in zip(units, splits, strict=True) for name in unit.names}
        images, more = _without_damaged_in_bank(images, chosen)
        notes += more
    placed = tuple(replace(image, split=chosen[image.name]) for image in images)
    _check_minimums(placed, given=bool(given))
    notes += [*duplicates.notices, *_coverage_notes(placed)]
    entries = tuple(_entry(image, chosen[image.name], duplicates) for image in placed)
    return SplitAssignment(entries=entries, images=placed, notes=tuple(notes))


def _wished(config: SplitConfig) -> dict[Label, dict[Split, float]]:
    """Turn the settings into shares for each label and split."""
    bank = 1 - config.validation - config.test
    damaged = 1.0 if config.test == 0 else config.damaged_validation
    return {
        UNDAMAGED: {"bank": bank, "validation": config.validation, "test": config.test},
        DAMAGED: {"bank": 0.0, "validation": damaged, "test": 1 - damaged},
    }


def _usable(dataset: Dataset, duplicates: DuplicateReport) -> tuple[list[LabelledImage], list[str]]:
    """Leave out what cannot be read and all but the first of exact copies; say so."""
    copies = [name for cluster in duplicates.exact for name in cluster.names[1:]]
    unreadable = [image.name for image in dataset.images if image.name in duplicates.unreadable]
    out = {*copies, *unreadable}
    notes = []
    if unreadable:
        reason = duplicates.unreadable[unreadable[0]]
        notes.append(f"{counted(len(unreadable), 'image')} left out, not readable: {listed(unreadable)} ({reason}).")
    if copies:
        noun = "copy" if len(copies) == 1 else "copies"
        notes.append(f"{len(copies)} exact {noun} left out: {listed(copies)}.")
    images = [image for image in dataset.images if image.name not in out]
    unknown = [image.name for image in images if image.name not in duplicates.sha256]
    if unknown:
        raise DatasetError(
            f"the duplicate report does not know {listed(unknown)}; make it from the same images with find_duplicates"
        )
    return images, notes


def _units(
    everything: Sequence[LabelledImage],
    images: Sequence[LabelledImage],
    duplicates: DuplicateReport,
    wished: Mapping[Label, Mapping[Split, float]],
) -> list[Unit]:
    """Join images of one group and duplicates; what was left out still links the groups it belongs to."""
    unions = Unions()
    for image in everything:
        if image.group:
            unions.join([image.name, ("group", image.group)])
    for cluster in duplicates.clusters:
        unions.join(cluster.names)
    sets: dict[Hashable, list[LabelledImage]] = defaultdict(list)
    for image in images:
        sets[unions.find(image.name)].append(image)
    judged: tuple[Split, ...] = ("validation", "test") if wished[UNDAMAGED]["test"] > 0 else ("validation",)
    pure = sum(len(members) for members in sets.values() if not _holds_damaged(members))
    undamaged = sum(image.label == UNDAMAGED for image in images)
    enough = pure >= _LEAST_BANK_SHARE * wished[UNDAMAGED]["bank"] * undamaged
    units = []
    for members in sets.values():
        counts: Counter[Stratum] = Counter((image.label, image.part_type) for image in members)
        names = tuple(image.name for image in members)
        banned = _holds_damaged(members) and (enough or all(image.label == DAMAGED for image in members))
        units.append(Unit(names, counts, judged if banned else ("bank", *judged)))
    return units


def _check_given(
    everything: Sequence[LabelledImage],
    images: Sequence[LabelledImage],
    given: Sequence[LabelledImage],
    duplicates: DuplicateReport,
) -> None:
    if len(given) < len(images):
        without = [image.name for image in images if image.split is None]
        raise LabelsError(f"{counted(len(without), 'image')} without split: {listed(without)}; fill in all or none")
    banked = [image.name for image in given if image.split == "bank" and image.label == DAMAGED]
    if banked:
        raise LabelsError(f"damaged images in the memory bank: {listed(banked)}; give them split validation or test")
    split = {image.name: image.split for image in everything if image.name not in duplicates.unreadable}
    groups: dict[str, list[str]] = defaultdict(list)
    for image in everything:
        if image.group and image.name in split:
            groups[image.group].append(image.name)
    sets: list[tuple[str, Sequence[str]]] = [
        (f"the images of group {printable_name(group)}", names) for group, names in groups.items()
    ]
    sets += [
        ("copies of one picture" if cluster.kind == "exact" else "near-duplicates", cluster.names)
        for cluster in duplicates.clusters
    ]
    for what, names in sets:
        if len({split[name] for name in names}) > 1:
            shown = [f"{name} ({where})" for name, where in _one_for_each_split(names, split)]
            raise LeakError(
                f"{what} are in more than one split: {listed(shown)}; give them one split in labels.csv",
                paths=names,
            )


def _one_for_each_split(names: Sequence[str], split: Mapping[str, Split | None]) -> list[tuple[str, Split | None]]:
    first: dict[Split | None, str] = {}
    for name in names:
        first.setdefault(split[name], name)
    return [(name, where) for where, name in first.items()]


def _check_minimums(images: Sequence[LabelledImage], *, given: bool) -> None:
    have = Counter((image.split, image.label) for image in images)
    least: tuple[tuple[Split, int], ...] = (("bank", LEAST_BANK), ("validation", 1))
    for split, needed in least:
        n = have[split, UNDAMAGED]
        if n < needed:
            place = "the memory bank" if split == "bank" else split
            advice = (
                "give more rows that split in labels.csv"
                if given
                else "images of one group and near-duplicates stay together, and with a damaged image among them "
                "they stay out of the bank: add images of further groups"
            )
            raise TooFewImagesError(
                f"expected at least {counted(needed, 'undamaged image')} for {place}, but {n} can go there; {advice}",
                n=n,
                needed=needed,
            )


def _holds_damaged(images: Sequence[LabelledImage]) -> bool:
    return any(image.label == DAMAGED for image in images)


def _without_damaged_in_bank(
    images: Sequence[LabelledImage], chosen: Mapping[str, Split]
) -> tuple[list[LabelledImage], list[str]]:
    """Leave out the damaged images whose group went to the bank; say what mixed groups cost."""
    kept = [image for image in images if image.label == UNDAMAGED or chosen[image.name] != "bank"]
    if lost := len(images) - len(kept):
        return kept, [
            f"{lost} damaged {'image serves' if lost == 1 else 'images serve'} nowhere: the memory bank needs the "
            "undamaged images of the same groups, and images of one group stay together."
        ]
    return kept, _mixed_group_notes(kept)


def _mixed_group_notes(images: Sequence[LabelledImage]) -> list[str]:
    labels: dict[str, Counter[Label]] = defaultdict(Counter)
    for image in images:
        if image.group:
            labels[image.group][image.label] += 1
    return [
        f"group {printable_name(group)} holds damaged images, so {counted(n[UNDAMAGED], 'undamaged image')} of it "
        f"{'stays' if n[UNDAMAGED] == 1 else 'stay'} out of the memory bank."
        for group, n in sorted(labels.items())
        if n[DAMAGED] and n[UNDAMAGED]
    ]


def _coverage_notes(images: Sequence[LabelledImage]) -> list[str]:
    """Name what is missing where: part types without bank images, labels without test images."""
    notes = []
    have = Counter((image.split, image.label) for image in images)
    covered = {image.part_type for image in images if image.split == "bank"}
    bare = sorted({image.part_type for image in images} - covered)
    if bare:
        names = [name or "(none)" for name in bare]
        notes.append(f"no undamaged image in the memory bank for part type {listed(names, most=8)}.")
    damaged = have["validation", DAMAGED] + have["test", DAMAGED]
    if not damaged:
        notes.append("there is no damaged image: misses can be neither promised nor measured.")
    elif not have["validation", DAMAGED]:
        notes.append("there is no damaged image for validation.")
    tested = have["test", UNDAMAGED] + have["test", DAMAGED]
    if not tested:
        notes.append("there is no test split.")
    elif damaged and not have["test", DAMAGED]:
        notes.append("there is no damaged image for the test split.")
    elif not have["test", UNDAMAGED]:
        notes.append("there is no undamaged image for the test split.")
    return notes


def _entry(image: LabelledImage, split: Split, duplicates: DuplicateReport) -> SplitEntry:
    return SplitEntry(
        name=image.name,
        sha256=duplicates.sha256[image.name],
        label=image.label,
        split=split,
        part_type=image.part_type,
        group=image.group,
        defect=image.defect,
    )
