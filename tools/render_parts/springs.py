"""Compression springs with closed, ground ends and extension springs with hooks, as swept wires.

A spring is a centre line, (n, 3) points in centimetres along the axis z, swept by a round wire.
Damages move points of the centre line or take a stretch of it away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .mesh import FloatArray, Mesh

POINTS_PER_TURN = 30
SIDES = 11


@dataclass(frozen=True)
class SpringDesign:
    """One article of the spring catalogue; lengths in centimetres.

    Attributes
    ----------
    kind : {"compression", "extension"}
    radius : float
        Of the coil, to the middle of the wire.
    wire : float
        Wire diameter.
    turns : float
        Active turns.
    pitch : float
        Rise of one active turn.
    tint : tuple of float
        Linear reflectance of the wire.
    roughness : float
    """

    kind: Literal["compression", "extension"]
    radius: float
    wire: float
    turns: float
    pitch: float
    tint: tuple[float, float, float]
    roughness: float


BRIGHT = (0.62, 0.61, 0.60)
GALVANISED = (0.60, 0.61, 0.63)
OILED = (0.36, 0.35, 0.34)

SPRINGS: tuple[SpringDesign, ...] = (
    SpringDesign("compression", 0.62, 0.16, 6.0, 0.42, BRIGHT, 0.27),
    SpringDesign("compression", 0.48, 0.14, 7.0, 0.34, GALVANISED, 0.32),
    SpringDesign("compression", 0.74, 0.21, 4.0, 0.54, OILED, 0.38),
    SpringDesign("extension", 0.46, 0.14, 12.0, 0.146, BRIGHT, 0.28),
    SpringDesign("extension", 0.54, 0.17, 10.0, 0.177, OILED, 0.36),
)


@dataclass(frozen=True, eq=False)
class Wire:
    """Centre line of one spring.

    Attributes
    ----------
    points : ndarray of float64, (n, 3)
    body : ndarray of bool, (n,)
        True where the point belongs to the coil, False on a hook.
    turn : ndarray of float64, (n,)
        Turns counted along the wire; goes on over the hooks.
    ground : float or None
        Height beyond which both ends are ground flat; None for hooks.
    """

    points: FloatArray
    body: np.ndarray
    turn: FloatArray
    ground: float | None


def compression_wire(design: SpringDesign, *, phase: float) -> Wire:
    """Centre line of a compression spring, about one and a quarter closed turns at each end."""
    closed = 1.25
    total = design.turns + 2 * closed
    turn = np.arange(0.0, total, 1.0 / POINTS_PER_TURN)
    ease = np.clip((turn - closed + 0.5) / 0.6, 0, 1) * np.clip((total - turn - closed + 0.5) / 0.6, 0, 1)
    rise = design.wire * 1.01 + (design.pitch - design.wire * 1.01) * ease * ease * (3 - 2 * ease)
    z = np.concatenate([[0.0], np.cumsum(rise[1:]) / POINTS_PER_TURN])
    z -= z[-1] / 2
    angle = 2 * np.pi * turn + phase
    points = np.column_stack([design.radius * np.cos(angle), design.radius * np.sin(angle), z])
    return Wire(points, np.ones(len(turn), dtype=bool), turn, float(z[-1] - 0.15 * design.wire))


def _smooth(points: FloatArray, sigma: float) -> FloatArray:
    """Round the corners of a polyline (n, 3) by a Gaussian of ``sigma`` points."""
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.concatenate([points[:1].repeat(reach, 0), points, points[-1:].repeat(reach, 0)])
    return np.stack([np.convolve(padded[:, i], kernel, mode="valid") for i in range(3)], axis=1)


def extension_wire(design: SpringDesign, *, phase: float, twist: float) -> Wire:
    """Centre line of an extension spring with a full loop at each end.

    ``twist`` (radians) is the angle between the planes of the two hooks.
    """
    loop = 0.9 * design.radius
    whole = design.turns + twist / (2 * np.pi)
    turn = np.arange(0.0, whole, 1.0 / POINTS_PER_TURN)
    angle = 2 * np.pi * turn + phase
    z = turn * design.pitch - whole * design.pitch / 2
    coil = np.column_stack([design.radius * np.cos(angle), design.radius * np.sin(angle), z])

    def hook(at: float, end: float, sign: float) -> FloatArray:
        sweep = np.linspace(np.deg2rad(-35), np.deg2rad(245), int(POINTS_PER_TURN * 0.75))
        out = np.array([np.cos(at), np.sin(at), 0.0])
        centre = np.array([0.0, 0.0, end + sign * (0.62 * loop + 0.6 * design.wire)])
        return centre + loop * (np.cos(sweep)[:, None] * out + sign * np.sin(sweep)[:, None] * [0.0, 0.0, 1.0])

    last = float(angle[-1])
    lower = hook(phase, float(z[0]), -1.0)[::-1]
    upper = hook(last, float(z[-1]), 1.0)
    points = np.concatenate([lower, coil, upper])
    body = np.concatenate([np.zeros(len(lower), bool), np.ones(len(coil), bool), np.zeros(len(upper), bool)])
    steps = np.linalg.norm(np.diff(_smooth(points, 1.2), axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)]) / (2 * np.pi * design.radius)
    return Wire(_smooth(points, 1.2), body, along, None)


def spring_wire(design: SpringDesign, *, phase: float, twist: float) -> Wire:
    """Centre line of any spring of the catalogue; ``twist`` matters to hooks only."""
    if design.kind == "compression":
        return compression_wire(design, phase=phase)
    return extension_wire(design, phase=phase, twist=twist)


def _frames(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two unit normals (n, 3) each along a polyline, turned as little as possible (parallel transport)."""
    tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-12
    first = np.empty_like(points)
    guess = np.cross(tangent[0], [0.0, 0.0, 1.0] if abs(tangent[0, 2]) < 0.9 else [1.0, 0.0, 0.0])
    for i, t in enumerate(tangent):
        guess = guess - t * (guess @ t)
        guess = guess / (np.linalg.norm(guess) + 1e-12)
        first[i] = guess
    return first, np.cross(tangent, first)


def sweep(
    points: FloatArray,
    *,
    wire: float,
    damage: FloatArray | None = None,
    rust: FloatArray | None = None,
    broken: tuple[bool, bool] = (False, False),
) -> Mesh:
    """Sweep a round wire of diameter ``wire`` along ``points`` (n, 3), with closed ends.

    ``damage`` and ``rust`` are (n,) in [0, 1]; ``broken`` says which end is a rough break.
    """
    n = len(points)
    first, second = _frames(points)
    around = np.linspace(0, 2 * np.pi, SIDES, endpoint=False)
    circle = np.cos(around)[None, :, None] * first[:, None] + np.sin(around)[None, :, None] * second[:, None]
    tube = points[:, None] + wire / 2 * circle
    vertices = np.concatenate([tube.reshape(-1, 3), points[[0, -1]]])
    i, j = np.meshgrid(np.arange(n - 1), np.arange(SIDES), indexing="ij")
    k = (j + 1) % SIDES
    quads = np.stack([i * SIDES + j, i * SIDES + k, (i + 1) * SIDES + k, (i + 1) * SIDES + j], -1).reshape(-1, 4)
    ring = np.arange(SIDES)
    after = (ring + 1) % SIDES
    head = np.stack([np.full(SIDES, n * SIDES), after, ring], axis=1)
    last = (n - 1) * SIDES
    tail = np.stack([np.full(SIDES, n * SIDES + 1), last + ring, last + after], axis=1)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])

    def spread(values: FloatArray | None) -> FloatArray:
        line = np.zeros(n) if values is None else values
        return np.concatenate([np.repeat(line, SIDES), line[[0, -1]]])

    uv = np.column_stack([spread(along), np.concatenate([np.tile(around, n), [0.0, 0.0]])])
    fracture = np.zeros(len(vertices))
    fracture[-2], fracture[-1] = float(broken[0]), float(broken[1])
    return Mesh(vertices, quads, np.concatenate([head, tail]), spread(damage), fracture, spread(rust), uv)


def grind(mesh: Mesh, height: float | None) -> Mesh:
    """Flatten whatever stands beyond ``height`` on either side, as a grinding wheel does."""
    if height is not None:
        np.clip(mesh.vertices[:, 2], -height, height, out=mesh.vertices[:, 2])
    return mesh


def spring_mesh(design: SpringDesign, *, phase: float, twist: float) -> Mesh:
    """Mesh of an undamaged spring."""
    wire = spring_wire(design, phase=phase, twist=twist)
    return grind(sweep(wire.points, wire=design.wire), wire.ground)


def spring_hull(wire: Wire, thickness: float) -> FloatArray:
    """Few points (k, 3) whose convex hull stands for the spring in the rigid-body simulation."""
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    coil = wire.points[wire.body]
    radius = float(np.hypot(coil[:, 0], coil[:, 1]).max()) + thickness / 2
    low, high = float(coil[:, 2].min()) - thickness / 2, float(coil[:, 2].max()) + thickness / 2
    ring = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    barrel = [np.column_stack([ring, np.full(16, z)]) for z in (low, high)]
    hooks = wire.points[~wire.body][::4]
    return np.concatenate([*barrel, hooks])
