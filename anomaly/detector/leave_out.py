"""Bank images that the labelled validation images speak against: training goes on without them.

A mislabelled image in the memory bank makes damage like its own look ordinary. Left out, damaged validation images with
such damage score higher and undamaged ones do not. A rare good part, left out, makes undamaged images like it score
higher. So what decides is not how strange an image looks, but how well the labels of the validation images are told
apart without it (``docs/decisions/0019-suspects.md``). One image is left out at a time, as long as the loss of
:func:`anomaly.detector.selection.label_losses` falls by more than `MARGIN` standard errors, image by image, and by
`LEAST_GAIN`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from anomaly.dataset import LabelledImage
from anomaly.detector.detector import Detector
from anomaly.detector.progress import Progress, silent
from anomaly.detector.sampling import evenly
from anomaly.detector.selection import LEAST_IMAGES, MOST_IMAGES, label_losses
from anomaly.imaging.decode import load_image
from anomaly.scoring import fuse_grids, image_score
from anomaly.types import DAMAGED, BoolArray, Float32Array, Float64Array, Int64Array

MARGIN = 1.0
LEAST_GAIN = 0.005
"""In nats: labels that are told apart without an error can always be told apart a little better."""
MOST_SHARE = 0.2
"""Of the bank images, left out at most."""
_MOST_CANDIDATES = 40
_CANDIDATE_SHARE = 1 / 3
_NEIGHBOURS = 16
"""Nearest rows looked at for each patch; where all of them were left out, the farthest counts: the score is too low."""


def choose_to_leave_out(
    detector: Detector,
    own_scores: Float64Array,
    validation: Sequence[LabelledImage],
    *,
    progress: Progress = silent,
) -> tuple[int, ...]:
    """Return the places of the bank images without which the validation images are told apart better.

    Parameters
    ----------
    detector : Detector
    own_scores : ndarray of float64, (n,)
        Of each bank image against the bank without itself; only the strangest third is considered.
    validation : sequence of LabelledImage
        At most `MOST_IMAGES` of either label are looked at, evenly spaced; with fewer than `LEAST_IMAGES` of either
        nothing is left out.
    progress : Progress
        Told about the stage ``looking for mislabelled images``.

    Raises
    ------
    ImageError
    """
    chosen = [_few([i for i in validation if (i.label == DAMAGED) == damaged]) for damaged in (False, True)]
    if min(map(len, chosen)) < LEAST_IMAGES:
        return ()
    images = [*chosen[0], *chosen[1]]
    truth = np.array([image.label == DAMAGED for image in images])
    seen = []
    for done, image in enumerate(images, start=1):
        seen.append(_look(detector, image))
        progress("looking for mislabelled images", done, len(images))
    order = np.argsort(-np.nan_to_num(own_scores, nan=-np.inf), kind="stable")
    candidates = [int(i) for i in order[: min(_MOST_CANDIDATES, int(len(order) * _CANDIDATE_SHARE))]]
    most = int(MOST_SHARE * len(own_scores))
    return _greedy(detector, seen, truth, candidates, most)


def _greedy(
    detector: Detector, seen: Sequence[_Seen], truth: BoolArray, candidates: Sequence[int], most: int
) -> tuple[int, ...]:
    """Leave out one image after the other, always the one whose absence helps most."""

    def scores(out: Collection[int]) -> list[float]:
        return [_score(detector, of_image, out) for of_image in seen]

    left_out: list[int] = []
    losses = label_losses(np.array([scores(())]), truth, seed=detector.config.seed)[0]
    while len(left_out) < most:
        rest = [number for number in candidates if number not in left_out]
        if not rest:
            break
        tried = label_losses(np.array([scores([*left_out, n]) for n in rest]), truth, seed=detector.config.seed)
        best = int(tried.mean(axis=1).argmin())
        gain = losses - tried[best]
        if not gain.mean() > max(LEAST_GAIN, MARGIN * gain.std(ddof=1) / np.sqrt(len(gain))):
            break
        left_out.append(rest[best])
        losses = tried[best]
    return tuple(sorted(left_out))


@dataclass(frozen=True, eq=False)
class _Seen:
    """The nearest rows of each patch of one image, tap by tap: distances and bank images, (gh, gw, k) each."""

    distance: tuple[Float32Array, ...]
    group: tuple[Int64Array, ...]


def _look(detector: Detector, image: LabelledImage) -> _Seen:
    _, grids = detector.extractor.embed(load_image(image.path, limits=detector.config.image))
    distances, groups = [], []
    for grid, bank in zip(grids, detector.banks, strict=True):
        gh, gw, d = grid.shape
        k = min(len(bank), _NEIGHBOURS * detector.config.bank.neighbours)
        found = bank.search(np.ascontiguousarray(grid.reshape(gh * gw, d)), k=k)
        distances.append(found.distance.reshape(gh, gw, k))
        groups.append(bank.groups[found.index].reshape(gh, gw, k))
    return _Seen(tuple(distances), tuple(groups))


def _score(detector: Detector, seen: _Seen, left_out: Collection[int]) -> float:
    """Image score by the rows of the other images; where all rows seen are left out, by the farthest of them."""
    neighbours = detector.config.bank.neighbours
    grids = []
    for distance, group in zip(seen.distance, seen.group, strict=True):
        kept = ~np.isin(group, list(left_out))
        counted = kept & (np.cumsum(kept, axis=-1) <= neighbours)
        n = counted.sum(axis=-1)
        mean = (distance * counted).sum(axis=-1) / np.maximum(n, 1)
        grids.append(np.where(n > 0, mean, distance[..., -1]).astype(np.float32))
    fused = fuse_grids(grids, scales=detector.scales, smoothing=detector.config.scoring.smoothing)
    return image_score(fused, top_share=detector.config.scoring.top_share)


def _few(images: Sequence[LabelledImage]) -> list[LabelledImage]:
    return [images[i] for i in evenly(len(images), MOST_IMAGES)]
