"""``--evaluate --confusion``: the picture of verdicts against truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from anomaly.calibration import Calibration
from anomaly.cli.output import check_named
from anomaly.config import ImageConfig
from anomaly.dataset import LabelledImage
from anomaly.detector import Detector
from anomaly.errors import NotCalibratedError
from anomaly.imaging.confusion_picture import JudgedImage, render_confusion
from anomaly.imaging.decode import load_image
from anomaly.imaging.encode import write_image
from anomaly.types import UInt8Array


def check_picture(path: Path, detector: Detector) -> None:
    """Refuse, before the work begins, a name that is no PNG file, and a detector that gives no verdicts.

    Raises
    ------
    OutputError, NotCalibratedError
    """
    if detector.calibration is None:
        raise NotCalibratedError("--confusion needs verdicts, and this trained model has no calibration yet")
    check_named(path, ".png", option="--confusion")


def write_confusion(
    scored: Sequence[tuple[LabelledImage, float]],
    calibration: Calibration,
    path: Path,
    *,
    limits: ImageConfig,
    title: str,
) -> None:
    """Write the picture; see :func:`anomaly.imaging.confusion_picture.render_confusion`.

    Parameters
    ----------
    scored : sequence of (LabelledImage, float)
        Images with their scores, which alone decide here, as in the report: how a picture was taken does not.
    calibration : Calibration
    path : Path
    limits : ImageConfig
    title : str

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    images, paths = [], {}
    for labelled, score in scored:
        own = calibration.for_part_type(labelled.part_type)
        image = JudgedImage(
            name=labelled.name, truth=labelled.label, verdict=own.label(score), score=score, threshold=own.threshold
        )
        images.append(image)
        paths[image.name] = labelled.path

    def pixels(image: JudgedImage) -> UInt8Array:
        return load_image(paths[image.name], limits=limits)

    write_image(render_confusion(images, pixels, title=title), path)


def title_of(model: Path, data: str) -> str:
    """Return what stands over the picture: names without their folders."""
    return f"{PurePath(data).name or data} judged by {model.name or model}: truth in rows, verdict in columns"
