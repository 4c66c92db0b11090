"""Which parts lie where in one picture, and which of them are damaged."""

from __future__ import annotations

from dataclasses import dataclass

import bpy  # noqa: F401 - brings mathutils along
import numpy as np
from mathutils import Matrix

from .damage import GEAR_DAMAGES, SPRING_DAMAGES, DamagedPart
from .gear_damage import damage_gear
from .gears import GEARS, GearDesign, gear_hull, gear_mesh
from .law import Place, Session, deal_batch, draw_damages, generator
from .mesh import FloatArray, Mesh
from .physics import Body, settle
from .spring_damage import damage_spring
from .springs import SPRINGS, SpringDesign, spring_hull, spring_mesh, spring_wire

_TRIES = 60
_CARELESS = 0.1
_REACH = {"gears": 1.0, "springs": 0.75}
"""Share of its largest radius that a part claims for itself; springs are slim."""


@dataclass(eq=False)
class Part:
    """One part of the picture.

    Attributes
    ----------
    design : GearDesign or SpringDesign
    phase, twist : float
        Individual shape of a spring; 0 for gears.
    scale : float
        Production variation of the size.
    grime : tuple of float
        Where the part cuts its grime out of the atlas.
    pose : Matrix or None
        Where it has come to rest.
    damage : DamagedPart or None
    kind : str
        Kind of damage, empty for none.
    severity : float
        Of the damage, in [0, 1].
    """

    design: GearDesign | SpringDesign
    phase: float
    twist: float
    scale: float
    grime: tuple[float, float, float]
    pose: Matrix | None = None
    damage: DamagedPart | None = None
    kind: str = ""
    severity: float = 0.0

    def undamaged_mesh(self) -> Mesh:
        """Build the shape it has, or had, without damage."""
        if isinstance(self.design, GearDesign):
            return gear_mesh(self.design)
        return spring_mesh(self.design, phase=self.phase, twist=self.twist)

    def hull(self) -> FloatArray:
        """Points whose convex hull is dropped in its place."""
        if isinstance(self.design, GearDesign):
            return gear_hull(self.design) * self.scale
        wire = spring_wire(self.design, phase=self.phase, twist=self.twist)
        return spring_hull(wire, self.design.wire) * self.scale

    def key(self) -> tuple[int, float, float]:
        """Parts of equal key have equal undamaged meshes."""
        return id(self.design), self.phase, self.twist


def _draw_part(rng: np.random.Generator, design: GearDesign | SpringDesign) -> Part:
    spring = isinstance(design, SpringDesign)
    phase = float(rng.integers(0, 4) * np.pi / 2) if spring else 0.0
    twist = float(rng.choice([0.0, np.pi / 2, np.pi])) if spring else 0.0
    grime = rng.uniform(0, 1, 3)
    return Part(
        design, phase, twist, float(rng.normal(1.0, 0.004)), (float(grime[0]), float(grime[1]), float(grime[2]))
    )


def _scatter(rng: np.random.Generator, reach: FloatArray, half: float) -> FloatArray:
    """Where the parts of radius ``reach`` (n,) are dropped, (n, 2): side by side as a feeder lays them out.

    Each place is the roomiest of some random ones, so parts come to touch where many share the field; one
    part in ``1 / _CARELESS`` falls anywhere, which makes some lie partly upon others.
    """
    placed = np.empty((0, 2))
    for number, own in enumerate(reach):
        span = max(half - own, 0.2)
        tried = rng.uniform(-span, span, (_TRIES, 2))
        room = np.full(_TRIES, np.inf)
        if number:
            apart = np.linalg.norm(tried[:, None] - placed[None], axis=2)
            room = (apart - reach[None, :number] - own).min(axis=1)
        free = np.flatnonzero(room > 0.05)
        careless = rng.random() < _CARELESS
        best = 0 if careless else int(free[0]) if len(free) else int(room.argmax())
        placed = np.concatenate([placed, tried[best : best + 1]])
    return placed


def _rotation(rng: np.random.Generator, *, upright: bool) -> FloatArray:
    """Euler angles with which a part is dropped."""
    spin = rng.uniform(0, 2 * np.pi)
    if upright:
        tilt, lean = rng.normal(0, 0.12, 2)
        return np.array([tilt + np.pi * float(rng.random() < 0.35), lean, spin])
    turn = np.array([np.pi / 2 + rng.normal(0, 0.15), rng.uniform(0, 2 * np.pi), spin])
    if rng.random() < 0.02:
        turn[0] = rng.normal(0, 0.05)
    return turn


def draw_layout(place: Place, session: Session, seed: int) -> list[Part]:
    """Draw and settle the parts of a picture, all of them undamaged."""
    half = session.field / 2 * 0.985
    catalogue: tuple[GearDesign | SpringDesign, ...] = GEARS if place.part_type == "gears" else SPRINGS
    batch = deal_batch(place, catalogue=len(catalogue), seed=seed)
    for attempt in range(12):
        rng = generator(place.part_type, seed, 2, place.index, attempt)
        parts = [_draw_part(rng, catalogue[int(rng.choice(batch.articles))]) for _ in range(batch.count)]
        hulls = [part.hull() for part in parts]
        reach = np.array([_REACH[place.part_type] * np.linalg.norm(hull, axis=1).max() for hull in hulls])
        bodies = []
        for number, (hull, xy) in enumerate(zip(hulls, _scatter(rng, reach, half), strict=True)):
            start = np.array([*xy, 0.8 + 0.25 * number])
            bodies.append(Body(hull, start, _rotation(rng, upright=place.part_type == "gears")))
        poses = settle(bodies, half_field=half)
        if poses is None:
            continue
        for part, pose in zip(parts, poses, strict=True):
            part.pose = pose @ Matrix.Scale(part.scale, 4)
        return parts
    raise RuntimeError(f"picture {place.name} did not settle in 12 attempts; choose another seed")


def _fits(part: Part, kind: str) -> bool:
    if kind == "broken_hook":
        return isinstance(part.design, SpringDesign) and part.design.kind == "extension"
    if kind == "bent_axis" and part.pose is not None:
        return abs(part.pose.to_3x3().normalized().col[2].z) < 0.5
    return True


def damage_parts(parts: list[Part], place: Place, seed: int, attempt: int) -> list[Part]:
    """Damage one to three of the parts and return those, in the order of their mask channels."""
    rng = generator(place.part_type, seed, 3, place.index, attempt)
    for part in parts:
        part.damage, part.kind, part.severity = None, "", 0.0
    gears = place.part_type == "gears"
    hit: list[Part] = []
    for kind, severity in draw_damages(rng, GEAR_DAMAGES if gears else SPRING_DAMAGES):
        free = [p for p in parts if p not in hit and _fits(p, kind)]
        if not free:
            continue
        part = free[int(rng.integers(len(free)))]
        turn = part.pose.to_3x3().normalized()
        up = np.array(turn.transposed().col[2])  # the world's z axis in the frame of the part
        if isinstance(part.design, GearDesign):
            part.damage = damage_gear(part.design, kind, severity=severity, up=float(np.sign(up[2]) or 1.0), rng=rng)
        else:
            part.damage = damage_spring(
                part.design, kind, severity=severity, phase=part.phase, twist=part.twist, up=up, rng=rng
            )
        part.kind, part.severity = kind, severity
        hit.append(part)
    return hit
