"""``--heatmap``: a picture of where, and of what a good part looks like there."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from anomaly.calibration import Calibration
from anomaly.cli.judging import check_part_type, is_folder, listed_images, say_failures
from anomaly.cli.options import DEFAULT_HEATMAPS, DONE, FAILED
from anomaly.cli.output import check_place, emit, say
from anomaly.cli.parser import Arguments
from anomaly.cli.progress import Reporter
from anomaly.cli.rows import Row, json_line, json_object, text_line
from anomaly.detector import Detector, load_detector
from anomaly.detector.beside import one_ahead
from anomaly.errors import ImageError, OutputError
from anomaly.files import cannot_write
from anomaly.imaging.colour_scale import scale_end
from anomaly.imaging.decode import load_image
from anomaly.imaging.encode import write_image
from anomaly.imaging.heatmap import render_heatmap
from anomaly.imaging.listing import IMAGE_SUFFIXES, is_photograph
from anomaly.imaging.names import printable_name
from anomaly.types import Prediction, UInt8Array

_STEM_BYTES = 200
_NAME_BYTES = 255


def run(arguments: Arguments) -> int:
    """Draw image after image and say where the picture is.

    Returns
    -------
    int
        0, or 1 if an image could not be read.
    """
    images = listed_images(arguments.images)
    outputs = _outputs([path for path, _ in images], arguments.images, arguments.output or Path(DEFAULT_HEATMAPS))
    detector = load_detector(arguments.model, device=arguments.device)
    written: list[Path] = []
    with Reporter(quiet=arguments.quiet) as progress:
        check_part_type(detector, arguments.part_type, progress)
        rows = _rows(detector, images, outputs, arguments.part_type)
        for done, (row, output) in enumerate(zip(rows, outputs, strict=True), start=1):
            if row.prediction is not None:
                written.append(output)
            emit(_line(row, output, as_json=arguments.json))
            progress("drawing heatmaps", done, len(images))
    if arguments.open and written:
        _show(written[0] if len(written) == 1 else Path(os.path.commonpath([path.parent for path in written])))
    say_failures(len(images) - len(written), len(images))
    return DONE if len(written) == len(images) else FAILED


def _rows(
    detector: Detector, images: Sequence[tuple[str, ImageError | None]], outputs: Sequence[Path], part_type: str
) -> Iterator[Row]:
    """Yield the row of each image once its picture is written; meanwhile the next image is judged.

    Drawing and compressing a picture takes as long as judging an image, and leaves a core idle.
    """
    judged = one_ahead(_judge(detector, path, error, part_type) for path, error in images)
    for found, output in zip(judged, outputs, strict=True):
        if isinstance(found, Row):
            yield found
            continue
        image, prediction = found
        _make_folder(output.parent)
        write_image(draw_heatmap(detector, image, prediction, part_type=part_type), output)
        yield Row(prediction.path, prediction)


def _judge(
    detector: Detector, path: str, error: ImageError | None, part_type: str
) -> tuple[UInt8Array, Prediction] | Row:
    """Return a photograph and what is predicted of it, or the row that says why it cannot be read."""
    try:
        if error is not None:
            raise error
        image = load_image(path, limits=detector.config.image)
        return image, dataclasses.replace(detector.predict(image, part_type=part_type), path=path)
    except ImageError as reason:
        return Row(path, None, str(reason))


def draw_heatmap(
    detector: Detector,
    image: UInt8Array,
    prediction: Prediction,
    *,
    part_type: str = "",
    title: str | None = None,
    suspicion: str = "",
) -> UInt8Array:
    """Return the picture of one prediction, on the colour scale of this trained model.

    Parameters
    ----------
    detector : Detector
    image : ndarray of uint8, (H, W, 3)
    prediction : Prediction
    part_type : str
        By whose threshold it was judged.
    title, suspicion : str
        As in :func:`anomaly.render_heatmap`.
    """
    names = {nearest.image for nearest in prediction.nearest}
    calibration = detector.calibration
    return render_heatmap(
        image,
        prediction,
        scale_max=scale_end(None if calibration is None else calibration.threshold),
        nearest_images={name: detector.bank_picture(name) for name in names},
        title=title,
        threshold_of=_threshold_of(calibration, part_type),
        suspicion=suspicion,
    )


def _threshold_of(calibration: Calibration | None, part_type: str) -> str:
    """Say whose threshold it is; empty where all part types have the same."""
    if calibration is None or not calibration.by_part_type:
        return ""
    return f"part type {part_type}" if part_type in calibration.by_part_type else "all other part types"


def _line(row: Row, output: Path, *, as_json: bool) -> str:
    drawn = row.prediction is not None
    if as_json:
        return json_line({**json_object(row), "heatmap": str(output) if drawn else None})
    return f"{text_line(row)}   -> {printable_name(output)}" if drawn else text_line(row)


def _outputs(paths: Sequence[str], named: Sequence[str], output: Path) -> list[Path]:
    """Return where each picture goes.

    A single image with an output that ends like a picture goes there. Otherwise the folders of the image's name are
    repeated below the output folder, so that equal names from different folders stay apart.

    Raises
    ------
    OutputError
        Several images for one picture, a picture that would replace a photograph, or one in a trained model.
    """
    as_picture = output.suffix.lower() in IMAGE_SUFFIXES and not is_folder(output)
    if as_picture and (len(paths) > 1 or is_folder(named[0])):
        raise OutputError(
            f"expected a folder for the heatmaps of {len(paths)} images, got the picture name "
            f"{printable_name(output)}: give a folder",
            path=output,
        )
    outputs = [output] if as_picture else _mirrored(paths, output)
    photographs = {os.path.realpath(path) for path in paths}
    for place in outputs:
        try:
            if os.path.realpath(place) in photographs or (place.is_file() and is_photograph(place)):
                raise OutputError(
                    f"the heatmap {printable_name(place)} would replace the photograph of that name: give another "
                    "--output",
                    path=place,
                )
            check_place(place)
        except OSError as error:  # not even a name that the system accepts
            raise cannot_write(place, error) from error
    return outputs


def _mirrored(paths: Sequence[str], folder: Path) -> list[Path]:
    outputs: list[Path] = []
    taken: set[str] = set()
    for path in paths:
        pure = PurePath(path)
        parents = [_cut(part, _NAME_BYTES) for part in pure.parent.parts if part not in ("..", pure.anchor)]
        stem = _cut(pure.stem, _STEM_BYTES)
        number = 1
        while (place := folder.joinpath(*parents, _numbered(stem, number))) and str(place).casefold() in taken:
            number += 1
        taken.add(str(place).casefold())
        outputs.append(place)
    return outputs


def _cut(name: str, most: int) -> str:
    """Cut in bytes: that is what the file system counts."""
    return os.fsdecode(os.fsencode(name)[:most])


def _numbered(stem: str, number: int) -> str:
    return f"{stem}_heatmap.png" if number == 1 else f"{stem}_heatmap-{number}.png"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {printable_name(folder)} ({error.strerror or error}): choose another --output",
            path=folder,
        ) from error


def _show(path: Path) -> None:
    """Open a picture or folder in what the desktop has for it; that this fails is said and harms nothing."""
    command = _opener()
    if command is not None:
        import subprocess

        try:
            subprocess.Popen(
                [command, str(path.absolute())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            say(f"cannot show {printable_name(path)} ({error.strerror or error}): open it yourself")
        return
    say(f"cannot show {printable_name(path)}, there is no desktop here: open it yourself")


def _opener() -> str | None:
    if sys.platform == "darwin":
        return shutil.which("open")
    # Without a display xdg-open falls back to browsers for text terminals, which would take this one over.
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return shutil.which("xdg-open")
    return None
