"""Labelled images and the dataset they make up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from anomaly.types import DAMAGED, UNDAMAGED, Label, Split

Origin: TypeAlias = Literal["", "train", "validation", "test"]
Kind: TypeAlias = Literal["labels.csv", "two folders", "MVTec AD", "images alone"]


@dataclass(frozen=True)
class LabelledImage:
    """One photograph and what is known about it.

    Attributes
    ----------
    path : Path
        Where the file lies.
    name : str
        Path relative to the root of the dataset, with forward slashes; unique in the dataset.
    label : {"undamaged", "damaged"}
    part_type, group, defect : str
        Empty where unknown. Images of one group never straddle a split.
    mask : Path or None
        Picture whose non-zero pixels are damaged.
    split : {"bank", "validation", "test"} or None
        Given by ``labels.csv``; None: the split is ours to make.
    origin : {"", "train", "validation", "test"}
        Folder of the published split (MVTec AD layout). Recorded for benchmarks; splits do not follow it.
    """

    path: Path
    name: str
    label: Label
    part_type: str = ""
    group: str = ""
    defect: str = ""
    mask: Path | None = None
    split: Split | None = None
    origin: Origin = ""


@dataclass(frozen=True)
class Dataset:
    """What was found in a folder.

    Attributes
    ----------
    root : Path
    layout : str
        What was recognised, for people: ``"two folders, good/ and defect/, part types gears, springs"``.
    kind : {"labels.csv", "two folders", "MVTec AD", "images alone"}
        The same for programs. With ``"images alone"`` nobody labelled anything: all count as undamaged.
    images : tuple of LabelledImage
        Sorted by name.
    notes : tuple of str
        Plain sentences on what was left aside (masks without image, images without row).
    """

    root: Path
    layout: str
    kind: Kind
    images: tuple[LabelledImage, ...]
    notes: tuple[str, ...] = ()

    @property
    def undamaged(self) -> tuple[LabelledImage, ...]:
        """The undamaged images."""
        return tuple(image for image in self.images if image.label == UNDAMAGED)

    @property
    def damaged(self) -> tuple[LabelledImage, ...]:
        """The damaged images."""
        return tuple(image for image in self.images if image.label == DAMAGED)
