"""Which of the accepted layouts a folder is in, and the labelled images it holds.

Asked in this order, and said aloud in ``Dataset.layout``:

1. ``labels.csv`` in the folder: it alone decides.
2. MVTec AD: ``train/good``, ``test/<defect>``, ``ground_truth/<defect>``, optionally once per part type.
3. Two folders, undamaged and damaged, optionally once per part type; masks in ``masks/`` beside them.
4. Images and no subfolder with images: all undamaged.

Images that lie where none of this expects them are an error, not left out: behind them is mostly a
misspelt folder, and a silent choice would put damaged parts into the memory bank.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anomaly.dataset.labels import LABELS_FILE, read_labels
from anomaly.dataset.masks import MASK_FOLDERS, attach_masks
from anomaly.dataset.records import Dataset, LabelledImage, Origin
from anomaly.dataset.wording import (
    DAMAGED_WORDS,
    LABEL_WORDS,
    UNDAMAGED_WORDS,
    counted,
    label_of,
    listed,
    suggestion,
)
from anomaly.errors import DatasetError, ImageError, LayoutError
from anomaly.imaging.listing import find_images, is_photograph
from anomaly.types import DAMAGED, UNDAMAGED, Label

ACCEPTED = (
    f"accepted are two folders ({'|'.join(UNDAMAGED_WORDS)} and {'|'.join(DAMAGED_WORDS)}), optionally once per "
    "part type; a labels.csv; the MVTec AD layout (train/good, test/<defect>); or undamaged images alone"
)
_ORIGINS: tuple[Origin, ...] = ("train", "validation", "test")
_Shape = Literal["MVTec AD", "two folders", ""]


@dataclass(frozen=True)
class _Part:
    """A folder that is in a layout of its own: the root, or one part type."""

    folder: Path
    part_type: str
    shape: _Shape


def read_dataset(folder: Path) -> Dataset:
    """Find the labelled images of a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Dataset
        With at least one image. Damaged images alone are accepted here (newly labelled images may be all of
        one class); :func:`~anomaly.dataset.splits.split_dataset` refuses them.

    Raises
    ------
    LayoutError
        No folder, no images, none of the layouts, or more than one of them.
    LabelsError, LabelConflictError
        As :func:`~anomaly.dataset.labels.read_labels`.
    """
    folder = Path(folder)
    try:
        return _read_dataset(folder)
    except OSError as error:
        raise LayoutError(
            f"cannot list {listed([str(error.filename or folder)])}: {error.strerror or 'input/output error'}; "
            "check the path and its permissions"
        ) from error
    except ImageError as error:
        raise LayoutError(str(error)) from error


def labelled_images(images: Path | str | Dataset | Iterable[LabelledImage]) -> tuple[LabelledImage, ...]:
    """Return labelled images, however a caller names them.

    Parameters
    ----------
    images : folder, Dataset or iterable of LabelledImage
        A folder is read by :func:`read_dataset`.

    Returns
    -------
    tuple of LabelledImage

    Raises
    ------
    DatasetError
        As :func:`read_dataset`, or it is none of the three.
    """
    if isinstance(images, Path | str):
        return read_dataset(Path(images)).images
    if isinstance(images, Dataset):
        return images.images
    found: tuple[object, ...] = tuple(images) if isinstance(images, Iterable) else (images,)
    labelled = tuple(image for image in found if isinstance(image, LabelledImage))
    if len(labelled) < len(found):
        odd = next(type(image).__name__ for image in found if not isinstance(image, LabelledImage))
        raise DatasetError(
            f"expected labelled images, got {odd}: name their folder, or give a Dataset or a list of LabelledImage"
        )
    return labelled


def _read_dataset(folder: Path) -> Dataset:
    named = listed([str(folder)])
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise LayoutError(f"expected a folder of labelled images, but {named} {what}; {ACCEPTED}")
    if _has_labels_file(folder):
        return _by_labels_file(folder)
    parts = _parts(folder)
    if parts and parts[0].shape == "MVTec AD":
        return _by_parts(folder, parts, "MVTec AD")
    if parts:
        return _by_parts(folder, parts, "two folders")
    return _images_alone(folder)


def _has_labels_file(folder: Path) -> bool:
    """Tell whether ``labels.csv`` decides; one that cannot be read must not let damaged images count as undamaged."""
    file = folder / LABELS_FILE
    if file.is_file() or not os.path.lexists(file):
        return file.is_file()
    what = "a link to nowhere" if not file.exists() else "a folder" if file.is_dir() else "a pipe or a device"
    raise LayoutError(
        f"expected a readable {LABELS_FILE} in {listed([str(folder)])}, but it is {what}; mend it, or move it away if "
        "the folders are to decide"
    )


def _by_labels_file(folder: Path) -> Dataset:
    images = read_labels(folder / LABELS_FILE)
    listed_files = {path for image in images for path in (image.path, image.mask)}
    left = [
        path.relative_to(folder).as_posix()
        for path in find_images(folder)
        if path not in listed_files and path.relative_to(folder).parts[0].casefold() not in MASK_FOLDERS
    ]
    notes = [f"{counted(len(left), 'image')} not named in {LABELS_FILE} left aside: {listed(left)}."]
    given = ", splits given" if images[0].split else ""
    return Dataset(
        root=folder,
        layout=f"{LABELS_FILE} with {counted(len(images), 'image')}{_part_types(images)}{given}",
        kind="labels.csv",
        images=images,
        notes=tuple(notes if left else ()),
    )


def _images_alone(folder: Path) -> Dataset:
    found = _outside_masks(find_images(folder), folder)
    if not found:
        raise LayoutError(f"no images in {listed([str(folder)])}; {ACCEPTED}")
    nested = sorted({path.relative_to(folder).parts[0] for path in found if path.parent != folder})
    if nested:
        hints = [suggestion(name, LABEL_WORDS) for name in nested]
        raise LayoutError(
            f"{listed([str(folder)])} has images in {listed([f'{name}/' for name in nested])}"
            f"{next(filter(None, hints), ', which no layout knows')}; {ACCEPTED}"
        )
    if label_of(folder.resolve().name) == DAMAGED:
        raise LayoutError(
            f"{listed([folder.resolve().name])}/ is named for damaged images, but images alone count as undamaged; "
            "name the folder above it, or rename it"
        )
    images = tuple(_image(path, folder, label=UNDAMAGED) for path in found)
    return Dataset(
        root=folder,
        layout=f"a folder of {counted(len(images), 'image')} alone, all taken as undamaged",
        kind="images alone",
        images=images,
    )


def _by_parts(folder: Path, parts: Sequence[_Part], kind: Literal["MVTec AD", "two folders"]) -> Dataset:
    images: list[LabelledImage] = []
    notes: list[str] = []
    for part in parts:
        read = _mvtec_part if kind == "MVTec AD" else _two_folder_part
        more, more_notes = read(part, folder)
        images += more
        notes += more_notes
    if not images:
        raise LayoutError(f"no images in the folders of {listed([str(folder)])}; {ACCEPTED}")
    if kind == "MVTec AD":
        layout = f"the MVTec AD layout{_part_types(images)}"
    else:
        names = _label_folder_names(parts)
        number = {1: "one folder", 2: "two folders"}.get(len(names), f"{len(names)} folders")
        layout = f"{number}, {' and '.join(names)}{_part_types(images)}"
    ordered = tuple(sorted(images, key=lambda image: image.name))
    return Dataset(root=folder, layout=layout, kind=kind, images=ordered, notes=tuple(notes))


def _parts(folder: Path) -> list[_Part]:
    """Return the root or its part types, all of one shape; empty: neither the root nor a subfolder has one."""
    own = _shape(folder)
    of_mvtec = _ORIGINS if own == "MVTec AD" else ()
    below = {
        child.name: shape
        for child in _subfolders(folder)
        if child.name.casefold() not in of_mvtec and (shape := _shape(child))
    }
    if own:
        # A label folder may not hold label folders again: which of the two names would count?
        if below:
            inner = next(iter(below))
            raise LayoutError(
                f"{listed([str(folder)])} is in the layout '{own}' and so is its folder {listed([inner])}/ "
                f"('{below[inner]}'); move one of them away"
            )
        return [_Part(folder, "", own)]
    if len(set(below.values())) > 1:
        first, other = _first_of(below, "MVTec AD"), _first_of(below, "two folders")
        raise LayoutError(
            f"{listed([first])}/ is in the MVTec AD layout and {listed([other])}/ in two folders; "
            "bring the part types into one layout"
        )
    if below:
        _refuse_strays(folder, known=set(below))
    for name in below:
        if name.casefold() in (*_ORIGINS, "val"):
            raise LayoutError(
                f"{listed([name])}/ is the name of a split, not of a part type, and train/good of the MVTec AD layout "
                "is missing; put the images into good/ and defect/, or name their splits in a labels.csv"
            )
    return [_Part(folder / name, name, shape) for name, shape in below.items()]


def _first_of(below: Mapping[str, _Shape], shape: _Shape) -> str:
    return next(name for name, own in below.items() if own == shape)


def _shape(folder: Path) -> _Shape:
    names = {child.name.casefold(): child for child in _subfolders(folder)}
    mvtec = "train" in names and any(label_of(child.name) == UNDAMAGED for child in _subfolders(names["train"]))
    two = [child.name for child in names.values() if label_of(child.name)]
    if mvtec and two:
        raise LayoutError(
            f"{listed([str(folder)])} holds train/good of the MVTec AD layout and also {listed(two)}/ of the "
            "two-folder layout; move one of them away"
        )
    return "MVTec AD" if mvtec else "two folders" if two else ""


def _two_folder_part(part: _Part, root: Path) -> tuple[list[LabelledImage], list[str]]:
    images, keys = [], []
    folders = {child.name: child for child in _subfolders(part.folder) if label_of(child.name)}
    _refuse_strays(part.folder, known=set(folders))
    for child in folders.values():
        label = label_of(child.name) or UNDAMAGED
        for path in find_images(child):
            below = path.relative_to(child)
            defect = below.parts[0] if label == DAMAGED and len(below.parts) > 1 else ""
            images.append(_image(path, root, label=label, part_type=part.part_type, defect=defect))
            keys.append(below.with_suffix("").as_posix())
    return _with_masks(part, images, keys)


def _mvtec_part(part: _Part, root: Path) -> tuple[list[LabelledImage], list[str]]:
    images, keys = [], []
    splits = {child.name: child for child in _subfolders(part.folder) if child.name.casefold() in _ORIGINS}
    _refuse_strays(part.folder, known=set(splits))
    for split in splits.values():
        kinds = _subfolders(split)
        _refuse_strays(split, known={child.name for child in kinds})
        origin = next(origin for origin in _ORIGINS if origin == split.name.casefold())
        for kind in kinds:
            label: Label = UNDAMAGED if label_of(kind.name) == UNDAMAGED else DAMAGED
            if label == DAMAGED and origin != "test":
                raise LayoutError(
                    f"{listed([split.name])}/ of the MVTec AD layout holds good/ alone, but there is "
                    f"{listed([kind.name])}/ in it; move it to test/, or use two folders or a labels.csv"
                )
            defect = kind.name if label == DAMAGED else ""
            for path in find_images(kind):
                images.append(_image(path, root, label=label, part_type=part.part_type, defect=defect, origin=origin))
                below = path.relative_to(kind).with_suffix("")
                keys.append((kind.name / below).as_posix())
    return _with_masks(part, images, keys)


def _with_masks(part: _Part, images: list[LabelledImage], keys: list[str]) -> tuple[list[LabelledImage], list[str]]:
    folders = [child for child in _subfolders(part.folder, masks=True) if _is_mask_folder(child)]
    if len(folders) > 1:
        names = [child.name for child in folders]
        raise LayoutError(f"expected one folder of masks, but there are {listed(names)}; keep one")
    return attach_masks(images, folders[0], keys=keys) if folders else (images, [])


def _image(
    path: Path, root: Path, *, label: Label, part_type: str = "", defect: str = "", origin: Origin = ""
) -> LabelledImage:
    name = path.relative_to(root).as_posix()
    return LabelledImage(path, name, label, part_type=part_type, defect=defect, origin=origin)


def _refuse_strays(folder: Path, *, known: set[str]) -> None:
    """Refuse images in ``folder`` itself and in subfolders that are neither known nor for masks."""
    loose = [path.name for path in sorted(folder.iterdir()) if not path.is_dir() and is_photograph(path)]
    if loose:
        raise LayoutError(
            f"{counted(len(loose), 'image')} directly in {listed([str(folder)])} ({listed(loose)}) beside "
            f"{listed([f'{name}/' for name in sorted(known)])}: which label? move them into one of the folders"
        )
    for child in _subfolders(folder):
        if child.name not in known and find_images(child):
            hint = suggestion(child.name, LABEL_WORDS) or "; "
            raise LayoutError(
                f"{listed([child.name])}/ beside {listed([f'{name}/' for name in sorted(known)])} holds images but "
                f"stands for no label{hint}{' ' if hint != '; ' else ''}rename it or move it away"
            )


def _subfolders(folder: Path, *, masks: bool = False) -> list[Path]:
    """List the visible subfolders by name, without those of masks unless asked for.

    A link to nowhere may stand for a folder of damaged images that is not mounted, so it is refused. Named like an
    image it is an image that cannot be read, and told of as such.
    """
    visible = [child for child in sorted(folder.iterdir()) if not child.name.startswith(".")]
    lost = [child.name for child in visible if not child.exists() and not is_photograph(child)]
    if lost:
        raise LayoutError(
            f"{listed(lost)} in {listed([str(folder)])} {'is a link' if len(lost) == 1 else 'are links'} to nowhere: "
            "are images missing? mount what it leads to, or delete it"
        )
    return [child for child in visible if child.is_dir() and (masks or not _is_mask_folder(child))]


def _is_mask_folder(folder: Path) -> bool:
    return folder.name.casefold() in MASK_FOLDERS


def _outside_masks(paths: list[Path], root: Path) -> list[Path]:
    return [path for path in paths if path.relative_to(root).parts[0].casefold() not in MASK_FOLDERS]


def _label_folder_names(parts: Sequence[_Part]) -> list[str]:
    """Name the label folders, undamaged first, each spelling once."""
    names = {child.name for part in parts for child in _subfolders(part.folder) if label_of(child.name)}
    return [f"{name}/" for name in sorted(names, key=lambda name: (label_of(name) != UNDAMAGED, name))]


def _part_types(images: Sequence[LabelledImage]) -> str:
    types = sorted({image.part_type for image in images if image.part_type})
    if not types:
        return ""
    return f", part {'type' if len(types) == 1 else 'types'} {listed(types, most=8)}"
