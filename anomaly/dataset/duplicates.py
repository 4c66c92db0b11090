"""Copies in a dataset: the same picture twice, or practically the same photograph."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from anomaly.config import ImageConfig
from anomaly.dataset.fingerprint import Comparison, thumbnail
from anomaly.dataset.records import LabelledImage
from anomaly.dataset.wording import counted, listed
from anomaly.errors import ImageError, LabelConflictError
from anomaly.imaging.decode import load_known, pixel_hash
from anomaly.types import UInt8Array

_BLOCK = 256


@dataclass(frozen=True)
class DuplicateCluster:
    """Images that are one picture.

    Attributes
    ----------
    names : tuple of str
        At least two, in the order of the dataset.
    kind : {"exact", "near"}
        Exact: equal bytes or equal pixels. Near: practically the same photograph (saved again, resized, slightly
        brighter, or a burst); of exact copies only the first is named.
    labels : frozenset of str
        Both labels where a near-duplicate is damaged and its twin is not, which may be right: a scratch is small.
    """

    names: tuple[str, ...]
    kind: Literal["exact", "near"]
    labels: frozenset[str]


@dataclass(frozen=True)
class DuplicateReport:
    """What looking at every image once brought to light.

    Attributes
    ----------
    clusters : tuple of DuplicateCluster
        Exact ones first.
    sha256 : mapping of str to str
        Name to the hash of the file's bytes, for every image that could be read.
    unreadable : mapping of str to str
        Name to the reason, for the others.
    """

    clusters: tuple[DuplicateCluster, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def exact(self) -> tuple[DuplicateCluster, ...]:
        """Clusters of exact copies."""
        return tuple(cluster for cluster in self.clusters if cluster.kind == "exact")

    @property
    def near(self) -> tuple[DuplicateCluster, ...]:
        """Clusters of near-duplicates."""
        return tuple(cluster for cluster in self.clusters if cluster.kind == "near")

    @property
    def notices(self) -> tuple[str, ...]:
        """Plain sentences about the near-duplicates."""
        result: list[str] = []
        if self.near:
            n = sum(len(cluster.names) for cluster in self.near)
            result.append(
                f"{counted(n, 'image')} in {counted(len(self.near), 'set')} of near-duplicates, for example "
                f"{listed(self.near[0].names)}; each set stays in one split."
            )
        mixed = [cluster for cluster in self.near if len(cluster.labels) > 1]
        if mixed:
            result.append(
                f"{counted(len(mixed), 'set')} of near-duplicates with both labels, for example "
                f"{listed(mixed[0].names)}: please check that the difference is the damage."
            )
        return tuple(result)


class Unions:
    """Disjoint sets that grow together (union-find with path halving)."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def find(self, item: Hashable) -> Hashable:
        """Return the representative of the set that holds ``item``."""
        parent = self._parent
        parent.setdefault(item, item)
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def join(self, items: Iterable[Hashable]) -> None:
        """Make one set of those that hold ``items``."""
        roots = [self.find(item) for item in items]
        for root in roots[1:]:
            self._parent[self.find(root)] = self.find(roots[0])


@dataclass(frozen=True)
class _Look:
    """What is kept of one image; ``reason`` is set when it could not be read."""

    sha256: str = ""
    pixels: str = ""
    thumbnail: UInt8Array | None = None
    reason: str = ""


def find_duplicates(
    images: Sequence[LabelledImage],
    *,
    limits: ImageConfig | None = None,
    near: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> DuplicateReport:
    """Read every image once; find exact copies and near-duplicates.

    Time grows with the square of the number of images for the coarse stage only (a matrix product: seconds for
    10,000 images); see :mod:`anomaly.dataset.fingerprint` for what counts as near and how that was chosen.

    Parameters
    ----------
    images : sequence of LabelledImage
        With distinct names.
    limits : ImageConfig, optional
        As for :func:`~anomaly.imaging.decode.load_image`.
    near : bool
        Whether to look for near-duplicates at all.
    progress : callable, optional
        Called with (images read, images in all) after each image, in this thread.

    Returns
    -------
    DuplicateReport
        An image that cannot be read is listed there and stops nothing.

    Raises
    ------
    LabelConflictError
        Exact copies carry both labels; ``paths`` names all of them. (Near-duplicates may.)
    """
    looks: list[_Look] = []
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for look in pool.map(lambda image: _look(image, limits), images):
            looks.append(look)
            if progress is not None:
                progress(len(looks), len(images))
    readable = [index for index, look in enumerate(looks) if not look.reason]
    exact = _exact_clusters(looks, readable)
    _check_labels(images, exact)
    copies = {index for cluster in exact for index in cluster[1:]}
    distinct = [index for index in readable if index not in copies]
    close = _near_clusters(looks, distinct) if near else []
    return DuplicateReport(
        clusters=(
            *(_cluster(images, cluster, "exact") for cluster in exact),
            *(_cluster(images, cluster, "near") for cluster in close),
        ),
        sha256={images[index].name: looks[index].sha256 for index in readable},
        unreadable={image.name: look.reason for image, look in zip(images, looks, strict=True) if look.reason},
    )


def _look(image: LabelledImage, limits: ImageConfig | None) -> _Look:
    try:
        pixels, sha256 = load_known(image.path, limits=limits)
        return _Look(sha256, pixel_hash(pixels), thumbnail(pixels))
    except ImageError as error:
        return _Look(reason=str(error))


def _cluster(
    images: Sequence[LabelledImage], indices: Sequence[int], kind: Literal["exact", "near"]
) -> DuplicateCluster:
    members = [images[index] for index in indices]
    labels: frozenset[str] = frozenset(image.label for image in members)
    return DuplicateCluster(tuple(image.name for image in members), kind, labels)


def _gather(unions: Unions, indices: Sequence[int]) -> list[list[int]]:
    """Return the sets of two or more, in the order of their first members."""
    sets: dict[Hashable, list[int]] = defaultdict(list)
    for index in indices:
        sets[unions.find(index)].append(index)
    return [members for members in sets.values() if len(members) > 1]


def _exact_clusters(looks: Sequence[_Look], readable: Sequence[int]) -> list[list[int]]:
    unions = Unions()
    for index in readable:
        # Pixels and bytes: equal bytes give equal pixels, but not the other way round.
        unions.join([index, ("pixels", looks[index].pixels)])
    return _gather(unions, readable)


def _check_labels(images: Sequence[LabelledImage], clusters: Sequence[Sequence[int]]) -> None:
    conflicts = [cluster for cluster in clusters if len({images[index].label for index in cluster}) > 1]
    if conflicts:
        named = [f"{images[index].name} ({images[index].label})" for index in conflicts[0]]
        others = f" (and {counted(len(conflicts) - 1, 'other picture')})" if len(conflicts) > 1 else ""
        raise LabelConflictError(
            f"the same picture carries both labels: {listed(named)}{others}; keep the copies that are labelled rightly",
            paths=[images[index].name for cluster in conflicts for index in cluster],
        )


def _near_clusters(looks: Sequence[_Look], indices: Sequence[int]) -> list[list[int]]:
    thumbnails = [picture for index in indices if (picture := looks[index].thumbnail) is not None]
    if len(thumbnails) < 2:
        return []
    comparison = Comparison(np.stack(thumbnails))
    unions = Unions()
    for start in range(0, len(indices), _BLOCK):
        for row, column in comparison.candidates(start, min(start + _BLOCK, len(indices))):
            first, second = indices[row], indices[column]
            # Sets are the same whatever the order, so what is already joined need not be compared.
            if unions.find(first) != unions.find(second) and comparison.same(int(row), int(column)):
                unions.join([first, second])
    return _gather(unions, indices)
