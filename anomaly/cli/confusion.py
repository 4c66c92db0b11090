"""``--evaluate --confusion``: the picture of verdicts against truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from anomaly.config import ImageConfig
from anomaly.dataset import LabelledImage
from anomaly.errors import NotCalibratedError, OutputError
from anomaly.imaging.confusion_picture import JudgedImage, render_confusion
from anomaly.imaging.decode import load_image
from anomaly.imaging.encode import write_image
from anomaly.imaging.names import printable_name
from anomaly.types import Prediction, UInt8Array


def check_picture(path: Path) -> None:
    """Refuse a name that is no PNG file before the work begins.

    Raises
    ------
    OutputError
    """
    if path.suffix.lower() != ".png" or path.is_dir() or not path.absolute().parent.is_dir():
        raise OutputError(
            f"expected the name of a PNG file in a folder that is there for --confusion, got {printable_name(path)}: "
            "name one that ends in .png",
            path=path,
        )


def write_confusion(
    judged: Sequence[tuple[LabelledImage, Prediction]], path: Path, *, limits: ImageConfig, title: str
) -> None:
    """Write the picture; see :func:`anomaly.imaging.confusion_picture.render_confusion`.

    Raises
    ------
    NotCalibratedError
        The images have no verdicts.
    OutputError
        The file cannot be written.
    """
    images, paths = [], {}
    for labelled, prediction in judged:
        if prediction.label is None or prediction.threshold is None:
            raise NotCalibratedError("--confusion needs verdicts, and this trained model has no calibration yet")
        image = JudgedImage(
            name=labelled.name,
            truth=labelled.label,
            verdict=prediction.label,
            score=prediction.score,
            threshold=prediction.threshold,
        )
        images.append(image)
        paths[image.name] = labelled.path

    def pixels(image: JudgedImage) -> UInt8Array:
        return load_image(paths[image.name], limits=limits)

    write_image(render_confusion(images, pixels, title=title), path)


def title_of(model: Path, data: str) -> str:
    """Return what stands over the picture: names without their folders."""
    return f"{PurePath(data).name or data} judged by {model.name or model}: truth in rows, verdict in columns"
