"""One picture, its mask and its record."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from .law import PartType, draw_session, generator, place
from .layout import damage_parts, draw_layout
from .photograph import develop
from .scene import Station, build_station, shoot_masks, shoot_picture

MIN_MASK_PIXELS = 100
MIN_VISIBLE_SHARE = 0.6


@dataclass(frozen=True)
class Quality:
    """How a picture is rendered: edge in pixels, samples a pixel, threads."""

    size: int = 640
    samples: int = 2
    threads: int = 2


@dataclass(frozen=True)
class Record:
    """A row of ``labels.csv`` and a little more about how the picture came to be."""

    path: str
    label: str
    part_type: str
    group: str
    mask: str
    defect: str
    n_parts: int
    severity: float | None
    seed: int
    index: int
    mask_pixels: list[int]
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """Return the record as plain values."""
        return asdict(self)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send Blender's own chatter on the standard output away."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(nowhere)
        os.close(kept)


def render_picture(
    part_type: PartType, index: int, *, seed: int, quality: Quality
) -> tuple[bytes, np.ndarray | None, Record]:
    """Render picture ``index``: its JPEG file, its mask (size, size) bool or None, its record.

    Damages that show fewer than ``MIN_MASK_PIXELS`` (at 640 pixels), or of which other parts hide more than
    ``1 - MIN_VISIBLE_SHARE``, are drawn again, on the same parts as they lie.
    """
    began = time.monotonic()
    where = place(part_type, index)
    session = draw_session(part_type, seed, where.session)
    with quiet():
        parts = draw_layout(where, session, seed)
        mask, station, hit, visible = None, None, [], []
        for attempt in range(25 if where.damaged else 0):
            hit = damage_parts(parts, where, seed, attempt)
            station = build_station(parts, where, session, seed)
            order = [p for p in parts if p.damage is not None]
            masks = shoot_masks(station, size=quality.size, threads=quality.threads)
            visible = [int(m.sum()) for m in masks]
            wanted = MIN_MASK_PIXELS * (quality.size / 640) ** 2
            if hit and min(visible) >= wanted and _uncovered(station, visible, quality):
                mask = np.any(masks, axis=0)
                hit = order
                break
        else:
            if where.damaged:
                raise RuntimeError(f"picture {where.name}: no visible damage in 25 draws; choose another seed")
        if station is None:
            station = build_station(parts, where, session, seed)
        light = _shoot(station, quality)
    jpeg = develop(light, session, generator(part_type, seed, 6, index))
    label = "damaged" if where.damaged else "undamaged"
    record = Record(
        path=f"{part_type}/{label}/{where.name}.jpg",
        label=label,
        part_type=part_type,
        group=where.group,
        mask=f"{part_type}/masks/{where.name}.png" if where.damaged else "",
        defect="+".join(sorted(p.kind for p in hit)),
        n_parts=len(parts),
        severity=round(max(p.severity for p in hit), 3) if hit else None,
        seed=seed,
        index=index,
        mask_pixels=visible,
        seconds=round(time.monotonic() - began, 2),
    )
    return jpeg, mask, record


def _uncovered(station: Station, visible: list[int], quality: Quality) -> bool:
    """Say whether the other parts leave most of every damage open to the camera."""
    whole = shoot_masks(station, size=quality.size, threads=quality.threads, uncovered=True)
    return all(seen >= MIN_VISIBLE_SHARE * int(mask.sum()) for seen, mask in zip(visible, whole, strict=True))


def _shoot(station: Station, quality: Quality) -> np.ndarray:
    return shoot_picture(station, size=quality.size, samples=quality.samples, threads=quality.threads)
