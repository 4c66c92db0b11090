"""Finding the mask of an image by its name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from anomaly.dataset.records import LabelledImage
from anomaly.dataset.wording import counted, listed
from anomaly.errors import LayoutError
from anomaly.imaging.listing import find_images
from anomaly.types import DAMAGED

MASK_FOLDERS = ("masks", "mask", "ground_truth")


def attach_masks(
    images: Sequence[LabelledImage], folder: Path, *, keys: Sequence[str]
) -> tuple[list[LabelledImage], list[str]]:
    """Give each damaged image its mask.

    Tried in this order, below ``folder``, each with or without ``_mask`` before the suffix: the image's key
    (its path below the label folder), then its bare name.

    Parameters
    ----------
    images : sequence of LabelledImage
    folder : Path
        Folder of masks; it need not exist.
    keys : sequence of str
        For each image its path below the label folder, without suffix, with forward slashes.

    Returns
    -------
    images : list of LabelledImage
        In the same order.
    notes : list of str
        Masks that belong to no damaged image.

    Raises
    ------
    LayoutError
        One mask fits two images, or two masks of one name fit an image.
    """
    if not folder.is_dir():
        return list(images), []
    masks: dict[str, list[Path]] = defaultdict(list)
    for path in find_images(folder):
        masks[path.relative_to(folder).with_suffix("").as_posix()].append(path)
    owner: dict[Path, LabelledImage] = {}
    result = []
    for image, key in zip(images, keys, strict=True):
        mask = _mask_of(image, key, masks, folder) if image.label == DAMAGED else None
        if mask is not None:
            other = owner.setdefault(mask, image)
            if other is not image:
                raise LayoutError(
                    f"mask {listed([mask.name])} fits two images, {listed([other.name, image.name])}; "
                    f"put it into a subfolder of {listed([folder.name])}/ like the image's own"
                )
        result.append(replace(image, mask=mask))
    unused = sorted(key for key, paths in masks.items() for path in paths if path not in owner)
    notes = [
        f"{counted(len(unused), 'mask')} in {listed([folder.name])}/ without a damaged image of that name "
        f"left aside: {listed(unused)}."
    ]
    return result, notes if unused else []


def _mask_of(image: LabelledImage, key: str, masks: Mapping[str, Sequence[Path]], folder: Path) -> Path | None:
    for stem in (key, PurePosixPath(key).name):
        for candidate in (f"{stem}_mask", stem):
            found = masks.get(candidate, ())
            if len(found) > 1:
                names = [path.relative_to(folder.parent).as_posix() for path in found]
                raise LayoutError(
                    f"{len(found)} masks fit image {listed([image.name])}: {listed(names)}; keep the one that is right"
                )
            if found:
                return found[0]
    return None
