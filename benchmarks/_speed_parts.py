"""The parts of ``speed.py`` in processes of their own: ``python -m benchmarks._speed_parts PART JOB RESULT``.

Whoever measures processes must stay small, and a library that one part loads must not slow another.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from anomaly.cluster import Order, judge_in_processes, worthwhile
from anomaly.config import Config, replace_setting
from anomaly.detector import Detector, save_detector
from anomaly.imaging.decode import load_image
from anomaly.types import Float32Array
from benchmarks._sets import evenly
from benchmarks._timing import in_turn, seconds, summary
from memory_bank import MemoryBank, select_coreset


def stages(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One warm prediction at each size, against decoding and the network alone."""
    found = []
    for side in job["sides"]:
        with tempfile.TemporaryDirectory() as folder:
            paths = _resized(job["images"], side, Path(folder))
            detector = detector_with_rows(paths, side, rows=job["rows"])
            banks = {"rows": [len(bank) for bank in detector.banks], "index": [bank.index for bank in detector.banks]}
            found.append({"side": side} | banks | _stages(detector, paths))
    return found


def folder(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Throughput of a folder, by processes (their start included) against one image after the other."""
    found = []
    for side in job["sides"]:
        with tempfile.TemporaryDirectory() as name:
            few = _resized(job["images"], side, Path(name))
            detector = detector_with_rows(few, side, rows=job["rows"])
            model = Path(name) / "model"
            save_detector(detector, model)
            paths = [_link(few[i % len(few)], Path(name) / f"copy{i}.jpg") for i in range(job["count"])]
            sides: dict[str, Callable[[], object]] = {
                "one at a time": lambda d=detector, p=paths: [d.predict(path) for path in p],  # type: ignore[misc]
                "several": lambda m=model, p=paths: _by_processes(m, p),  # type: ignore[misc]
            }
            rounds = in_turn(sides, rounds=job["rounds"])
            found.append({"side": side, "images": len(paths)} | summary(rounds, "one at a time", "several"))
    return found


def _link(path: Path, name: Path) -> str:
    name.symlink_to(path.resolve())
    return str(name)


def _by_processes(model: Path, paths: Sequence[str]) -> int:
    order = Order(str(model), ".", device="cpu")
    return sum(1 for _ in judge_in_processes(order, paths, workers=worthwhile(len(paths))))


def coreset(job: Mapping[str, Any]) -> dict[str, Any]:
    """One coreset of concatenated taps: ours, and anomalib's ``KCenterGreedy`` on the same rows."""
    import torch
    from anomalib.models.components import KCenterGreedy

    vectors = concatenated(job["images"], rows=job["rows"])
    size = round(job["ratio"] * len(vectors))
    ours: dict[str, Any] = {}
    our_seconds = seconds(lambda: ours.update(coreset=select_coreset(vectors, size, seed=0)))
    torch.manual_seed(0)
    theirs: dict[str, Any] = {}
    greedy = KCenterGreedy(embedding=torch.from_numpy(vectors), sampling_ratio=job["ratio"])
    their_seconds = seconds(lambda: theirs.update(index=greedy.select_coreset_idxs()))
    picked = np.unique(np.asarray([int(i) for i in theirs["index"]]))
    return {
        "rows": len(vectors), "d": vectors.shape[1], "ratio": job["ratio"],
        "seconds": {"goodparts": round(our_seconds, 2), "anomalib": round(their_seconds, 2)},
        "times_faster": round(their_seconds / our_seconds, 1),
        "covering_radius": {
            "goodparts": round(covering_radius(vectors, ours["coreset"].index), 4),
            "anomalib": round(covering_radius(vectors, picked), 4),
        },
    }  # fmt: skip


def search(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Time to search banks of several sizes, against the first one, and how good the nearest row found is."""
    queries = patch_like(job["queries"], seed=1)
    first = _saved_and_loaded(MemoryBank(patch_like(job["rows"][0]), 0, np.zeros((job["rows"][0], 1), np.int64)))
    found = []
    for rows in job["rows"]:
        made = MemoryBank(patch_like(rows), 0, np.zeros((rows, 1), np.int64))
        held: dict[str, MemoryBank] = {}
        building = seconds(lambda h=held, b=made: h.update(bank=_saved_and_loaded(b)))  # type: ignore[misc]
        bank = held["bank"]
        loading = seconds(lambda b=bank: b.search(queries[:1]))  # type: ignore[misc]
        sides: dict[str, Callable[[], object]] = {
            "this": lambda b=bank: b.search(queries),  # type: ignore[misc]
            "first": lambda: first.search(queries),
        }
        exact = MemoryBank(bank.vectors, 0, bank.tags, index="pruned").search(queries).distance
        further = bank.search(queries).distance / exact
        found.append(
            {"rows": rows, "kind": bank.index, "building_seconds": round(building, 2),
             "first_search_seconds": round(loading, 2),
             "largest_to_nearest": round(float(further.max()), 5),
             "share_beyond_1_percent": round(float(np.mean(further > 1.01)), 6)}
            | summary(in_turn(sides, rounds=job["rounds"]), "this", "first")
        )  # fmt: skip
    return found


def _saved_and_loaded(bank: MemoryBank) -> MemoryBank:
    """Return a bank as it comes out of a trained model: with its cells, which are made by saving it."""
    with tempfile.TemporaryDirectory() as folder:
        bank.save(folder)
        return MemoryBank.load(folder)


def detector_with_rows(paths: Sequence[Path], side: int, *, rows: int) -> Detector:
    """Return a detector whose banks hold so many patches of these images, drawn at random, not the best ones."""
    from anomaly.detector.patchcore import PatchCore

    config = Config()
    for name, value in (("geometry.size", max(96, side // 32 * 32)), ("bank.max_rows", 100), ("capture.check", False)):
        config = replace_setting(config, name, value)
    detector = PatchCore(config, device="cpu").fit([str(path) for path in paths[:4]])
    taps: list[list[Float32Array]] = [[] for _ in detector.banks]
    for path in paths:
        for tap, grid in zip(taps, detector.extractor.embed(load_image(path))[1], strict=True):
            tap.append(grid.reshape(-1, grid.shape[-1]))
    rng = np.random.default_rng(0)
    banks = []
    for tap in taps:
        vectors = np.concatenate(tap)
        chosen = vectors[rng.permutation(len(vectors))[:rows]]
        banks.append(_saved_and_loaded(MemoryBank(chosen, 0, np.zeros((len(chosen), 2), np.int64))))
    return replace(detector, banks=tuple(banks))


def _stages(detector: Detector, paths: Sequence[Path]) -> dict[str, Any]:
    """Medians over the images; whole predictions and the limit in turn on each."""
    times: dict[str, list[float]] = {name: [] for name in ("decode", "network", "search", "whole", "ratio")}
    extractor = detector.extractor
    detector.predict(paths[0])
    for path in paths:
        pixels, held = load_image(path), extractor.embed(load_image(path))[1]
        whole = seconds(lambda p=path: detector.predict(p))  # type: ignore[misc]
        decode = seconds(lambda p=path: load_image(p))  # type: ignore[misc]
        network = seconds(lambda p=pixels: extractor.embed(p))  # type: ignore[misc]
        searching = seconds(lambda h=held: _search(detector, h))  # type: ignore[misc]
        values = (decode, network, searching, whole, whole / (decode + network))
        for name, value in zip(times, values, strict=True):
            times[name].append(value)
    ratio = times.pop("ratio")
    return {
        "images": len(paths),
        "ms": {name: round(1000 * median(found), 1) for name, found in times.items()},
        "whole_to_decode_and_network": round(median(ratio), 3),
    }


def _search(detector: Detector, grids: Sequence[Float32Array]) -> None:
    for grid, bank in zip(grids, detector.banks, strict=True):
        bank.search(grid.reshape(-1, grid.shape[-1]), k=detector.config.bank.neighbours)


def concatenated(images: Sequence[str], *, rows: int) -> Float32Array:
    """Patches as anomalib concatenates them: 40 channels at stride 8 and 112 at stride 16 brought to the same grid."""
    from anomaly.detector.patchcore import PatchCore

    config = Config()
    for name, value in (
        ("geometry.size", 256), ("bank.max_rows", 100), ("capture.check", False),
        ("embedding.taps", ("block4", "block10")), ("embedding.whitening", False),
    ):  # fmt: skip
        config = replace_setting(config, name, value)
    extractor = PatchCore(config, device="cpu").fit(list(images[:4])).extractor
    found, held = [], 0
    for path in images:
        if held >= rows:
            break
        fine, coarse = extractor.embed(load_image(path))[1]
        coarse = coarse.repeat(fine.shape[0] // coarse.shape[0], axis=0).repeat(
            fine.shape[1] // coarse.shape[1], axis=1
        )
        found.append(np.concatenate([fine, coarse], axis=2).reshape(-1, fine.shape[2] + coarse.shape[2]))
        held += len(found[-1])
    return np.ascontiguousarray(np.concatenate(found)[:rows])


def covering_radius(vectors: Float32Array, index: Any) -> float:
    """Largest distance from a row to its nearest picked row."""
    bank = MemoryBank(np.ascontiguousarray(vectors[index]), 0, np.zeros((len(index), 1), np.int64))
    return float(bank.search(vectors).distance.max())


def patch_like(n: int, *, seed: int = 0, d: int = 80) -> Float32Array:
    """Made-up patch embeddings: 400 clusters, each with 12 ways to vary, and noise."""
    law = np.random.default_rng(99)
    centres, ways = 2 * law.normal(size=(400, d)), law.normal(size=(400, 12, d)) / np.sqrt(12)
    rng = np.random.default_rng(seed)
    cluster = rng.integers(400, size=n)
    found = np.empty((n, d), np.float32)
    for i in range(400):
        mine = np.flatnonzero(cluster == i)
        found[mine] = centres[i] + rng.normal(size=(mine.size, 12)) @ ways[i] + 0.15 * rng.normal(size=(mine.size, d))
    return found


def _resized(images: Sequence[str], side: int, folder: Path) -> list[Path]:
    """Write the images as JPEGs of ``side`` x ``side`` pixels."""
    paths = []
    for number, path in enumerate(evenly(images, len(images))):
        target = folder / f"{number:03d}.jpg"
        Image.fromarray(load_image(path)).resize((side, side), Image.Resampling.LANCZOS).save(target, quality=92)
        paths.append(target)
    return paths


PARTS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "stages": stages,
    "folder": folder,
    "coreset": coreset,
    "search": search,
}


def main() -> None:
    """Run one part."""
    part, job, result = sys.argv[1:]
    found = PARTS[part](json.loads(Path(job).read_text(encoding="utf-8")))
    Path(result).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
