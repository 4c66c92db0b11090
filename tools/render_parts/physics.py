"""Rigid-body drop: where the parts of a picture come to lie."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion

from .mesh import FloatArray

FRAMES = 60


@dataclass(frozen=True, eq=False)
class Body:
    """What is dropped: points (k, 3) of its convex hull, start position (3,), start rotation (Euler, 3)."""

    hull: FloatArray
    start: FloatArray
    rotation: FloatArray


def _add(name: str, points: FloatArray, *, active: bool) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), [], [])
    body = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(body)
    bpy.context.view_layer.objects.active = body
    bpy.ops.rigidbody.object_add(type="ACTIVE" if active else "PASSIVE")
    settings = body.rigid_body
    settings.collision_shape = "CONVEX_HULL" if active else "BOX"
    settings.use_margin = True
    settings.collision_margin = 0.0 if active else 0.02
    settings.friction = 0.65 if active else 0.8
    settings.restitution = 0.05
    if active:
        settings.mass = 0.1
        settings.linear_damping = 0.15
        settings.angular_damping = 0.45
    return body


def _box(name: str, centre: tuple[float, float, float], half: tuple[float, float, float]) -> None:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
    _add(name, corners, active=False).location = centre


def settle(bodies: list[Body], *, half_field: float) -> list[Matrix] | None:
    """Drop the bodies between four invisible walls and return their resting places.

    Parameters
    ----------
    bodies : list of Body
    half_field : float
        Half the edge of the square that the walls enclose, cm.

    Returns
    -------
    list of Matrix, or None
        World matrices in the order of ``bodies``; None if something fell out or still moves.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.gravity = (0.0, 0.0, -180.0)
    bpy.ops.rigidbody.world_add()
    world = scene.rigidbody_world
    world.substeps_per_frame = 14
    world.solver_iterations = 12
    world.point_cache.frame_end = FRAMES + 1
    _box("floor", (0, 0, -2), (60, 60, 2))
    for name, (x, y) in {"east": (1, 0), "west": (-1, 0), "north": (0, 1), "south": (0, -1)}.items():
        far = half_field + 2
        _box(name, (x * far, y * far, 20), (2 if x else 60, 2 if y else 60, 22))
    objects = []
    for number, body in enumerate(bodies):
        made = _add(f"body{number}", body.hull, active=True)
        made.location = body.start.tolist()
        made.rotation_euler = Euler(body.rotation.tolist())
        objects.append(made)
    before: list[Matrix] = []
    for frame in range(1, FRAMES + 1):
        scene.frame_set(frame)
        if frame == FRAMES - 4:
            before = [o.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world.copy() for o in objects]
    after = [o.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world.copy() for o in objects]
    for a, b in zip(before, after, strict=True):
        moved = (a.translation - b.translation).length
        turned = a.to_quaternion().rotation_difference(b.to_quaternion())
        fallen = max(abs(b.translation.x), abs(b.translation.y)) > half_field or not -0.5 < b.translation.z < 12
        if fallen or moved > 0.25 or abs(Quaternion(turned).angle) > 0.4:
            return None
    return after
