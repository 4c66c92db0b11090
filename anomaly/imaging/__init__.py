"""Image files in and out, geometry, capture quality, heatmaps; NumPy and Pillow only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from anomaly.imaging.decode import (
    check_image,
    content_hash,
    image_size,
    load_image,
    pixel_hash,
)
from anomaly.imaging.encode import write_image
from anomaly.imaging.geometry import Geometry, View
from anomaly.imaging.listing import IMAGE_SUFFIXES, find_images
from anomaly.imaging.names import printable_name
from anomaly.imaging.quality import measure_quality

if TYPE_CHECKING:
    from anomaly.imaging.heatmap import BankPicture, render_heatmap
    from anomaly.imaging.part_fitting import fit_part_finder
    from anomaly.imaging.parts import FoundParts, Part, PartFinder

__all__ = [
    "IMAGE_SUFFIXES",
    "BankPicture",
    "FoundParts",
    "Geometry",
    "Part",
    "PartFinder",
    "View",
    "check_image",
    "content_hash",
    "find_images",
    "fit_part_finder",
    "image_size",
    "load_image",
    "measure_quality",
    "pixel_hash",
    "printable_name",
    "render_heatmap",
    "write_image",
]


# What most predictions do without is loaded when it is first used.
_LATE = {
    "BankPicture": "heatmap",
    "FoundParts": "parts",
    "Part": "parts",
    "PartFinder": "parts",
    "fit_part_finder": "part_fitting",
    "render_heatmap": "heatmap",
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module(f"anomaly.imaging.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
