"""A mesh as plain arrays: what the part builders return and the scene turns into Blender objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Vertices and faces of one part, in centimetres, in the frame of the part.

    Attributes
    ----------
    vertices : ndarray of float64, (v, 3)
    quads : ndarray of int64, (q, 4)
    triangles : ndarray of int64, (t, 3)
    damage : ndarray of float64, (v,)
        How far a vertex belongs to a damage, in [0, 1]; all zero in an undamaged part.
    fracture : ndarray of float64, (v,)
        1 where the surface is a fresh, rough break.
    rust : ndarray of float64, (v,)
        How strongly a vertex is rusted, in [0, 1].
    uv : ndarray of float64, (v, 2)
        Position along and around the wire of a spring; zero for gears.
    """

    vertices: FloatArray
    quads: IntArray
    triangles: IntArray
    damage: FloatArray
    fracture: FloatArray
    rust: FloatArray
    uv: FloatArray


def plain_mesh(vertices: FloatArray, quads: IntArray, triangles: IntArray | None = None) -> Mesh:
    """Return an undamaged mesh of these arrays."""
    n = len(vertices)
    none = np.zeros((0, 3), dtype=np.int64)
    return Mesh(
        vertices=vertices,
        quads=quads,
        triangles=none if triangles is None else triangles,
        damage=np.zeros(n),
        fracture=np.zeros(n),
        rust=np.zeros(n),
        uv=np.zeros((n, 2)),
    )


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Put several meshes into one; nothing is welded."""
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    return Mesh(
        vertices=np.concatenate([m.vertices for m in meshes]),
        quads=np.concatenate([m.quads + s for m, s in zip(meshes, starts, strict=True)]),
        triangles=np.concatenate([m.triangles + s for m, s in zip(meshes, starts, strict=True)]),
        damage=np.concatenate([m.damage for m in meshes]),
        fracture=np.concatenate([m.fracture for m in meshes]),
        rust=np.concatenate([m.rust for m in meshes]),
        uv=np.concatenate([m.uv for m in meshes]),
    )


def faces_of(mesh: Mesh, vertex_mask: npt.NDArray[np.bool_]) -> Mesh:
    """Return the faces of which at least one vertex is in ``vertex_mask`` ((v,) bool), as a damage."""
    quads = mesh.quads[vertex_mask[mesh.quads].any(axis=1)]
    triangles = mesh.triangles[vertex_mask[mesh.triangles].any(axis=1)]
    kept = plain_mesh(mesh.vertices, quads, triangles)
    kept.damage[:] = 1.0
    return kept
