"""Patch distances to anomaly map, image score and regions; NumPy and Pillow only."""

from anomaly.scoring.anomaly_map import fuse_grids, image_score, to_pixels
from anomaly.scoring.parts import part_scores
from anomaly.scoring.proven_map import ProvenMaps
from anomaly.scoring.regions import find_regions

__all__ = [
    "ProvenMaps",
    "find_regions",
    "fuse_grids",
    "image_score",
    "part_scores",
    "to_pixels",
]
