"""Image in, patch distances out: geometry, embedding and memory banks behind one small class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomaly.embedding.runtime import Runtime
from anomaly.imaging.geometry import Geometry, View
from anomaly.types import Float32Array, Int64Array, UInt8Array
from memory_bank import MemoryBank


@dataclass(frozen=True)
class BankImage:
    """An undamaged image whose patches are in the memory bank.

    Attributes
    ----------
    name : str
        As recorded in ``splits.csv``; its place in the list of bank images is the ``group`` of its rows.
    sha256 : str
        Of the file's content.
    width, height : int
        Original pixels.
    part_type : str
        What parts it shows; empty where the data do not say.
    """

    name: str
    sha256: str
    width: int
    height: int
    part_type: str = ""


@dataclass(frozen=True, eq=False)
class PatchDistances:
    """Distance of every patch of one image to the undamaged patches, tap by tap.

    Attributes
    ----------
    view : View
        Where in the image the grids lie.
    distance : tuple of ndarray of float32, (gh, gw)
        Mean Euclidean distance to the k nearest neighbours; one grid per tap.
    nearest : tuple of ndarray of int64, (gh, gw)
        Row of the nearest neighbour in that tap's bank.
    means : tuple of ndarray of float32, (d,)
        Mean patch embedding of each tap.
    """

    view: View
    distance: tuple[Float32Array, ...]
    nearest: tuple[Int64Array, ...]
    means: tuple[Float32Array, ...]


@dataclass(frozen=True)
class Extractor:
    """Geometry and embedding network together: an image to one grid of patch embeddings per tap."""

    geometry: Geometry
    runtime: Runtime

    def embed(self, image: UInt8Array) -> tuple[View, tuple[Float32Array, ...]]:
        """Embed one image.

        Parameters
        ----------
        image : ndarray of uint8, (H, W, 3)

        Returns
        -------
        View
            The part of the image that the grids cover.
        tuple of ndarray of float32, (gh, gw, d)
            One per tap.
        """
        (view,) = self.geometry.plan(image.shape[0], image.shape[1])
        grids = self.runtime.embed(view.read(image)[None])
        return view, tuple(grid[0] for grid in grids)

    def distances(
        self,
        image: UInt8Array,
        banks: Sequence[MemoryBank],
        *,
        neighbours: int,
        exclude_group: int | None = None,
    ) -> PatchDistances:
        """Distance of every patch of an image to its nearest neighbours in each tap's bank.

        Parameters
        ----------
        image : ndarray of uint8, (H, W, 3)
        banks : sequence of MemoryBank
            One per tap.
        neighbours : int
            Number k of neighbours whose mean distance counts.
        exclude_group : int, optional
            Number of a bank image whose own rows do not count.

        Returns
        -------
        PatchDistances
        """
        view, grids = self.embed(image)
        distance, nearest = [], []
        for grid, bank in zip(grids, banks, strict=True):
            gh, gw, d = grid.shape
            found = bank.search(grid.reshape(gh * gw, d), k=neighbours, exclude_group=exclude_group)
            distance.append(found.distance.mean(axis=1, dtype=np.float32).reshape(gh, gw))
            nearest.append(found.index[:, 0].reshape(gh, gw))
        means = tuple(grid.mean(axis=(0, 1), dtype=np.float64).astype(np.float32) for grid in grids)
        return PatchDistances(view, tuple(distance), tuple(nearest), means)


def patch_tags(view: View, grid_shape: tuple[int, int]) -> Int64Array:
    """Centre (x, y) of each patch in original pixels, row by row: the tags of its row in the memory bank.

    Returns
    -------
    ndarray of int64, (gh * gw, 2)
    """
    return np.round(view.patch_centres(grid_shape)).astype(np.int64)
