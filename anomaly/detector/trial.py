"""Scores of validation images under many settings, from one pass of each network at each size.

A trial is a small PatchCore: fewer bank images, fewer rows, and the scale of a tap is taken from the undamaged
validation images. Settings are compared with each other here, never judged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anomaly.config import Config
from anomaly.detector.ahead import load_ahead
from anomaly.detector.beside import one_ahead
from anomaly.detector.candidates import Candidate, Network
from anomaly.detector.features import Extractor
from anomaly.detector.network_builder import NetworkBuilder
from anomaly.detector.sampling import evenly
from anomaly.detector.scales import tap_scales
from anomaly.detector.turned import bank_rows, bank_turns, some_turns
from anomaly.embedding.runtime import Device
from anomaly.embedding.whitening import Whitening, fit_whitening
from anomaly.scoring import fuse_grids, image_score
from anomaly.types import BoolArray, Float32Array, Float64Array
from memory_bank import CoresetBuilder, MemoryBank

BANK_IMAGES = 40
"""Bank images of a trial, evenly spaced."""
_TRIAL_COPIES = 120
"""Turned copies of all of them; each image is taken at some of the angles, its neighbours at others."""
_TRIAL_ROWS = 3000
_PATCHES = 100_000
"""Patches of one tap that the coreset of a trial is selected from, an even random share of every image."""
_MEMORY_MB = 600

Key = tuple[bool, str]
"""Whitened or not, and the tap."""


@dataclass(frozen=True, eq=False)
class SizeTrial:
    """Patch distances of every validation image with one backbone at one size.

    Attributes
    ----------
    distances : mapping of (whitening, tap) to list of ndarray of float32, (gh, gw)
        One grid for each image.
    undamaged : ndarray of bool, (n,)
    """

    distances: Mapping[Key, Sequence[Float32Array]]
    undamaged: BoolArray

    def scores(self, candidates: Sequence[Candidate], *, scale_share: float) -> Float64Array:
        """Image scores of every image under candidates of this backbone and size, (candidates, n).

        The scale of each tap comes from image scores with ``scale_share`` as top share, the same for all.
        """
        scores = np.empty((len(candidates), len(self.undamaged)))
        fusions: dict[tuple[bool, tuple[str, ...]], list[int]] = {}
        for number, candidate in enumerate(candidates):
            fusions.setdefault((candidate.whitening, candidate.taps), []).append(number)
        for (whitening, taps), numbers in fusions.items():
            per_tap = [self.distances[whitening, tap] for tap in taps]
            scales = self._scales(per_tap, scale_share)
            for image, grids in enumerate(zip(*per_tap, strict=True)):
                for smoothing in {candidates[number].smoothing for number in numbers}:
                    fused = fuse_grids(grids, scales=scales, smoothing=smoothing)
                    for number in numbers:
                        if candidates[number].smoothing == smoothing:
                            scores[number, image] = image_score(fused, top_share=candidates[number].top_share)
        return scores

    def _scales(self, per_tap: Sequence[Sequence[Float32Array]], share: float) -> tuple[float, ...]:
        good = np.flatnonzero(self.undamaged)
        return tap_scales(np.array([[image_score(grids[int(i)], top_share=share) for grids in per_tap] for i in good]))


def run_trials(
    config: Config,
    candidates: Sequence[Candidate],
    *,
    bank: Sequence[Path],
    judged: Sequence[Path],
    undamaged: BoolArray,
    device: Device,
    step: Callable[[], None],
) -> Iterator[tuple[Network, SizeTrial]]:
    """Yield each backbone and size of the candidates with its trial.

    Parameters
    ----------
    config : Config
    candidates : sequence of Candidate
    bank : sequence of Path
        Undamaged images; at most ``BANK_IMAGES`` of them are used.
    judged : sequence of Path
        Validation images.
    undamaged : ndarray of bool, (n,)
        Which of them are; at least two.
    device : {"auto", "cpu", "cuda"}
    step : callable
        Called once for every image that was embedded.
    """
    learnt = [bank[i] for i in evenly(len(bank), BANK_IMAGES)]
    for network in sorted({candidate.network for candidate in candidates}):
        keys = sorted({(c.whitening, tap) for c in candidates if c.network == network for tap in c.taps})
        own, extractor, taps = _network(config, network, {tap for _, tap in keys}, device)
        banks = _fit(extractor, taps, keys, learnt, own, step)
        yield network, SizeTrial(_judge(banks, _embedded(extractor, taps, judged, own, step), own), undamaged)


def _network(
    config: Config, network: Network, taps: Collection[str], device: Device
) -> tuple[Config, Extractor, tuple[str, ...]]:
    """Return the settings of a trial with this network, not whitened, what embeds, and its taps in their order."""
    name, size = network
    embedding = replace(config.embedding, backbone=name, taps=tuple(sorted(taps)), whitening=False)
    own = replace(config, geometry=replace(config.geometry, size=size), embedding=embedding)
    builder = NetworkBuilder(own, device)
    extractor, _ = builder.build()
    return own, extractor, builder.config.embedding.taps


@dataclass(frozen=True, eq=False)
class _TrialBank:
    tap: str
    whitening: Whitening | None
    bank: MemoryBank

    def distances(self, grid: Float32Array, *, neighbours: int) -> Float32Array:
        gh, gw, d = grid.shape
        rows = np.ascontiguousarray(grid.reshape(gh * gw, d))
        rows = rows if self.whitening is None else self.whitening.apply(rows)
        k = min(neighbours, len(self.bank))
        distance: Float32Array = self.bank.search(rows, k=k).distance.mean(axis=1, dtype=np.float32)
        return distance.reshape(gh, gw)


def _fit(
    extractor: Extractor,
    taps: Sequence[str],
    keys: Sequence[Key],
    paths: Sequence[Path],
    config: Config,
    step: Callable[[], None],
) -> dict[Key, _TrialBank]:
    """Embed the bank images once and select a small coreset for each tap, whitened and not."""
    rng = np.random.default_rng(config.seed)
    columns: dict[str, list[Float32Array]] = {tap: [] for tap in taps}
    copies = max(1, _TRIAL_COPIES // len(paths))
    turns, window = bank_turns(config), config.embedding.neighbourhood
    share = max(1, _PATCHES // (len(paths) * min(copies, len(turns))))
    for number, image in enumerate(load_ahead(paths, limits=config.image)):
        for turn in some_turns(turns, number, copies):
            for tap, found in zip(taps, bank_rows(extractor, image, turn, neighbourhood=window), strict=True):
                chosen = np.sort(rng.permutation(len(found.vectors))[:share])
                columns[tap].append(np.ascontiguousarray(found.vectors[chosen]))
        step()
    banks = {}
    for whitened, tap in keys:
        whitening = fit_whitening(np.concatenate(columns[tap])) if whitened else None
        coreset = CoresetBuilder(_TRIAL_ROWS, seed=config.seed, memory_mb=_MEMORY_MB)
        for number, rows in enumerate(columns[tap]):
            coreset.add(
                rows if whitening is None else whitening.apply(rows), number, np.zeros((len(rows), 1), dtype=np.int64)
            )
        banks[whitened, tap] = _TrialBank(tap, whitening, coreset.build())
    return banks


def _embedded(
    extractor: Extractor, taps: Sequence[str], paths: Iterable[Path], config: Config, step: Callable[[], None]
) -> Iterator[dict[str, Float32Array]]:
    """Yield the patch embeddings of each image, by tap."""
    for image in load_ahead(paths, limits=config.image):
        _, grids = extractor.embed(image)
        step()
        yield dict(zip(taps, grids, strict=True))


def _judge(
    banks: Mapping[Key, _TrialBank], images: Iterable[Mapping[str, Float32Array]], config: Config
) -> dict[Key, list[Float32Array]]:
    """Patch distances of all images under every small bank."""
    found: dict[Key, list[Float32Array]] = {key: [] for key in banks}
    for grids in one_ahead(images):
        for key, bank in banks.items():
            found[key].append(bank.distances(grids[bank.tap], neighbours=config.bank.neighbours))
    return found
