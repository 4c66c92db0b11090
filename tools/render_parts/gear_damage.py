"""Damages of gears: teeth missing, chipped or bent; cracked web, rust, dents."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from .damage import DamagedPart, Decal, fractal_noise
from .gears import POINTS_PER_TOOTH, GearDesign, gear_mesh, ring_stack, tooth_of_column
from .mesh import FloatArray, Mesh, faces_of

DECAL_SIZE = 512


def damage_gear(design: GearDesign, kind: str, *, severity: float, up: float, rng: np.random.Generator) -> DamagedPart:
    """Damage a gear.

    Parameters
    ----------
    design : GearDesign
    kind : str
        One of ``damage.GEAR_DAMAGES``.
    severity : float
        In [0, 1], from subtle to obvious.
    up : float
        +1 if the gear lies with its +z face towards the camera, else -1.
    rng : numpy.random.Generator
    """
    if kind in ("missing_tooth", "chipped_tooth"):
        return _broken_tooth(design, whole=kind == "missing_tooth", severity=severity, up=up, rng=rng)
    if kind == "bent_tooth":
        return _bent_tooth(design, severity=severity, up=up, rng=rng)
    painters = {"cracked_web": _crack, "rust": _rust, "dent": _dent}
    return DamagedPart(gear_mesh(design), decal=painters[kind](design, severity, rng))


def _tooth_frame(design: GearDesign, tooth: int) -> tuple[FloatArray, FloatArray]:
    """Return unit vectors (3,) outwards and sideways at the middle of a tooth."""
    angle = 2 * np.pi * tooth / design.teeth
    return np.array([np.cos(angle), np.sin(angle), 0.0]), np.array([-np.sin(angle), np.cos(angle), 0.0])


def _changed(design: GearDesign, rings: FloatArray, *, fracture: bool) -> tuple[Mesh, np.ndarray]:
    """Mesh of displaced rings with its damage marked, and which vertices moved."""
    intact = ring_stack(design).reshape(-1, 3)
    moved = np.linalg.norm(rings.reshape(-1, 3) - intact, axis=1) > 0.004
    mesh = gear_mesh(design, rings=rings)
    mesh.damage[: len(moved)] = moved
    if fracture:
        mesh.fracture[: len(moved)] = moved
    return mesh, np.concatenate([moved, np.zeros(len(mesh.vertices) - len(moved), bool)])


def _rough(points: FloatArray, rng: np.random.Generator, amplitude: float) -> FloatArray:
    """Smooth random heights (k,) at ``points`` (k, 3), for the surface of a break."""
    heights = np.zeros(len(points))
    for scale, share in ((9.0, 0.5), (22.0, 0.3), (50.0, 0.2)):
        direction = rng.standard_normal((3, 3)) * scale
        heights += share * np.sin(points @ direction + rng.uniform(0, 2 * np.pi, 3)).sum(axis=1)
    return np.asarray(heights * amplitude)


def _broken_tooth(
    design: GearDesign, *, whole: bool, severity: float, up: float, rng: np.random.Generator
) -> DamagedPart:
    """Take off what lies beyond a rough plane: a tooth at its root, or a corner of it."""
    tooth = int(rng.integers(design.teeth))
    neighbours = 1 + int(whole and severity > 0.8)
    rings = ring_stack(design)
    owner = tooth_of_column(design)
    for which in range(tooth, tooth + neighbours):
        outward, sideways = _tooth_frame(design, which)
        height = 2.25 * design.module
        vertical = np.array([0.0, 0.0, up])
        if whole:
            normal = outward + sideways * rng.uniform(-0.25, 0.25) + vertical * rng.uniform(-0.2, 0.3)
            origin = outward * (design.root_radius + height * rng.uniform(0.02, 0.22))
        else:
            normal = (
                outward * rng.uniform(0.7, 1.1) + sideways * rng.uniform(-0.7, 0.7) + vertical * rng.uniform(0.2, 0.8)
            )
            kept = 0.52 - 0.36 * severity
            origin = outward * (design.root_radius + height * kept) + vertical * design.half_width
        normal = normal / np.linalg.norm(normal)
        columns = np.flatnonzero(owner == which % design.teeth)
        points = rings[:, columns].reshape(-1, 3)
        radial = np.hypot(points[:, 0], points[:, 1])
        beyond = (points - origin) @ normal - _rough(points, rng, 0.012)
        cut = (beyond > 0) & (radial > design.root_radius + 0.01)
        points[cut] -= beyond[cut, None] * normal
        rings[:, columns] = points.reshape(len(rings), -1, 3)
    mesh, moved = _changed(design, rings, fracture=True)
    return DamagedPart(mesh, ghost=faces_of(gear_mesh(design), moved))


def _bent_tooth(design: GearDesign, *, severity: float, up: float, rng: np.random.Generator) -> DamagedPart:
    """Lean a tooth (two, when severe) sideways and a little out of the plane."""
    tooth = int(rng.integers(design.teeth))
    rings = ring_stack(design)
    owner = tooth_of_column(design)
    lean = rng.choice([-1.0, 1.0]) * np.deg2rad(30 + 18 * severity)
    count = 1 + int(severity > 0.6)
    for step in range(count):
        which = (tooth + step) % design.teeth
        outward, sideways = _tooth_frame(design, which)
        columns = np.flatnonzero(owner == which)
        points = rings[:, columns].reshape(-1, 3)
        above = np.maximum(points @ outward - design.root_radius * 0.99, 0.0)
        angle = lean * (1 - 0.35 * step) * np.clip(above / (1.1 * design.module), 0, 1)
        across = points @ sideways
        points = points + np.outer(above * np.sin(angle) - across * (1 - np.cos(angle)), sideways)
        points = points + np.outer(-above * (1 - np.cos(angle)) - across * np.sin(angle) * 0.6, outward)
        points[:, 2] -= up * above * 0.5 * abs(np.sin(lean)) * rng.uniform(-0.6, 1.0)
        rings[:, columns] = points.reshape(len(rings), POINTS_PER_TOOTH, 3)
    mesh, _ = _changed(design, rings, fracture=False)
    return DamagedPart(mesh)


def _grid(design: GearDesign) -> tuple[FloatArray, FloatArray, float]:
    """Coordinates x, y (s, s) in cm of a decal's pixels, and its reach."""
    reach = design.tip_radius * 1.02
    line = (np.arange(DECAL_SIZE) + 0.5) / DECAL_SIZE * 2 * reach - reach
    y, x = np.meshgrid(line, line, indexing="ij")
    return x, y, reach


def _blank(design: GearDesign) -> Decal:
    _, _, reach = _grid(design)
    none = np.zeros((DECAL_SIZE, DECAL_SIZE))
    return Decal(none, none.copy(), none.copy(), none.copy(), reach)


def _distance_to_path(x: FloatArray, y: FloatArray, path: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distance (s, s) to a polyline (k, 2), and how far along it (0..1) the nearest place is."""
    best = np.full(x.shape, np.inf)
    along = np.zeros(x.shape)
    for i, (a, b) in enumerate(itertools.pairwise(path)):
        edge = b - a
        share = np.clip(((x - a[0]) * edge[0] + (y - a[1]) * edge[1]) / (edge @ edge + 1e-12), 0, 1)
        d = np.hypot(x - a[0] - share * edge[0], y - a[1] - share * edge[1])
        closer = d < best
        best[closer], along[closer] = d[closer], ((i + share) / (len(path) - 1))[closer]
    return best, along


def _crack(design: GearDesign, severity: float, rng: np.random.Generator) -> Decal:
    """Draw a jagged crack from the bore through hub and web, when severe into the rim, with a branch."""
    x, y, _ = _grid(design)
    turn = rng.uniform(0, 2 * np.pi) if design.key <= 0 or rng.random() < 0.4 else rng.uniform(-0.3, 0.3)
    start = design.bore * rng.uniform(0.9, 1.0) if severity > 0.35 else design.hub * 0.95
    end = start + (design.root_radius - start) * (0.72 + 0.30 * severity)
    steps = 26
    radius = np.linspace(start, end, steps)
    wander = np.cumsum(rng.standard_normal(steps)) * 0.035 + rng.uniform(-0.25, 0.25) * np.linspace(0, 1, steps)
    path = np.column_stack([radius * np.cos(turn + wander), radius * np.sin(turn + wander)])
    distance, along = _distance_to_path(x, y, path)
    half = (0.016 + 0.020 * severity) * (0.55 + 0.45 * np.sin(np.pi * np.clip(along * 0.8 + 0.2, 0, 1)))
    if severity > 0.55:
        split = int(rng.integers(steps // 3, 2 * steps // 3))
        veer = rng.choice([-1, 1]) * np.linspace(0, rng.uniform(0.35, 0.7), 12)
        r = np.linspace(radius[split], min(radius[split] + 0.7, design.root_radius), 12)
        twig = turn + wander[split] + veer + np.cumsum(rng.standard_normal(12)) * 0.02
        other, share = _distance_to_path(x, y, np.column_stack([r * np.cos(twig), r * np.sin(twig)]))
        distance = np.where(other < distance, other + 0.006 * (1 + share), distance)
    distance = distance + 0.004 * fractal_noise(rng, DECAL_SIZE, coarsest=64, octaves=2)
    open_ = np.clip((half - distance) / 0.012 + 0.5, 0, 1)
    lip = np.clip(1 - distance / (3.2 * half), 0, 1)
    blank = _blank(design)
    mask = (distance < half + 0.012).astype(float)
    return dataclasses.replace(
        blank, dark=open_, height=0.02 * lip - 0.10 * open_, mask=mask, rust=0.22 * lip * (1 - open_)
    )


def _rust(design: GearDesign, severity: float, rng: np.random.Generator) -> Decal:
    """Spread rust in blotches with pits over a part of the face and the teeth."""
    x, y, _ = _grid(design)
    turn, out = rng.uniform(0, 2 * np.pi), rng.uniform(0.55, 0.95) * design.root_radius
    centre = out * np.array([np.cos(turn), np.sin(turn)])
    size = 0.28 + 0.55 * severity
    falloff = np.hypot(x - centre[0], y - centre[1]) / size
    blotch = fractal_noise(rng, DECAL_SIZE, coarsest=10, octaves=5)
    fine = fractal_noise(rng, DECAL_SIZE, coarsest=48, octaves=3)
    amount = 1.15 - falloff + 0.34 * blotch + 0.14 * fine
    rust = np.clip(amount * 2.2, 0, 1)
    pits = np.clip(fine - 0.9, 0, 1) * rust
    return dataclasses.replace(
        _blank(design),
        rust=rust,
        height=0.010 * rust * fine - 0.035 * pits,
        mask=(rust > 0.35).astype(float),
        dark=0.5 * pits,
    )


def _dent(design: GearDesign, severity: float, rng: np.random.Generator) -> Decal:
    """Press one to three dents with raised rims into the face."""
    x, y, _ = _grid(design)
    height, mask = np.zeros_like(x), np.zeros_like(x)
    bright = np.zeros_like(x)
    spots = 1 + int(severity > 0.5) + int(severity > 0.85)
    turn = rng.uniform(0, 2 * np.pi)
    places = np.array([design.rim + (design.root_radius - design.rim) * 0.45, (design.hub + design.rim) / 2])
    out = float(rng.choice(places)) if not design.holes else places[0]
    for _ in range(spots):
        turn += rng.uniform(0.25, 0.6)
        centre = out * np.array([np.cos(turn), np.sin(turn)]) + rng.uniform(-0.06, 0.06, 2)
        long, thin = (0.16 + 0.14 * severity) * rng.uniform(0.85, 1.3), (0.12 + 0.09 * severity) * rng.uniform(0.8, 1.1)
        tilt = rng.uniform(0, np.pi)
        u = ((x - centre[0]) * np.cos(tilt) + (y - centre[1]) * np.sin(tilt)) / long
        v = ((y - centre[1]) * np.cos(tilt) - (x - centre[0]) * np.sin(tilt)) / thin
        r = np.hypot(u, v) + 0.05 * fractal_noise(rng, DECAL_SIZE, coarsest=20, octaves=2)
        bowl = -(np.clip(1 - r**2, 0, 1) ** 0.8)
        rim = np.exp(-(((r - 1.08) / 0.16) ** 2))
        height += (0.55 * bowl + 0.22 * rim) * thin * 0.8
        mask = np.maximum(mask, (r < 1.15).astype(float))
        bright += np.clip(-bowl, 0, 1)
    return dataclasses.replace(_blank(design), height=height, mask=mask, dark=0.10 * np.clip(bright, 0, 1))
