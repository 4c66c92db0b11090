"""Spur gears: involute teeth, rim, web with lightening holes, hub, bore and keyway, as closed meshes.

A gear is a stack of closed rings of equal length, from the bore over the upper face, down the tooth
flanks and back over the lower face to the bore: neighbouring rings are stitched, the last to the first.
Units are centimetres; the axis is z; the gear is centred on the origin.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from .mesh import FloatArray, IntArray, Mesh, plain_mesh

PRESSURE_ANGLE = np.deg2rad(20.0)
POINTS_PER_TOOTH = 16
FLANK_LEVELS = 5
TOOTH_FRACTIONS = (0.0, 0.3, 0.65)


@dataclass(frozen=True)
class GearDesign:
    """One article of the gear catalogue; lengths in centimetres.

    Attributes
    ----------
    teeth : int
    module : float
        Pitch diameter divided by the number of teeth.
    half_width : float
        Half the face width of the teeth.
    bore, hub, rim : float
        Radius of the bore and of the hub, inner radius of the rim.
    hub_above, hub_below : float
        How far the hub stands out over the upper and the lower tooth face.
    recess : float
        How deep the web lies below the rim.
    key : float
        Width of the keyway; 0 for none.
    holes : int
        Lightening holes in the web; 0 for none.
    tint : tuple of float
        Linear reflectance of the metal (red, green, blue).
    roughness : float
        Roughness of the turned faces, in (0, 1).
    """

    teeth: int
    module: float
    half_width: float
    bore: float
    hub: float
    rim: float
    hub_above: float
    hub_below: float
    recess: float
    key: float
    holes: int
    tint: tuple[float, float, float]
    roughness: float

    @property
    def pitch_radius(self) -> float:
        """Radius on which teeth and gaps are equally wide."""
        return self.module * self.teeth / 2

    @property
    def tip_radius(self) -> float:
        """Outer radius."""
        return self.pitch_radius + self.module

    @property
    def root_radius(self) -> float:
        """Radius at the bottom of the gaps."""
        return self.pitch_radius - 1.25 * self.module


STEEL = (0.60, 0.59, 0.57)
DARK_STEEL = (0.40, 0.395, 0.39)
ZINC = (0.66, 0.66, 0.65)
BRASS = (0.72, 0.58, 0.34)

GEARS: tuple[GearDesign, ...] = (
    GearDesign(20, 0.175, 0.30, 0.34, 0.68, 1.25, 0.20, 0.0, 0.09, 0.20, 0, STEEL, 0.30),
    GearDesign(24, 0.170, 0.27, 0.34, 0.70, 1.52, 0.0, 0.0, 0.12, 0.19, 5, STEEL, 0.33),
    GearDesign(16, 0.200, 0.33, 0.33, 0.66, 1.10, 0.28, 0.0, 0.05, 0.18, 0, ZINC, 0.27),
    GearDesign(22, 0.185, 0.25, 0.31, 0.66, 1.52, 0.12, 0.12, 0.08, 0.0, 6, DARK_STEEL, 0.36),
    GearDesign(18, 0.190, 0.26, 0.28, 0.56, 1.28, 0.16, 0.0, 0.09, 0.0, 4, BRASS, 0.31),
)


def half_angle(design: GearDesign, radius: FloatArray) -> FloatArray:
    """Half the angle (radians) that a tooth takes up at ``radius`` (n,), cm.

    The involute of the base circle, standard 20-degree system: see ISO 53 and
    https://en.wikipedia.org/wiki/Involute_gear. Below the base circle the flank runs radially
    and widens into a fillet.
    """
    base = design.pitch_radius * np.cos(PRESSURE_ANGLE)
    inside = np.arccos(np.clip(base / np.maximum(radius, base), -1.0, 1.0))
    involute = np.tan(inside) - inside
    at_pitch = np.pi / (2 * design.teeth) + np.tan(PRESSURE_ANGLE) - PRESSURE_ANGLE
    depth = np.clip((design.root_radius + 0.35 * design.module - radius) / (0.35 * design.module), 0, 1)
    return np.asarray(at_pitch - involute + depth**2 * 0.10 * np.pi / design.teeth)


def tooth_profile(design: GearDesign) -> tuple[FloatArray, FloatArray]:
    """Radius and angle of one tooth's ``POINTS_PER_TOOTH`` outline points, its centre at angle 0."""
    steps = np.array([0.0, 0.12, 0.3, 0.55, 0.8, 1.0])
    radius = design.root_radius + steps * (design.tip_radius - design.root_radius)
    angle = half_angle(design, radius)
    gap = np.pi / design.teeth
    root = np.array([design.root_radius] * 2)
    root_angle = np.array([-gap, -(gap + angle[0]) / 2])
    radii = np.concatenate([root, radius, [design.tip_radius], radius[::-1], root[1:]])
    angles = np.concatenate([root_angle, -angle, [0.0], angle[::-1], [(gap + angle[0]) / 2]])
    return radii, angles


def outline(design: GearDesign) -> tuple[FloatArray, FloatArray]:
    """Radius and angle (n,) of the whole gear, ``n = teeth * POINTS_PER_TOOTH``, counter-clockwise."""
    radii, angles = tooth_profile(design)
    turns = np.arange(design.teeth) * 2 * np.pi / design.teeth
    return np.tile(radii, design.teeth), (turns[:, None] + angles[None, :]).ravel()


def tooth_of_column(design: GearDesign) -> IntArray:
    """Which tooth (0 .. teeth-1) each column of the rings belongs to, (n,)."""
    return np.repeat(np.arange(design.teeth), POINTS_PER_TOOTH)


def _offset(xy: FloatArray, distance: float) -> FloatArray:
    """Move a closed counter-clockwise outline (n, 2) inwards by ``distance``."""
    tangent = np.roll(xy, -1, axis=0) - np.roll(xy, 1, axis=0)
    inward = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    return np.asarray(xy + distance * inward / np.linalg.norm(inward, axis=1, keepdims=True))


def _bore_outline(design: GearDesign, angle: FloatArray, grow: float) -> FloatArray:
    """Bore of one ring (n, 2) with its keyway at angle 0, widened by ``grow``."""
    radius = design.bore + grow
    xy = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if design.key <= 0:
        return xy
    half, floor = design.key / 2 + grow, design.bore + 0.45 * design.key + grow
    wrapped = (angle + np.pi) % (2 * np.pi) - np.pi
    limit = np.arctan2(half, floor)
    mouth = np.arcsin(half / radius)
    inside = np.abs(wrapped) <= mouth
    side = inside & (np.abs(wrapped) > limit)
    xy[inside, 0] = floor
    xy[inside, 1] = floor * np.tan(wrapped[inside])
    share = (mouth - np.abs(wrapped[side])) / max(mouth - limit, 1e-9)
    wall = np.sqrt(radius**2 - half**2)
    xy[side, 0] = wall + (floor - wall) * share
    xy[side, 1] = np.sign(wrapped[side]) * half
    return xy


def _face_rings(design: GearDesign, *, hub_height: float, sign: float) -> list[FloatArray]:
    """Rings of one face from the bore outwards, the last one the chamfered tooth outline; each (n, 3)."""
    radii, angle = outline(design)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    chamfer, top = 0.022, design.half_width
    hub_top = top + hub_height
    web = top - design.recess

    def flat(xy: FloatArray, z: float) -> FloatArray:
        return np.column_stack([xy, np.full(len(xy), sign * z)])

    tip = radii[:, None] * unit
    bevelled = _offset(tip, chamfer)
    body = (design.root_radius - 0.12 * design.module) * unit
    rings = [
        flat(_bore_outline(design, angle, 0.0), hub_top - 0.035),
        flat(_bore_outline(design, angle, 0.035), hub_top),
        flat((design.hub - 0.03) * unit, hub_top),
        flat(design.hub * unit, hub_top - 0.03),
        flat((design.hub + 0.02) * unit, web + 0.02),
        flat((design.hub + 0.05) * unit, web),
        flat((design.rim - 0.05) * unit, web),
        flat((design.rim - 0.02) * unit, web + 0.02),
        flat(design.rim * unit, top - 0.015),
        flat((design.rim + 0.02) * unit, top),
        flat(body, top),
    ]
    rings += [flat(body + (bevelled - body) * (1 - f), top) for f in reversed(TOOTH_FRACTIONS)]
    return rings


WEB_RING = 5  # the web is the band between this ring and the next


def ring_stack(design: GearDesign) -> FloatArray:
    """All rings of a gear, (rings, n, 3), from the upper bore edge round to the lower one."""
    upper = _face_rings(design, hub_height=design.hub_above, sign=1.0)
    lower = _face_rings(design, hub_height=design.hub_below, sign=-1.0)
    radii, angle = outline(design)
    xy = radii[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    reach = design.half_width - 0.022
    flank = [np.column_stack([xy, np.full(len(xy), z)]) for z in np.linspace(reach, -reach, FLANK_LEVELS)]
    return np.stack(upper + flank + lower[::-1])


def _band(first: int, second: int, n: int) -> IntArray:
    """Quads between two rings of ``n`` vertices each."""
    here = np.arange(n)
    there = (here + 1) % n
    return np.stack([first * n + here, second * n + here, second * n + there, first * n + there], axis=1)


def _holes(design: GearDesign, rings: int, n: int) -> tuple[FloatArray, IntArray]:
    """Vertices and quads of the web with its lightening holes, for both faces and the hole walls.

    Each hole owns a sector of the web; the border of the sector is joined to the hole's edge.
    """
    middle, reach = (design.hub + design.rim) / 2, (design.rim - design.hub) / 2 * 0.62
    _, angle = outline(design)
    borders = np.round(np.arange(design.holes + 1) * n / design.holes).astype(int)
    web = design.half_width - design.recess
    vertices: list[FloatArray] = []
    quads: list[IntArray] = []
    start = rings * n
    for left, right in itertools.pairwise(borders):
        columns = np.arange(left, right + 1)
        at = angle[0] + 2 * np.pi * (left + right) / 2 / n
        centre = middle * np.array([np.cos(at), np.sin(at)])
        spots = []
        for inner, outer in ((WEB_RING, WEB_RING + 1), (rings - 1 - WEB_RING, rings - 2 - WEB_RING)):
            wrap = columns % n
            spots.append(np.concatenate([inner * n + wrap, (outer * n + wrap)[::-1]]))
        count = len(spots[0])
        turned = at - np.pi / 2 + np.pi * (np.arange(count // 2) + 0.5) / (count // 2)  # outer half, anticlockwise
        turned = np.concatenate([2 * at + np.pi - turned, turned[::-1]])
        ray = np.stack([np.cos(turned), np.sin(turned)], axis=1)
        here, there = np.arange(count), (np.arange(count) + 1) % count
        for side, z in enumerate((web, -web)):
            edge = centre + (reach + 0.025) * ray
            wall = centre + reach * ray
            vertices += [
                np.column_stack([edge, np.full(count, z)]),
                np.column_stack([wall, np.full(count, z - np.sign(z) * 0.025)]),
            ]
            a = start + 2 * side * count
            b = a + count
            quads.append(np.stack([spots[side][here], spots[side][there], a + there, a + here], axis=1))
            quads.append(np.stack([a + here, a + there, b + there, b + here], axis=1))
        up, down = start + count, start + 3 * count
        quads.append(np.stack([up + here, up + there, down + there, down + here], axis=1))
        start += 4 * count
    return np.concatenate(vertices), np.concatenate(quads)


def gear_mesh(design: GearDesign, *, rings: FloatArray | None = None) -> Mesh:
    """Build the closed mesh of a gear, or of its displaced ``rings`` (rings, n, 3)."""
    stack = ring_stack(design) if rings is None else rings
    m, n, _ = stack.shape
    vertices = stack.reshape(-1, 3)
    open_bands = {WEB_RING, m - 2 - WEB_RING} if design.holes else set()
    bands = [_band(i, (i + 1) % m, n) for i in range(m) if i not in open_bands]
    quads = np.concatenate(bands)
    if design.holes:
        extra, more = _holes(design, m, n)
        vertices, quads = np.concatenate([vertices, extra]), np.concatenate([quads, more])
    return plain_mesh(np.ascontiguousarray(vertices), quads)


def gear_hull(design: GearDesign) -> FloatArray:
    """Few points (k, 3) whose convex hull stands for the gear in the rigid-body simulation."""
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    w = design.half_width
    layers = [(design.tip_radius, w), (design.tip_radius, -w)]
    layers += [(design.hub, w + design.hub_above)] if design.hub_above else []
    layers += [(design.hub, -w - design.hub_below)] if design.hub_below else []
    return np.concatenate([np.column_stack([r * unit, np.full(20, z)]) for r, z in layers])
