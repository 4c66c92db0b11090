"""What ``--train`` tells of undamaged training images that look damaged."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from anomaly.cli.heatmap import draw_heatmap
from anomaly.cli.progress import Reporter
from anomaly.errors import OutputError
from anomaly.imaging.decode import load_image
from anomaly.imaging.encode import write_image
from anomaly.imaging.names import printable_name
from anomaly.imaging.numbers import score_text

if TYPE_CHECKING:
    from anomaly.detector.suspects import Suspect
    from anomaly.detector.training import Training

MOST_PICTURES = 20
"""Suspects that get a heatmap, the strangest first."""
_OURS = re.compile(r"suspect-[0-9]{2}_.*\.png")


def suspects_folder(model: Path) -> Path:
    """Return where the heatmaps go: beside the trained model, and named from where that is named from."""
    whole = model.absolute()
    folder = whole.with_name(f"{whole.name}-suspects")
    return folder if model.is_absolute() else Path(os.path.relpath(folder))


def draw_suspects(training: Training, paths: Mapping[str, Path], model: Path, progress: Reporter) -> dict[str, Path]:
    """Draw a heatmap of each of the first suspects, judged by the memory bank without itself.

    Pictures of an earlier training are removed, whatever else lies in the folder stays.

    Parameters
    ----------
    paths : mapping of str to Path
        Where the images lie, by name.
    model : Path
        The trained model beside which they are put.

    Returns
    -------
    dict of str to Path
        The pictures by the names of the images; empty, and no folder made, without suspects.

    Raises
    ------
    ImageError, OutputError
    """
    folder = suspects_folder(model)
    _clear(folder)
    drawn: dict[str, Path] = {}
    types = {entry.name: entry.part_type for entry in training.split.entries}
    groups = {image.name: number for number, image in enumerate(training.detector.bank_images)}
    first = training.suspects[:MOST_PICTURES]
    for place, suspect in enumerate(first, start=1):
        detector = training.detector
        image = load_image(paths[suspect.name], limits=detector.config.image)
        part_type = types.get(suspect.name, "")
        prediction = detector.predict(image, part_type=part_type, exclude_group=groups.get(suspect.name))
        folder.mkdir(parents=True, exist_ok=True)
        drawn[suspect.name] = folder / f"suspect-{place:02d}_{PurePosixPath(suspect.name).stem[:80]}.png"
        picture = draw_heatmap(
            detector, image, prediction, part_type=part_type, title=suspect.name, suspicion=_suspicion(suspect)
        )
        write_image(picture, drawn[suspect.name])
        progress("drawing suspects", place, len(first))
    return drawn


def suspect_facts(training: Training, drawn: Mapping[str, Path]) -> list[dict[str, Any]]:
    """Return what there is to say, ready for JSON."""
    return [
        {
            "image": suspect.name,
            "score": suspect.score,
            "limit": suspect.limit,
            "left_out": suspect.left_out,
            "heatmap": str(drawn[suspect.name]) if suspect.name in drawn else None,
        }
        for suspect in training.suspects
    ]


def suspect_lines(training: Training, drawn: Mapping[str, Path], model: Path) -> list[str]:
    """Say the same to people; nothing where there is no suspect."""
    if not training.suspects:
        return []
    suspects, limit = training.suspects, training.suspects[0].limit
    strange = sum(suspect.score > limit for suspect in suspects)
    left_out = sum(suspect.left_out for suspect in suspects)
    # Those left out were judged by the memory bank that never held them: not all of them score above the limit.
    more = sum(suspect.left_out and suspect.score <= limit for suspect in suspects)
    bank = len(training.detector.bank_images) + left_out
    lines = [
        f"suspects: {strange} of the {bank} undamaged images for the memory bank {'looks' if strange == 1 else 'look'} "
        f"damaged among the others (score above {score_text(limit)} without their own rows)"
        + (f", {left_out - more} of them left out" if left_out > more else "")
        + (f"; {more} more {'was' if more == 1 else 'were'} left out" if more else "")
        + (", none left out" if not left_out else "")
        + (f"; heatmaps in {suspects_folder(model)}" if drawn else "")
    ]
    for suspect in suspects:
        lines.append(f"suspect {suspect.name}  score {score_text(suspect.score)}, {_fate(suspect)}")
    return [printable_name(line) for line in lines]


def _suspicion(suspect: Suspect) -> str:
    """Say in its picture why an image is suspected."""
    score, limit = score_text(suspect.score), score_text(suspect.limit)
    return f"Labelled undamaged, looks damaged: score {score}, limit {limit} among the others; {_fate(suspect)}"


def _fate(suspect: Suspect) -> str:
    return "left out of the memory bank" if suspect.left_out else "in the memory bank"


def _clear(folder: Path) -> None:
    try:
        for path in folder.iterdir() if folder.is_dir() else ():
            if _OURS.fullmatch(path.name):
                path.unlink()
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise OutputError(
            f"cannot clear {folder} ({error.strerror or error}): remove it or choose another --model", path=folder
        ) from error
