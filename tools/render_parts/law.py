"""The law from which every picture is drawn: (part type, seed, index) -> session, label, parts, generators.

Undamaged and damaged pictures follow the same law; a damaged one only has one to three of its parts
replaced after everything else has been drawn, and no two pictures share a draw, so there are no twins.
What a whole picture looks like depends most on how many parts it holds and of which articles. Both are
therefore dealt like cards, label by label: with 100 damaged pictures plain chance left the two labels
1.9 parts apart, enough for the size of the file to tell them.
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
        field=float((16.4 if gears else 12.0) * rng.uniform(0.98, 1.03)),
        camera_tilt=(float(rng.normal(0, 0.02)), float(rng.normal(0, 0.02))),
        camera_roll=float(rng.normal(0, 0.03)),
        aperture=float(rng.uniform(0.8, 1.6)),
        support_value=float(rng.uniform(0.85, 1.18)),
        support_hue=float(rng.normal(0, 1.0)),
        wear=float(rng.uniform(0.3, 0.8)),
        dirt=float(rng.uniform(0.3, 0.9)),
        exposure=float(rng.normal(0, 0.07)),
        noise=float(rng.uniform(0.8, 1.3)),
        vignette=float(rng.uniform(0.10, 0.24)),
        sharpness=float(rng.uniform(0.35, 0.6)),
        jpeg_quality=int(rng.integers(80, 84)),
    )


@dataclass(frozen=True)
class Batch:
    """What is tipped on the support.

    Attributes
    ----------
    count : int
        Number of parts, 5 to 14.
    articles : tuple of int
        One or two positions in the catalogue (a batch is one order, at times two); every part is one of them.
    """

    count: int
    articles: tuple[int, ...]


def deal_batch(where: Place, *, catalogue: int, seed: int) -> Batch:
    """Deal the batch of a picture from a catalogue of ``catalogue`` articles.

    Among the pictures of one label, every number of parts comes up once in ten pictures of a session (in six,
    the mean is kept), and every article equally often over the sessions.
    """
    earlier = [place(where.part_type, index) for index in range(where.index)]
    alike = [p for p in earlier if p.damaged == where.damaged]
    rng = generator(where.part_type, seed, 7, int(where.damaged), where.session)
    low = rng.permutation(np.arange(5, 10))
    counts = np.column_stack([low, 19 - low]).ravel()  # pairs whose mean is 9.5
    count = int(counts[sum(p.session == where.session for p in alike) % len(counts)])

    rng = generator(where.part_type, seed, 8, int(where.damaged))
    sizes = [int(size) for _ in range(len(alike) // 3 + 1) for size in rng.permutation([1, 1, 2])]
    first, last = sum(sizes[: len(alike)]), sum(sizes[: len(alike) + 1])
    rng = generator(where.part_type, seed, 9, int(where.damaged))
    stream = [int(article) for _ in range(last // catalogue + 1) for article in rng.permutation(catalogue)]
    return Batch(count, tuple(sorted(set(stream[first:last]))))


def draw_damages(rng: np.random.Generator, kinds: tuple[str, ...]) -> list[tuple[str, float]]:
    """Draw one to three damages: kind and severity in [0, 1]."""
    count = int(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12]))
    return [(str(rng.choice(kinds)), float(rng.uniform(0, 1))) for _ in range(count)]
