"""Whether the parts of a picture can be told apart: learnt from the bank images, or the reason why not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomaly.config import ImageConfig
from anomaly.detector.progress import Progress, silent
from anomaly.detector.sampling import evenly
from anomaly.errors import NoPartsError, PartFinderError
from anomaly.imaging import PartFinder, fit_part_finder
from anomaly.imaging.decode import load_image
from anomaly.types import UInt8Array

MOST_IMAGES = 20
"""Bank images, evenly spaced, that a part finder is learnt from."""


@dataclass(frozen=True)
class PartView:
    """How a picture is looked at beside as a whole.

    Attributes
    ----------
    finder : PartFinder or None
        None: as a whole only.
    reason : str
        What was found, or why parts are not told apart; a phrase for people.
    """

    finder: PartFinder | None
    reason: str

    def describe(self) -> str:
        """Say it in a sentence."""
        if self.finder is None:
            return f"parts: pictures are judged as a whole: {self.reason}"
        return f"parts: each gets a verdict of its own, beside that of the picture: {self.reason}"

    def to_text(self) -> str:
        """Return JSON."""
        finder = None if self.finder is None else self.finder.to_dict()
        return json.dumps({"reason": self.reason, "finder": finder}, indent=1) + "\n"

    @classmethod
    def from_text(cls, text: str) -> PartView:
        """Read what :meth:`to_text` wrote.

        Raises
        ------
        ValueError
            It is something else.
        """
        value = json.loads(text)
        if not isinstance(value, dict) or not isinstance(value.get("reason"), str) or "finder" not in value:
            raise ValueError("parts.json holds no part view")
        try:
            return cls(None if value["finder"] is None else PartFinder.from_dict(value["finder"]), value["reason"])
        except PartFinderError as error:
            raise ValueError(str(error)) from error


def learn_parts(paths: Sequence[Path], *, limits: ImageConfig, progress: Progress = silent) -> PartView:
    """Learn to find the parts of pictures like these.

    Parameters
    ----------
    paths : sequence of Path
        Undamaged images.
    limits : ImageConfig
    progress : Progress
        Told about the stage ``finding parts``.

    Raises
    ------
    ImageError
    """
    numbers = evenly(len(paths), MOST_IMAGES)

    def images() -> Iterator[UInt8Array]:
        for done, number in enumerate(numbers, start=1):
            yield load_image(paths[number], limits=limits)
            progress("finding parts", done, len(numbers))

    try:
        finder = fit_part_finder(images())
    except NoPartsError as error:
        return PartView(None, error.reason)
    return PartView(finder, f"{finder.fewest} to {finder.most} parts in an undamaged picture, usually {finder.typical}")
