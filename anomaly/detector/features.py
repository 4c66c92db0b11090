"""Image in, patch distances out: geometry, embedding and memory banks behind one small class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomaly.embedding.runtime import Runtime
from anomaly.imaging.decode import check_image
from anomaly.imaging.geometry import Geometry, View
from anomaly.types import BoolArray, Float32Array, Int64Array, UInt8Array
from memory_bank import Answer, MemoryBank, Proposal


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


class TapSearch:
    """Distances of the patches of one tap, found at once and proven where it matters.

    Parameters
    ----------
    proposal : memory_bank.Proposal
        Of the patches, row by row.
    shape : tuple of int
        Grid (gh, gw).
    """

    def __init__(self, proposal: Proposal, shape: tuple[int, int]) -> None:
        self._proposal, self._shape = proposal, shape

    @property
    def distance(self) -> Float32Array:
        """Mean distance to the k nearest neighbours as far as they are known, (gh, gw); never too small."""
        distance: Float32Array = self._proposal.neighbors.distance.mean(axis=1, dtype=np.float32)
        return distance.reshape(self._shape)

    @property
    def nearest(self) -> Int64Array:
        """Row of the nearest neighbour known, (gh, gw)."""
        return self._proposal.neighbors.index[:, 0].reshape(self._shape)

    @property
    def proven(self) -> BoolArray:
        """Where both are those of an exact search, (gh, gw)."""
        return self._proposal.proven.reshape(self._shape)

    def prove(self, which: BoolArray) -> None:
        """Make them so for the marked patches, (gh, gw)."""
        self._proposal.prove(which.ravel())


@dataclass(frozen=True, eq=False)
class PatchSearch:
    """A search for the patches of one image that goes on as far as somebody needs it.

    Attributes
    ----------
    view : View
    taps : tuple of TapSearch
    means : tuple of ndarray of float32, (d,)
        Mean patch embedding of each tap.
    """

    view: View
    taps: tuple[TapSearch, ...]
    means: tuple[Float32Array, ...]

    def found(self) -> PatchDistances:
        """Return what is known now."""
        return PatchDistances(
            self.view, tuple(tap.distance for tap in self.taps), tuple(tap.nearest for tap in self.taps), self.means
        )


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

        Raises
        ------
        ImageError
            It is another array, or none.
        """
        check_image(image)
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
        banks, neighbours, exclude_group
            See :func:`look_up`.

        Returns
        -------
        PatchDistances
        """
        view, grids = self.embed(image)
        return look_up(view, grids, banks, neighbours=neighbours, exclude_group=exclude_group, prove=True).found()


def look_up(
    view: View,
    grids: Sequence[Float32Array],
    banks: Sequence[MemoryBank],
    *,
    neighbours: int,
    exclude_group: int | None = None,
    prove: bool = False,
) -> PatchSearch:
    """Look for the nearest neighbours of every patch of an embedded image in each tap's bank.

    Parameters
    ----------
    view : View
    grids : sequence of ndarray of float32, (gh, gw, d)
        Patch embeddings, one grid per tap; both as :meth:`Extractor.embed` returns them.
    banks : sequence of MemoryBank
        One per tap.
    neighbours : int
        Number k of neighbours whose mean distance counts.
    exclude_group : int, optional
        Number of a bank image whose own rows do not count.
    prove : bool
        Prove every distance at once; otherwise hardly any is.

    Returns
    -------
    PatchSearch
    """
    taps = []
    for grid, bank in zip(grids, banks, strict=True):
        gh, gw, d = grid.shape
        patches = grid.reshape(gh * gw, d)
        if prove:
            found: Proposal = Answer(bank.search(patches, k=neighbours, exclude_group=exclude_group))
        else:
            found = bank.propose(patches, k=neighbours, exclude_group=exclude_group)
        taps.append(TapSearch(found, (gh, gw)))
    return PatchSearch(view, tuple(taps), mean_embeddings(grids))


def mean_embeddings(grids: Sequence[Float32Array]) -> tuple[Float32Array, ...]:
    """Mean patch embedding, (d,), of each grid (gh, gw, d)."""
    return tuple(grid.mean(axis=(0, 1), dtype=np.float64).astype(np.float32) for grid in grids)


def part_type_of(nearest: Sequence[Int64Array], banks: Sequence[MemoryBank], images: Sequence[BankImage]) -> str:
    """Part type of the bank images that most patches are nearest to.

    Parameters
    ----------
    nearest : sequence of ndarray of int64
        Rows of the bank, one array per tap.
    banks : sequence of MemoryBank
        One per tap.
    images : sequence of BankImage
    """
    if len({image.part_type for image in images}) < 2:
        return images[0].part_type
    votes: Counter[str] = Counter()
    for bank, rows in zip(banks, nearest, strict=True):
        groups, patches = np.unique(bank.groups[rows.ravel()], return_counts=True)
        for group, n in zip(groups.tolist(), patches.tolist(), strict=True):
            votes[images[group].part_type] += n
    return max(votes, key=votes.__getitem__)


def patch_tags(view: View, grid_shape: tuple[int, int]) -> Int64Array:
    """Centre (x, y) of each patch in original pixels, row by row: the tags of its row in the memory bank.

    Returns
    -------
    ndarray of int64, (gh * gw, 2)
    """
    return np.round(view.patch_centres(grid_shape)).astype(np.int64)
