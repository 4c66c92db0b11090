"""What a damage is, whichever part it sits on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mesh import FloatArray, Mesh

GEAR_DAMAGES = ("missing_tooth", "chipped_tooth", "bent_tooth", "cracked_web", "rust", "dent")
SPRING_DAMAGES = ("bent_axis", "uneven_pitch", "crushed_coil", "broken_wire", "broken_hook", "rust")


@dataclass(frozen=True, eq=False)
class Decal:
    """A damage of the surface, painted on the plane of a gear's face.

    Attributes
    ----------
    rust, dark, height, mask : ndarray of float64, (s, s)
        Amount of rust, of open crack, height of the surface in cm, and what counts as damaged;
        row 0 is the lower edge (-y), column 0 the left one (-x).
    reach : float
        The square covers [-reach, reach] cm in both directions.
    """

    rust: FloatArray
    dark: FloatArray
    height: FloatArray
    mask: FloatArray
    reach: float


@dataclass(frozen=True, eq=False)
class DamagedPart:
    """A damaged part: its mesh, what is missing of it, and what is painted on it.

    Attributes
    ----------
    mesh : Mesh
    ghost : Mesh or None
        The surface that an undamaged part would have had where material is gone; drawn into the
        mask only, never into the picture.
    decal : Decal or None
    """

    mesh: Mesh
    ghost: Mesh | None = None
    decal: Decal | None = None


def fractal_noise(rng: np.random.Generator, size: int, *, coarsest: int, octaves: int) -> FloatArray:
    """Tileable value noise (size, size), zero mean and unit standard deviation.

    ``coarsest`` is the number of cells along an edge in the first octave; each octave doubles it
    and halves the amplitude.
    """
    total = np.zeros((size, size))
    for octave in range(octaves):
        cells = coarsest * 2**octave
        if cells > size // 2:
            break
        grid = rng.standard_normal((cells, cells))
        position = np.arange(size) * cells / size
        low = position.astype(int)
        share = position - low
        share = share * share * (3 - 2 * share)
        high = (low + 1) % cells
        rows = grid[low] * (1 - share)[:, None] + grid[high] * share[:, None]
        total += 0.55**octave * (rows[:, low] * (1 - share) + rows[:, high] * share)
    return np.asarray((total - total.mean()) / (total.std() + 1e-12))
