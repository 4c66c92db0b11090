"""Painted surfaces: the tray or belt with its wear, dirt and dust, and the grime that metal carries."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .damage import fractal_noise
from .law import SESSIONS, PartType, Session, generator
from .mesh import FloatArray

SIZE = 1024


@dataclass(frozen=True, eq=False)
class Support:
    """Surface of tray or belt: colour (s, s, 3) linear, roughness (s, s), height (s, s) in cm."""

    colour: FloatArray
    roughness: FloatArray
    height: FloatArray


def _strokes(
    rng: np.random.Generator, count: int, *, length: tuple[float, float], curl: float, width: int, size: int = SIZE
) -> FloatArray:
    """Draw ``count`` thin strokes as a (size, size) picture in [0, 1], each of its own strength."""
    canvas = Image.new("L", (size, size))
    pen = ImageDraw.Draw(canvas)
    for _ in range(count):
        at, turn = rng.uniform(0, size, 2), rng.uniform(0, 2 * np.pi)
        steps = 8
        step = rng.uniform(*length) / steps
        path = [tuple(at)]
        for _ in range(steps):
            turn += rng.normal(0, curl)
            at = at + step * np.array([np.cos(turn), np.sin(turn)])
            path.append(tuple(at))
        pen.line(path, fill=int(255 * rng.uniform(0.1, 1) ** 1.8), width=int(rng.integers(1, width + 1)))
    soft = canvas.filter(ImageFilter.GaussianBlur(0.6))
    return np.asarray(soft, dtype=np.float64) / 255


def _spots(rng: np.random.Generator, count: int, radius: tuple[float, float], size: int = SIZE) -> FloatArray:
    """Draw ``count`` small round specks as a (size, size) picture in [0, 1]."""
    canvas = Image.new("L", (size, size))
    pen = ImageDraw.Draw(canvas)
    for _ in range(count):
        x, y = rng.uniform(0, size, 2)
        r = rng.uniform(radius[0], radius[1]) * rng.uniform(0.4, 1)
        squash = rng.uniform(0.5, 1)
        pen.ellipse((x - r, y - r * squash, x + r, y + r * squash), fill=int(rng.uniform(70, 255)))
    return np.asarray(canvas.filter(ImageFilter.GaussianBlur(0.5)), dtype=np.float64) / 255


def _stains(rng: np.random.Generator, share: float) -> FloatArray:
    """Draw blotches of dried oil with darker borders, (s, s) in [0, 1]."""
    low = fractal_noise(rng, SIZE, coarsest=3, octaves=6)
    level = 1.9 - share
    inside = np.clip((low - level) * 5, 0, 1)
    border = np.exp(-(((low - level) / 0.10) ** 2))
    return np.asarray(0.6 * inside + 0.5 * border * (low > level - 0.2))


def _plastic(rng: np.random.Generator, session: Session) -> Support:
    """Return a moulded, scuffed blue-grey tray."""
    grain = fractal_noise(rng, SIZE, coarsest=170, octaves=2)
    cloud = fractal_noise(rng, SIZE, coarsest=3, octaves=4)
    wear = session.wear * _strokes(rng, int(260 * session.wear), length=(12, 300), curl=0.07, width=2)
    scuff = np.clip(fractal_noise(rng, SIZE, coarsest=4, octaves=6) - 1.0, 0, 1) * session.wear
    base = np.array([0.105, 0.125, 0.150]) * session.support_value
    base = base * (1 + np.array([0.05, 0.0, -0.05]) * session.support_hue)
    tone = 1 + 0.06 * cloud + 0.03 * grain + 0.55 * wear + 0.25 * scuff
    colour = base * tone[..., None] + 0.02 * wear[..., None]
    roughness = np.clip(0.46 + 0.05 * cloud + 0.14 * scuff + 0.1 * wear, 0.2, 0.95)
    return Support(colour, roughness, 0.0035 * grain - 0.006 * wear)


def _belt(rng: np.random.Generator, session: Session) -> Support:
    """Return a light grey-green conveyor belt with a fine weave."""
    line = np.arange(SIZE)
    y, x = np.meshgrid(line, line, indexing="ij")
    wobble = 1.5 * fractal_noise(rng, SIZE, coarsest=6, octaves=3)
    period = SIZE / 128
    warp = np.sin(2 * np.pi * (x + wobble) / period) * np.sign(np.sin(np.pi * (y + 0.5) / period))
    weft = np.cos(2 * np.pi * (y + wobble) / period) * np.sign(np.sin(np.pi * (x + 0.5) / period))
    weave = np.maximum(warp, weft)
    cloud = fractal_noise(rng, SIZE, coarsest=3, octaves=5)
    fibre = fractal_noise(rng, SIZE, coarsest=128, octaves=2)
    wear = session.wear * _strokes(rng, int(200 * session.wear), length=(80, 700), curl=0.04, width=3)
    base = np.array([0.235, 0.262, 0.235]) * session.support_value
    base = base * (1 + np.array([0.04, 0.0, -0.04]) * session.support_hue)
    tone = 1 + 0.05 * cloud + 0.06 * weave + 0.05 * fibre - 0.22 * wear
    return Support(base * tone[..., None], np.clip(0.62 + 0.06 * cloud - 0.1 * wear, 0.2, 0.95), 0.006 * weave)


@functools.lru_cache(maxsize=SESSIONS)
def _worn(part_type: PartType, session: Session, seed: int) -> tuple[Support, FloatArray]:
    """Paint what a session keeps: the worn support and its old stains."""
    rng = generator(part_type, seed, 5, session.number)
    made = (_plastic if part_type == "gears" else _belt)(rng, session)
    lasting = _stains(rng, 0.5 * session.dirt).astype(np.float32)
    return Support(*(a.astype(np.float32) for a in (made.colour, made.roughness, made.height))), lasting


def support(part_type: PartType, session: Session, seed: int, rng: np.random.Generator) -> Support:
    """Paint the support: its wear belongs to the session, stains, dust and fluff to the picture."""
    made, lasting = _worn(part_type, session, seed)
    shift = tuple(int(v) for v in rng.integers(0, SIZE, 2))
    made = Support(*(np.roll(a, shift, axis=(0, 1)) for a in (made.colour, made.roughness, made.height)))
    fresh = _stains(rng, rng.uniform(0.1, 0.7) * session.dirt)
    dirt = np.clip(np.roll(lasting, shift, axis=(0, 1)) + fresh, 0, 1)[..., None]
    brown = np.array([0.80, 0.68, 0.52])
    colour = made.colour * (1 - dirt * (1 - brown * 0.75))
    dust = _spots(rng, int(rng.uniform(150, 700) * session.dirt), (0.6, 2.2))
    fluff = _strokes(rng, int(rng.integers(4, 22)), length=(15, 70), curl=0.5, width=1)
    crumbs = _spots(rng, int(rng.uniform(5, 40) * session.dirt), (1.0, 3.2))
    pale = np.clip(0.55 * dust + 0.5 * fluff, 0, 0.8)[..., None]
    colour = colour * (1 - pale) + pale * np.array([0.42, 0.41, 0.38])
    colour = colour * (1 - 0.85 * crumbs[..., None]) + 0.85 * crumbs[..., None] * np.array([0.03, 0.025, 0.02])
    roughness = np.clip(made.roughness - 0.22 * dirt[..., 0] + 0.2 * pale[..., 0], 0.15, 0.95)
    height = made.height + 0.010 * dust + 0.015 * crumbs + 0.008 * fluff
    return Support(np.clip(colour, 0.004, 0.9), roughness, height)


def grime(rng: np.random.Generator) -> FloatArray:
    """Paint what metal carries, (s, s, 3) in [0, 1]: fine scratches, oil film and smudges, specks."""
    size = SIZE // 2
    scratches = _strokes(rng, 130, length=(20, 260), curl=0.03, width=1, size=size)
    oil = np.clip(0.45 + 0.30 * fractal_noise(rng, size, coarsest=4, octaves=5), 0, 1)
    specks = np.maximum(
        _spots(rng, 170, (0.5, 1.6), size), 0.6 * _strokes(rng, 14, length=(8, 40), curl=0.5, width=1, size=size)
    )
    return np.stack([scratches, oil, specks], axis=-1)
