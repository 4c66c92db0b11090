"""Whether the parts of a picture can be told apart: learnt from the bank images, or the reason why not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from anomaly.config import ImageConfig
from anomaly.detector.ahead import load_ahead
from anomaly.detector.progress import Progress, silent
from anomaly.detector.sampling import evenly
from anomaly.errors import NoPartsError, PartFinderError
from anomaly.imaging import PartFinder, fit_part_finder
from anomaly.types import UInt8Array

MOST_IMAGES = 20
"""Bank images of a part type, evenly spaced, that its part finder is learnt from."""


@dataclass(frozen=True)
class PartView:
    """How pictures of one part type are looked at beside as a whole.

    Attributes
    ----------
    finder : PartFinder or None
        None: as a whole only.
    reason : str
        What was found, or why parts are not told apart; a phrase for people.
    """

    finder: PartFinder | None
    reason: str


PartViews: TypeAlias = Mapping[str, PartView]
"""By part type, under the empty name where the data name none: parts of different types differ in size."""


def learn_parts(
    paths: Sequence[Path], part_types: Sequence[str], *, limits: ImageConfig, progress: Progress = silent
) -> dict[str, PartView]:
    """Learn to find the parts of pictures like these.

    Parameters
    ----------
    paths : sequence of Path
        Undamaged images.
    part_types : sequence of str
        One for each image; empty: not known.
    limits : ImageConfig
    progress : Progress
        Told about the stage ``finding parts``.

    Returns
    -------
    dict of str to PartView

    Raises
    ------
    ImageError
    """
    chosen: dict[str, list[Path]] = {}
    for part_type in sorted(set(part_types)):
        own = [path for path, its in zip(paths, part_types, strict=True) if its == part_type]
        chosen[part_type] = [own[number] for number in evenly(len(own), MOST_IMAGES)]
    total = sum(len(own) for own in chosen.values())
    done = 0

    def images(own: Sequence[Path]) -> Iterator[UInt8Array]:
        nonlocal done
        for pixels in load_ahead(own, limits=limits):
            yield pixels
            done += 1
            progress("finding parts", done, total)

    return {part_type: _learn(images(own)) for part_type, own in chosen.items()}


def _learn(images: Iterator[UInt8Array]) -> PartView:
    try:
        finder = fit_part_finder(images)
    except NoPartsError as error:
        return PartView(None, error.reason)
    return PartView(finder, f"{finder.fewest} to {finder.most} parts in an undamaged picture, usually {finder.typical}")


def describe(views: PartViews) -> list[str]:
    """Say it in a sentence for each part type."""
    return [
        f"parts{f' of {part_type}' if part_type else ''}: "
        + ("judged as a whole picture: " if view.finder is None else "a verdict on each beside that of the picture: ")
        + view.reason
        for part_type, view in views.items()
    ]


def to_text(views: PartViews) -> str:
    """Return JSON."""
    entries = {
        part_type: {"reason": view.reason, "finder": None if view.finder is None else view.finder.to_dict()}
        for part_type, view in views.items()
    }
    return json.dumps(entries, indent=1) + "\n"


def from_text(text: str) -> dict[str, PartView]:
    """Read what :func:`to_text` wrote.

    Raises
    ------
    ValueError
        It is something else.
    """
    entries = json.loads(text)
    if not isinstance(entries, dict):
        raise ValueError("parts.json holds no part views")
    return {part_type: _read(entry) for part_type, entry in entries.items()}


def _read(entry: object) -> PartView:
    if not isinstance(entry, dict) or not isinstance(entry.get("reason"), str) or "finder" not in entry:
        raise ValueError("parts.json holds an entry that is no part view")
    try:
        return PartView(None if entry["finder"] is None else PartFinder.from_dict(entry["finder"]), entry["reason"])
    except PartFinderError as error:
        raise ValueError(f"parts.json holds no part finder: {error}") from error
