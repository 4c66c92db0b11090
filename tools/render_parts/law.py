"""The law from which every picture is drawn: (part type, seed, index) -> session, label, generators.

Undamaged and damaged pictures follow the same law; a damaged one only has one to three of its parts
replaced after everything else has been drawn, and no two pictures share a draw, so there are no twins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

PartType = Literal["gears", "springs"]
PART_TYPES: tuple[PartType, ...] = ("gears", "springs")
SESSIONS = 10
DAMAGED_SHARE = 10 / 26
IMAGES = 260
_TYPE_NUMBER = {"gears": 1, "springs": 2}


@dataclass(frozen=True)
class Session:
    """What stays the same while one batch after another is photographed.

    Angles in radians, lengths in centimetres.
    """

    number: int
    key_azimuth: float
    key_elevation: float
    key_power: float
    key_size: float
    fill_share: float
    dome_power: float
    kelvin_shift: float
    room: float
    field: float
    camera_tilt: tuple[float, float]
    camera_roll: float
    aperture: float
    support_value: float
    support_hue: float
    wear: float
    dirt: float
    exposure: float
    noise: float
    vignette: float
    sharpness: float
    jpeg_quality: int


@dataclass(frozen=True)
class Place:
    """Where a picture stands in the data set."""

    part_type: PartType
    index: int
    session: int
    damaged: bool

    @property
    def group(self) -> str:
        """Name of the session; unique over part types."""
        return f"{self.part_type}-session-{self.session:02d}"

    @property
    def name(self) -> str:
        """File name without its ending."""
        return f"{self.part_type[:-1]}_{self.index:04d}"


def place(part_type: PartType, index: int) -> Place:
    """Return session and label of picture ``index``; every prefix of the indices is nearly balanced."""
    turn = index // SESSIONS
    session = index % SESSIONS
    step = turn + session * 7 % 26  # sessions meet their damaged pictures in different turns
    damaged = int((step + 1) * DAMAGED_SHARE + 1e-9) > int(step * DAMAGED_SHARE + 1e-9)
    return Place(part_type, index, session, damaged)


def generator(part_type: PartType, seed: int, *key: int) -> np.random.Generator:
    """Return the generator of one purpose; ``key`` are non-negative numbers that name the purpose."""
    return np.random.default_rng([seed, _TYPE_NUMBER[part_type], *key])


def draw_session(part_type: PartType, seed: int, number: int) -> Session:
    """Draw the conditions of one session."""
    rng = generator(part_type, seed, 1, number)
    gears = part_type == "gears"
    return Session(
        number=number,
        key_azimuth=float(rng.normal(2.3, 0.35)),
        key_elevation=float(np.deg2rad(rng.uniform(44, 58))),
        key_power=float(rng.uniform(0.85, 1.15)),
        key_size=float(rng.uniform(20, 30)),
        fill_share=float(rng.uniform(0.25, 0.5)),
        dome_power=float(rng.uniform(0.8, 1.25)),
        kelvin_shift=float(rng.normal(0, 0.5)),
        room=float(rng.uniform(0.8, 1.3)),
        field=float((17.0 if gears else 12.0) * rng.uniform(0.98, 1.03)),
        camera_tilt=(float(rng.normal(0, 0.02)), float(rng.normal(0, 0.02))),
        camera_roll=float(rng.normal(0, 0.03)),
        aperture=float(rng.uniform(0.8, 1.6)),
        support_value=float(rng.uniform(0.85, 1.18)),
        support_hue=float(rng.normal(0, 1.0)),
        wear=float(rng.uniform(0.5, 1.3)),
        dirt=float(rng.uniform(0.5, 1.4)),
        exposure=float(rng.normal(0, 0.07)),
        noise=float(rng.uniform(0.8, 1.3)),
        vignette=float(rng.uniform(0.10, 0.24)),
        sharpness=float(rng.uniform(0.35, 0.6)),
        jpeg_quality=int(rng.integers(80, 84)),
    )


def draw_count(rng: np.random.Generator) -> int:
    """Draw the number of parts in a picture, 5 to 14."""
    return int(rng.integers(5, 15))


def draw_damages(rng: np.random.Generator, kinds: tuple[str, ...]) -> list[tuple[str, float]]:
    """Draw one to three damages: kind and severity in [0, 1]."""
    count = int(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12]))
    return [(str(rng.choice(kinds)), float(rng.uniform(0, 1))) for _ in range(count)]
