"""Audit labelled images before training: could a model be right for the wrong reasons.

    python tools/audit_dataset.py DIR

``DIR`` is whatever ``model.py --train --data`` accepts. Three questions are asked, for each part type and for all
images together:

1. Shortcuts. A number that has nothing to do with a part (brightness, file size ...) should not tell damaged from
   undamaged images: its AUROC should be near 0.5. Nor should the nearest neighbour on 32 x 32 thumbnails, where
   no damage can be seen, taken from another group (session) than the image's own.
2. Copies. Practically the same photograph in two groups makes a test look better than it is.
3. Labels. The same picture must not carry both.

Exit status: 0 nothing found, 1 something found, or the data cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anomaly.dataset import Dataset, LabelledImage, find_duplicates, read_dataset
from anomaly.errors import AnomalyError, ImageError, LabelConflictError
from anomaly.evaluation import Undefined, auroc_interval
from anomaly.imaging import load_image, measure_quality
from anomaly.types import DAMAGED

LOW, HIGH = 0.40, 0.60
NEIGHBOUR_HIGH = 0.65
THUMBNAIL = 32
STATISTICS = ("mean", "contrast", "saturation", "sharpness", "file size", "pixels")

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Look:
    """What is measured on one image.

    Attributes
    ----------
    statistics : tuple of float
        In the order of ``STATISTICS``.
    thumbnail : ndarray of float64, (32 * 32 * 3,)
        In [0, 1].
    """

    statistics: tuple[float, ...]
    thumbnail: FloatArray


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Attributes
    ----------
    scope : str
        Part type, or ``all``.
    name : str
        Of the statistic.
    auroc, low, high : float
        Damaged against undamaged, with its 95 % interval.
    verdict : {"ok", "chance?", "SHORTCUT"}
        ``chance?`` lies outside the limits, but so few images may do that by chance.
    """

    scope: str
    name: str
    auroc: float
    low: float
    high: float
    verdict: str


def look_at(image: LabelledImage) -> Look:
    """Measure one image; raises ImageError where it cannot be read."""
    pixels = load_image(image.path)
    quality = measure_quality(pixels)
    small = np.asarray(Image.fromarray(pixels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))
    most, least = pixels.max(axis=2).astype(np.float64), pixels.min(axis=2)
    saturation = float(np.mean((most - least) / np.maximum(most, 1)))
    statistics = (
        quality.brightness,
        quality.contrast,
        saturation,
        quality.sharpness,
        float(image.path.stat().st_size),
        float(quality.width * quality.height),
    )
    return Look(statistics, small.astype(np.float64).ravel() / 255)


def neighbour_scores(
    thumbnails: FloatArray, is_damaged: BoolArray, groups: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """Score every image by its neighbours on thumbnails, leaving its own group out.

    Parameters
    ----------
    thumbnails : ndarray of float64, (n, d)
    is_damaged : ndarray of bool, (n,)
    groups : sequence of str, (n,)
        Empty for an image that is a group of its own.

    Returns
    -------
    relative : ndarray of float64, (n,)
        Distance to the nearest undamaged image less that to the nearest damaged one: a classifier.
    novelty : ndarray of float64, (n,)
        Distance to the nearest undamaged image: an anomaly detector.
        Both are NaN where no image of another group is left.
    """
    n = len(thumbnails)
    squares = (thumbnails**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * thumbnails @ thumbnails.T, 0))
    number = {name: i for i, name in enumerate(dict.fromkeys(groups)) if name}
    own = np.array([number.get(name, len(number) + i) for i, name in enumerate(groups)])
    distance[own[:, None] == own[None]] = np.inf
    nearest = [distance[:, mask].min(axis=1, initial=np.inf) for mask in (~is_damaged, is_damaged)]
    undamaged, damaged = (np.where(np.isfinite(d), d, np.nan) for d in nearest)
    assert undamaged.shape == (n,)
    return undamaged - damaged, undamaged


def judge(
    scope: str, name: str, values: FloatArray, is_damaged: BoolArray, *, low: float, high: float
) -> Finding | None:
    """Compare one number between the labels; None where that is impossible."""
    known = np.isfinite(values)
    interval = auroc_interval(values[known], is_damaged[known])
    if isinstance(interval, Undefined):
        return None
    verdict = "ok"
    if not low <= interval.value <= high:
        verdict = "chance?" if interval.low <= 0.5 <= interval.high else "SHORTCUT"
    return Finding(scope, name, interval.value, interval.low, interval.high, verdict)


def find_shortcuts(images: Sequence[LabelledImage], looks: Sequence[Look]) -> list[Finding]:
    """Judge every statistic and the neighbours, for each part type and for all images."""
    types = sorted({image.part_type for image in images})
    scopes = [(name or "no part type", [image.part_type == name for image in images]) for name in types]
    if len(types) > 1:
        scopes.append(("all", [True] * len(images)))
    found: list[Finding | None] = []
    for scope, member in scopes:
        chosen = np.flatnonzero(member)
        damaged = np.array([images[i].label == DAMAGED for i in chosen])
        table = np.array([looks[i].statistics for i in chosen])
        for column, name in enumerate(STATISTICS):
            found.append(judge(scope, name, table[:, column], damaged, low=LOW, high=HIGH))
        thumbnails = np.stack([looks[i].thumbnail for i in chosen])
        relative, novelty = neighbour_scores(thumbnails, damaged, [images[i].group for i in chosen])
        found.append(judge(scope, "thumbnail neighbour, both labels", relative, damaged, low=0, high=NEIGHBOUR_HIGH))
        found.append(judge(scope, "thumbnail neighbour, undamaged only", novelty, damaged, low=0, high=NEIGHBOUR_HIGH))
    return [finding for finding in found if finding is not None]


def find_copies(images: Sequence[LabelledImage]) -> tuple[list[str], list[str]]:
    """Look for copies and conflicting labels: problems, and notes that are no problem by themselves."""
    try:
        report = find_duplicates(images)
    except LabelConflictError as error:
        return [f"label conflict: {error}"], []
    group = {image.name: image.group for image in images}
    problems, notes = [], list(report.notices)
    for cluster in report.clusters:
        groups = {group[name] for name in cluster.names} - {""}
        if len(groups) > 1:
            problems.append(f"{cluster.kind} copies in {len(groups)} groups: {', '.join(cluster.names[:4])}")
        elif cluster.kind == "exact":
            notes.append(f"exact copies: {', '.join(cluster.names[:4])}")
    return problems, notes


def describe(dataset: Dataset) -> list[str]:
    """Say what was found in the folder, a line for each part type."""
    lines = [dataset.layout, *dataset.notes]
    for part_type in sorted({image.part_type for image in dataset.images}):
        chosen = [image for image in dataset.images if image.part_type == part_type]
        damaged = sum(image.label == DAMAGED for image in chosen)
        groups = len({image.group for image in chosen} - {""})
        name = f"{part_type}: " if part_type else ""
        lines.append(f"  {name}{len(chosen) - damaged} undamaged, {damaged} damaged, {groups or 'no'} groups")
    return lines


def conclude(findings: Sequence[Finding], problems: Sequence[str], *, one_class: bool) -> tuple[str, bool]:
    """Put the verdict into words; the second value is whether something is wrong."""
    shortcuts = [f for f in findings if f.verdict == "SHORTCUT"]
    doubtful = [f for f in findings if f.verdict == "chance?"]
    if shortcuts or problems:
        parts = [f"{f.name} ({f.scope}) tells the labels apart, AUROC {f.auroc:.2f}" for f in shortcuts]
        return "PROBLEM: " + "; ".join([*parts, *problems]) + ". A good result on these data would prove little.", True
    if one_class:
        return "All images carry one label: copies were looked for, shortcuts cannot be.", False
    if doubtful:
        names = ", ".join(f"{f.name} ({f.scope})" for f in doubtful)
        return f"NO PROBLEM PROVEN, but outside the limits, perhaps by chance: {names}. More images would tell.", False
    return "OK: no trivial statistic tells damaged from undamaged, no copies across groups, no label conflicts.", False


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit one folder; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("data", type=Path, metavar="DIR", help="data set, in any layout that --train accepts")
    options = parser.parse_args(arguments)
    try:
        dataset = read_dataset(options.data)
    except AnomalyError as error:
        print(error, file=sys.stderr)
        return 1
    images, looks, problems = [], [], []
    for image in dataset.images:
        try:
            looks.append(look_at(image))
            images.append(image)
        except ImageError as error:
            problems.append(f"unreadable: {error}")
    copies, notes = find_copies(images)
    problems += copies
    print("\n".join(describe(dataset)))
    findings = find_shortcuts(images, looks) if images else []
    if findings:
        limits = f"limits {LOW:.2f}-{HIGH:.2f}, neighbour up to {NEIGHBOUR_HIGH:.2f}"
        print(f"\n{'part type':14} {'statistic':36} AUROC  interval 95 %  {limits}")
        for f in findings:
            print(f"{f.scope:14} {f.name:36} {f.auroc:5.3f}  {f.low:.2f}-{f.high:.2f}      {f.verdict}")
    for line in (*notes, *problems):
        print(f"- {line}")
    verdict, wrong = conclude(findings, problems, one_class=not findings)
    print(f"\n{verdict}")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
