"""Pictures of verdicts, right and wrong, chosen by a rule and not by taste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from anomaly.dataset import LabelledImage
from anomaly.detector import Detector
from anomaly.errors import ImageError
from anomaly.evaluation import read_mask
from anomaly.imaging.colour_scale import scale_end
from anomaly.imaging.decode import load_image
from anomaly.imaging.encode import write_image
from anomaly.imaging.example_picture import render_example
from anomaly.report.results import ExaminedImage, Example
from anomaly.types import DAMAGED, UNDAMAGED


def choose_examples(images: Sequence[ExaminedImage]) -> tuple[ExaminedImage, ...]:
    """Choose up to six verdicts, right and wrong.

    Two damaged ones that were found (the middle one and the one that was nearest to being missed), the undamaged
    one in the middle, two that were missed (the middle one and the lowest score) and the worst false alarm.

    Parameters
    ----------
    images : sequence of ExaminedImage

    Returns
    -------
    tuple of ExaminedImage
        Each at most once; fewer where there are no such verdicts.
    """
    ordered = sorted(images, key=lambda image: (image.score, image.name))
    found = [image for image in ordered if image.label == DAMAGED and image.verdict == DAMAGED]
    missed = [image for image in ordered if image.label == DAMAGED and image.verdict == UNDAMAGED]
    passed = [image for image in ordered if image.label == UNDAMAGED and image.verdict == UNDAMAGED]
    alarms = [image for image in ordered if image.label == UNDAMAGED and image.verdict == DAMAGED]
    wished = [*_middle(found), *found[:1], *_middle(passed), *_middle(missed), *missed[:1], *alarms[-1:]]
    return tuple(dict.fromkeys(wished))


def draw_examples(
    detector: Detector, chosen: Sequence[ExaminedImage], photographs: Mapping[str, LabelledImage], folder: Path
) -> tuple[Example, ...]:
    """Write a picture for each example into a folder.

    Parameters
    ----------
    detector : Detector
    chosen : sequence of ExaminedImage
    photographs : mapping of str to LabelledImage
        By name.
    folder : Path

    Raises
    ------
    OutputError
    """
    calibration = detector.calibration
    scale_max = scale_end(None if calibration is None else calibration.threshold)
    examples = []
    for number, judged in enumerate(chosen, start=1):
        image = photographs[judged.name]
        try:
            pixels = load_image(image.path, limits=detector.config.image)
        except ImageError:
            continue
        picture = render_example(
            pixels,
            detector.predict(pixels, part_type=judged.part_type).anomaly_map,
            scale_max=scale_max,
            threshold=None if calibration is None else calibration.for_part_type(judged.part_type).threshold,
            mask=None if image.mask is None else read_mask(image.mask),
        )
        file = f"example-{number}.jpg"
        write_image(picture, folder / file)
        examples.append(Example(file, judged.name, judged.label, judged.verdict, judged.score, judged.defect))
    return tuple(examples)


def _middle(images: Sequence[ExaminedImage]) -> Sequence[ExaminedImage]:
    return images[len(images) // 2 : len(images) // 2 + 1]
