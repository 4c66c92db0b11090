"""Patch distances of held-out photographs, for every combination behind one network at one size.

The network sees each photograph once, and two turned copies of each undamaged one where memories hold such. For each
fold a small memory is selected from the undamaged photographs of the other folds; greedy picks are nested, so a memory
of fewer rows is the beginning of a larger one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anomaly.config import Config
from anomaly.detector.ahead import load_ahead
from anomaly.detector.network_builder import NetworkBuilder
from anomaly.detector.scales import tap_scales
from anomaly.detector.turned import bank_rows, some_turns
from anomaly.embedding.runtime import Device
from anomaly.embedding.whitening import fit_whitening
from anomaly.experiment.pool import Pool
from anomaly.imaging.turning import Turn, even_turns
from anomaly.scoring import fuse_grids, image_score
from anomaly.types import BoolArray, Float32Array, Float64Array, Int64Array
from memory_bank import MemoryBank, select_coreset

_COPIES = 2
"""Turned copies of a photograph; together, photographs cover all angles."""


@dataclass(frozen=True, order=True)
class Memory:
    """A kind of memory: of one tap, whitened or not, at so many angles, so many rows, so many neighbours."""

    tap: str
    whitening: bool
    turns: int
    rows: int
    neighbours: int


@dataclass(frozen=True, eq=False)
class Features:
    """What the network made of each photograph of a pool.

    Attributes
    ----------
    pool : Pool
    grids : dict of str to list of ndarray of float32, (gh, gw, d)
        By tap, one for each photograph.
    turned : dict of (tap, turns) to list of ndarray of float32, (n, d)
        Patches of turned copies, one array for each photograph, empty for the damaged ones.
    """

    pool: Pool
    grids: dict[str, list[Float32Array]]
    turned: dict[tuple[str, int], list[Float32Array]]

    def rows(self, tap: str, turns: int) -> list[Float32Array]:
        """Patches of each photograph that a memory of so many angles is selected from, (n, d)."""
        if turns > 1:
            return self.turned[tap, turns]
        return [grid.reshape(-1, grid.shape[-1]) for grid in self.grids[tap]]


def memories(config: Config) -> tuple[Memory, ...]:
    """Return the memories that a configuration needs, one per tap; its taps are named."""
    return tuple(
        Memory(tap, config.embedding.whitening, config.bank.turns, config.bank.max_rows, config.bank.neighbours)
        for tap in config.embedding.taps
    )


def looks(pool: Pool, turns: Iterable[int]) -> int:
    """How many pictures :func:`extract` makes something of."""
    copies = sum(min(_COPIES, n) for n in set(turns) if n > 1)
    return len(pool.images) + copies * int(np.sum(~pool.damaged))


def extract(
    config: Config,
    pool: Pool,
    *,
    taps: Iterable[str],
    turns: Iterable[int],
    device: Device,
    step: Callable[[], None],
) -> Features:
    """Run the network over the photographs.

    Parameters
    ----------
    config : Config
        Its taps, turns and whitening do not count.
    pool : Pool
    taps : iterable of str
        Those that are wanted.
    turns : iterable of int
        At how many angles memories hold the undamaged photographs. For more than one, each photograph is taken at two
        of the angles, its neighbours at others.
    device : {"auto", "cpu", "cuda"}
    step : callable
        Called after each photograph and each copy; :func:`looks` tells how many.

    Raises
    ------
    ImageError, BackboneError, RuntimeUnavailableError, ConfigError
    """
    embedding = replace(config.embedding, taps=tuple(sorted(set(taps))), whitening=False)
    builder = NetworkBuilder(replace(config, embedding=embedding), device)
    extractor, _ = builder.build()
    names = builder.config.embedding.taps
    grids: dict[str, list[Float32Array]] = {name: [] for name in names}
    angles = {n: even_turns(n) for n in sorted(set(turns)) if n > 1}
    turned: dict[tuple[str, int], list[Float32Array]] = {(name, n): [] for name in names for n in angles}
    for number, pixels in enumerate(load_ahead([image.path for image in pool.images], limits=config.image)):
        _, found = extractor.embed(pixels)
        for name, grid in zip(names, found, strict=True):
            grids[name].append(grid)
        step()
        plain = [grid.reshape(-1, grid.shape[-1]) for grid in found]
        for n, all_angles in angles.items():
            copies = [[rows[:0] for rows in plain]]
            for turn in () if pool.damaged[number] else some_turns(all_angles, number, _COPIES):
                if turn == Turn():
                    copies.append(plain)
                else:
                    of_taps = bank_rows(extractor, pixels, turn, neighbourhood=config.embedding.neighbourhood)
                    copies.append([rows.vectors for rows in of_taps])
                step()
            for name, of_tap in zip(names, zip(*copies, strict=True), strict=True):
                turned[name, n].append(np.concatenate(of_tap))
    return Features(pool, grids, turned)


def held_out(
    features: Features,
    wanted: Sequence[Memory],
    *,
    judged: BoolArray,
    remembered: BoolArray,
    patches: int,
    seed: int,
) -> dict[Memory, dict[int, Float32Array]]:
    """Distances of some photographs to memories of others.

    Parameters
    ----------
    features : Features
    wanted : sequence of Memory
    judged, remembered : ndarray of bool, (n,)
        Of the pool; no photograph is both, and none that is remembered is damaged.
    patches : int
        At most so many patches of each tap go into the selection, an even random share of every photograph.
    seed : int

    Returns
    -------
    dict of Memory to dict of int to ndarray of float32, (gh, gw)
        By number of the photograph.
    """
    assert not np.any(judged & remembered)
    assert not np.any(remembered & features.pool.damaged)
    found: dict[Memory, dict[int, Float32Array]] = {memory: {} for memory in wanted}
    for kind in sorted({(memory.tap, memory.whitening, memory.turns) for memory in wanted}):
        of_kind = [memory for memory in wanted if (memory.tap, memory.whitening, memory.turns) == kind]
        tap, whitened, turns = kind
        rows = [rows for rows, held in zip(features.rows(tap, turns), remembered, strict=True) if held]
        _search(features.grids[tap], rows, whitened, of_kind, judged, patches, seed, found)
    return found


def _search(
    grids: Sequence[Float32Array],
    remembered: Sequence[Float32Array],
    whitened: bool,
    wanted: Sequence[Memory],
    judged: BoolArray,
    patches: int,
    seed: int,
    found: dict[Memory, dict[int, Float32Array]],
) -> None:
    """Fill in the distances of one tap, whitened or not, to a memory of the patches of remembered photographs."""
    rows = _sample(remembered, patches, seed)
    whitening = fit_whitening(rows) if whitened else None
    rows = rows if whitening is None else whitening.apply(rows)
    most = min(len(rows), max(memory.rows for memory in wanted))
    picks = select_coreset(rows, most, seed=seed).index
    for size in sorted({min(most, memory.rows) for memory in wanted}):
        of_size = [memory for memory in wanted if min(most, memory.rows) == size]
        k = min(size, max(memory.neighbours for memory in of_size))
        zero = np.zeros((size, 1), dtype=np.int64)
        bank = MemoryBank(np.ascontiguousarray(rows[picks[:size]]), 0, zero)
        for number in np.flatnonzero(judged):
            gh, gw, d = grids[int(number)].shape
            queries = np.ascontiguousarray(grids[int(number)].reshape(gh * gw, d))
            queries = queries if whitening is None else whitening.apply(queries)
            distance = bank.search(queries, k=k).distance
            for memory in of_size:
                mean = distance[:, : memory.neighbours].mean(axis=1, dtype=np.float32)
                found[memory][int(number)] = mean.reshape(gh, gw)


def _sample(photographs: Sequence[Float32Array], patches: int, seed: int) -> Float32Array:
    rng = np.random.default_rng(seed)
    share = max(1, patches // max(1, len(photographs)))
    columns = []
    for rows in photographs:
        columns.append(rows[np.sort(rng.permutation(len(rows))[:share])])
    return np.ascontiguousarray(np.concatenate(columns))


def score_fold(
    distances: dict[Memory, dict[int, Float32Array]],
    config: Config,
    *,
    numbers: Int64Array,
    undamaged: BoolArray,
    scale_share: float,
) -> Float64Array:
    """Image scores of the photographs of one fold.

    The scale of each tap comes from the undamaged photographs of the same fold, as in the quick comparison of training.

    Parameters
    ----------
    distances : dict
        As :func:`held_out` returns them.
    config : Config
        Its taps are named.
    numbers : ndarray of int64, (n,)
        Photographs.
    undamaged : ndarray of bool, (n,)
        Which of them are; at least two.
    scale_share : float
        Top share of the scores that the scales come from; the same for all trials.

    Returns
    -------
    ndarray of float64, (n,)
    """
    per_tap = [distances[memory] for memory in memories(config)]
    good = [int(number) for number in numbers[undamaged]]
    scales = tap_scales(np.array([[image_score(d[i], top_share=scale_share) for d in per_tap] for i in good]))
    scores = []
    for number in numbers:
        grids = [d[int(number)] for d in per_tap]
        fused = fuse_grids(grids, scales=scales, smoothing=config.scoring.smoothing)
        scores.append(image_score(fused, top_share=config.scoring.top_share))
    return np.array(scores, dtype=np.float64)
