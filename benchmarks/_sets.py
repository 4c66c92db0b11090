"""The image sets of a folder: which there are, which images train and test, which half nobody looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from anomaly.config import Config, config_to_dict
from anomaly.dataset import LabelledImage, read_dataset
from anomaly.detector import sampling
from anomaly.errors import DatasetError
from anomaly.types import UNDAMAGED

T = TypeVar("T")


@dataclass(frozen=True)
class ImageSet:
    """A folder in the MVTec AD layout.

    Attributes
    ----------
    name : str
        Its folder; with the folder below where that holds several sets.
    folder : Path
        The one with ``train/good`` and ``test``.
    """

    name: str
    folder: Path


@dataclass(frozen=True)
class SetImages:
    """The published split of a set; both sorted by name.

    Attributes
    ----------
    train : tuple of LabelledImage
        Undamaged images.
    test : tuple of LabelledImage
    """

    train: tuple[LabelledImage, ...]
    test: tuple[LabelledImage, ...]


def find_sets(data: Path, names: Sequence[str] = ()) -> tuple[ImageSet, ...]:
    """Find the sets one or two folders below ``data``, sorted by name.

    Parameters
    ----------
    data : Path
    names : sequence of str
        Only these; all of them where empty.

    Raises
    ------
    DatasetError
        There is no set at all, or none of a name that was asked for.
    """
    try:
        tops = sorted(path for path in data.iterdir() if path.is_dir())
    except OSError as error:
        raise DatasetError(f"cannot list {data} ({error.strerror}): give a folder of image sets") from error
    sets: list[ImageSet] = []
    for top in tops:
        below = [top] if _is_set(top) else sorted(path for path in top.iterdir() if path.is_dir() and _is_set(path))
        single = len(below) == 1
        sets += [ImageSet(top.name if single else f"{top.name}/{path.name}", path) for path in below]
    if not sets:
        raise DatasetError(f"expected folders with train/good and test one or two levels below {data}, found none")
    unknown = sorted(set(names) - {found.name for found in sets})
    if unknown:
        raise DatasetError(
            f"no set is called {', '.join(unknown)}: choose from {', '.join(found.name for found in sets)}"
        )
    return tuple(found for found in sets if not names or found.name in names)


def _is_set(folder: Path) -> bool:
    return (folder / "train" / "good").is_dir() and (folder / "test").is_dir()


def read_set(image_set: ImageSet) -> SetImages:
    """Read the published split of a set.

    Raises
    ------
    DatasetError
        It cannot be read, or has no training or no test images.
    """
    images = read_dataset(image_set.folder).images
    train = tuple(image for image in images if image.origin == "train" and image.label == UNDAMAGED)
    test = tuple(image for image in images if image.origin == "test")
    if not train or not test:
        raise DatasetError(
            f"set {image_set.name} has {len(train)} training and {len(test)} test images: expected some of both"
        )
    return SetImages(train, test)


def in_unseen_half(name: str) -> bool:
    """Whether an image is in the half of the test images that no setting was chosen on.

    Parameters
    ----------
    name : str
        Path below the set's folder, with forward slashes: ``test/scratch/004.png``.
    """
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 == 1


def evenly(items: Sequence[T], most: int) -> tuple[T, ...]:
    """At most ``most`` of the items, evenly spaced, the first and the last among them."""
    return tuple(items[place] for place in sampling.evenly(len(items), most))


def public_settings(config: Config) -> dict[str, Any]:
    """Return a configuration as plain values for a result file: a weights file goes by its bare name."""
    settings = config_to_dict(config)
    settings["embedding"]["weights"] = Path(config.embedding.weights).name
    return settings
