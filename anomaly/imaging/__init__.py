"""Image files in and out, geometry, capture quality, heatmaps; NumPy and Pillow only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anomaly.imaging.decode import (
    IMAGE_SUFFIXES,
    check_image,
    content_hash,
    find_images,
    image_size,
    load_image,
    pixel_hash,
)
from anomaly.imaging.encode import write_image
from anomaly.imaging.geometry import Geometry, View
from anomaly.imaging.names import printable_name
from anomaly.imaging.quality import measure_quality

if TYPE_CHECKING:
    from anomaly.imaging.heatmap import BankPicture, render_heatmap

__all__ = [
    "IMAGE_SUFFIXES",
    "BankPicture",
    "Geometry",
    "View",
    "check_image",
    "content_hash",
    "find_images",
    "image_size",
    "load_image",
    "measure_quality",
    "pixel_hash",
    "printable_name",
    "render_heatmap",
    "write_image",
]


def __getattr__(name: str) -> Any:
    # The drawing modules are needed for heatmaps alone; a prediction starts without them.
    if name in ("BankPicture", "render_heatmap"):
        from anomaly.imaging import heatmap

        return getattr(heatmap, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
