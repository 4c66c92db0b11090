"""Damages of springs: bent axis, uneven pitch, crushed coil, broken wire or hook, rust."""

from __future__ import annotations

import numpy as np

from .damage import DamagedPart
from .mesh import FloatArray, join
from .springs import SpringDesign, Wire, grind, spring_wire, sweep


def damage_spring(
    design: SpringDesign,
    kind: str,
    *,
    severity: float,
    phase: float,
    twist: float,
    up: FloatArray,
    rng: np.random.Generator,
) -> DamagedPart:
    """Damage a spring.

    Parameters
    ----------
    design : SpringDesign
    kind : str
        One of ``damage.SPRING_DAMAGES``; ``broken_hook`` only fits extension springs.
    severity : float
        In [0, 1], from subtle to obvious.
    phase, twist : float
        As for ``springs.spring_wire``.
    up : ndarray of float64, (3,)
        Direction towards the camera, in the frame of the spring.
    rng : numpy.random.Generator
    """
    wire = spring_wire(design, phase=phase, twist=twist)
    side = np.cross([0.0, 0.0, 1.0], up)
    side = side / np.linalg.norm(side) if np.linalg.norm(side) > 0.2 else np.array([1.0, 0.0, 0.0])
    if kind == "broken_wire":
        return _broken_wire(design, wire, severity, up, rng)
    if kind == "broken_hook":
        return _broken_hook(design, wire, severity, rng)
    if kind == "rust":
        return _rust(design, wire, severity, rng)
    movers = {"bent_axis": _bend, "uneven_pitch": _uneven_pitch, "crushed_coil": _crush}
    points, damage = movers[kind](design, wire, severity, side, rng)
    swept = sweep(points, wire=design.wire, damage=damage)
    return DamagedPart(swept if kind == "bent_axis" else grind(swept, _ground(wire, points)))


def _ground(wire: Wire, points: FloatArray) -> float | None:
    """Height of the ground faces after the damage; none where an end has left its plane."""
    if wire.ground is None or np.abs(points[[0, -1], 2] - wire.points[[0, -1], 2]).max() > 1e-6:
        return None
    return wire.ground


def _bend(
    design: SpringDesign, wire: Wire, severity: float, side: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Bend the axis sideways over a stretch of the spring."""
    coil = wire.points[wire.body, 2]
    length = float(np.ptp(coil))
    total = rng.choice([-1.0, 1.0]) * np.deg2rad(17 + 33 * severity)
    start = float(coil.min()) + length * rng.uniform(0.30, 0.45)
    stretch = length * rng.uniform(0.18, 0.30)
    grid = np.linspace(wire.points[:, 2].min() - 0.2, wire.points[:, 2].max() + 0.2, 600)
    angle = total * np.clip((grid - start) / stretch, 0, 1)
    step = grid[1] - grid[0]
    axis_side = np.cumsum(np.sin(angle)) * step
    axis_z = grid[0] + np.cumsum(np.cos(angle)) * step
    axis_z += np.interp(start, grid, grid - axis_z)
    at = wire.points[:, 2]
    lean = np.interp(at, grid, angle)
    lateral = wire.points @ side
    points = wire.points - np.outer(lateral, side) * 1.0
    points = points + np.outer(lateral * np.cos(lean) + np.interp(at, grid, axis_side), side)
    points[:, 2] = np.interp(at, grid, axis_z) - lateral * np.sin(lean)
    damage = (np.abs(lean) > 0.25 * abs(total)).astype(float)
    return points, damage


def _uneven_pitch(
    design: SpringDesign, wire: Wire, severity: float, side: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Open some coils; in a compression spring others close up for it, an extension spring gets longer."""
    z = wire.points[:, 2]
    coil = z[wire.body]
    low, high = float(coil.min()), float(coil.max())
    if wire.ground is None:
        centre = low + (high - low) * rng.uniform(0.25, 0.75)
        width = (1.2 + 1.6 * severity) * design.pitch
        gap = design.wire * (1.1 + 4.0 * severity)
        share = np.clip((z - centre) / width + 0.5, 0, 1)
        points = wire.points.copy()
        points[:, 2] = z + gap * (share - 0.5)
        return points, ((share > 0) & (share < 1) & wire.body).astype(float)
    inner = np.clip((z - low - 1.3 * design.wire) / (high - low - 2.6 * design.wire), 0, 1)
    most = 1 - 1.1 * design.wire / design.pitch
    depth = most * (0.55 + 0.45 * severity) * rng.choice([-1.0, 1.0])
    share = np.where(inner < 0.5, inner, 1 - inner) * 2
    wave = depth * (high - low) * 0.25 * np.sin(np.pi * share / 2) ** 1.5
    points = wire.points.copy()
    points[:, 2] = z + wave
    slope = np.gradient(points[:, 2], wire.turn) - np.gradient(z, wire.turn)
    return points, (np.abs(slope) > 0.22 * design.pitch).astype(float)


def _crush(
    design: SpringDesign, wire: Wire, severity: float, side: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Push one or two coils in from the side."""
    coil = wire.points[wire.body, 2]
    centre = float(coil.min()) + float(np.ptp(coil)) * rng.uniform(0.3, 0.7)
    width = max(design.pitch * (0.75 + 0.5 * severity), 2.2 * design.wire)
    window = np.exp(-(((wire.points[:, 2] - centre) / width) ** 4)) * wire.body
    direction = side * rng.choice([-1.0, 1.0])
    lateral = wire.points @ direction
    pushed = np.where(lateral > -0.3 * design.radius, lateral + 0.3 * design.radius, 0.0)
    shift = -window * pushed * (0.52 + 0.30 * severity)
    other = np.cross([0.0, 0.0, 1.0], direction)
    points = wire.points + np.outer(shift, direction)
    points += np.outer(0.18 * window * (wire.points @ other) * severity, other)
    points[:, 2] += window * rng.uniform(-0.4, 0.4) * np.clip(pushed / design.radius, 0, 1) * design.pitch * 0.5
    damage = (np.linalg.norm(points - wire.points, axis=1) > 0.12 * design.radius).astype(float)
    return points, damage


def _pieces(design: SpringDesign, wire: Wire, gone: np.ndarray, shift: FloatArray, *, near: int) -> DamagedPart:
    """Sweep what is left of a wire and, as a ghost, what is gone.

    ``gone`` is a contiguous (n,) bool; the part behind it is moved by ``shift`` (3,); the last
    ``near`` points before and after the break are marked as damaged.
    """
    where = np.flatnonzero(gone)
    first, last = int(where[0]), int(where[-1])
    pieces = []
    if first > 4:
        damage = np.zeros(first)
        damage[-near:] = 1.0
        pieces.append(
            grind(sweep(wire.points[:first], wire=design.wire, damage=damage, broken=(False, True)), wire.ground)
        )
    if last < len(wire.points) - 5:
        rest = wire.points[last + 1 :] + shift
        damage = np.zeros(len(rest))
        damage[:near] = 1.0
        pieces.append(grind(sweep(rest, wire=design.wire, damage=damage, broken=(True, False)), None))
    ghost = grind(sweep(wire.points[first : last + 1], wire=design.wire), wire.ground)
    ghost.damage[:] = 1.0
    return DamagedPart(join(pieces), ghost=ghost)


def _broken_wire(
    design: SpringDesign, wire: Wire, severity: float, up: FloatArray, rng: np.random.Generator
) -> DamagedPart:
    """Break a stretch out of the wire on the side that the camera sees."""
    coil = np.flatnonzero(wire.body)
    gone = np.zeros(len(wire.points), dtype=bool)
    facing = wire.points[:, :2] @ up[:2] / design.radius
    middle = coil[len(coil) // 5 : -len(coil) // 5]
    best = middle[facing[middle] > np.quantile(facing[middle], 0.8)]
    centre = int(rng.choice(best))
    half = int(30 * (0.16 + 0.22 * severity))
    gone[max(centre - half, 6) : centre + half] = True
    drift = np.array([*rng.normal(0, 0.05, 2), 0.0]) * design.radius
    drift[2] = rng.uniform(0, 0.5) * design.wire
    return _pieces(design, wire, gone, drift, near=4)


def _broken_hook(design: SpringDesign, wire: Wire, severity: float, rng: np.random.Generator) -> DamagedPart:
    """Break off one hook, wholly or its outer part."""
    hook = np.flatnonzero(~wire.body)
    start = hook[hook < len(wire.points) // 2]
    lost = int(len(start) * (0.42 + 0.55 * severity))
    gone = np.zeros(len(wire.points), dtype=bool)
    gone[:lost] = True
    return _pieces(design, wire, gone if rng.random() < 0.5 else gone[::-1], np.zeros(3), near=3)


def _rust(design: SpringDesign, wire: Wire, severity: float, rng: np.random.Generator) -> DamagedPart:
    """Let a stretch of the spring rust."""
    z = wire.points[:, 2]
    low, high = float(z.min()), float(z.max())
    centre = low + (high - low) * rng.uniform(0.1, 0.9)
    width = (high - low) * (0.10 + 0.24 * severity)
    knots = np.arange(0, len(z) + 12, 12)
    spread = np.interp(np.arange(len(z)), knots, rng.normal(0, 0.32, len(z) // 12 + 2)[: len(knots)])
    rust = np.clip(1.5 - np.abs(z - centre) / width + spread, 0, 1)
    return DamagedPart(
        grind(sweep(wire.points, wire=design.wire, damage=(rust > 0.4).astype(float), rust=rust), wire.ground)
    )
