"""Which settings an experiment compares, and which combinations of them it tries."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, get_type_hints

import numpy as np

from anomaly.config import Config, read_toml, replace_setting
from anomaly.detector.candidates import MOST_ENLARGED
from anomaly.embedding.registry import backbone
from anomaly.errors import ConfigError

Value: TypeAlias = str | int | float | bool | tuple[str, ...]
Settings: TypeAlias = Mapping[str, Value]

TAPS = "embedding.taps"
BACKBONE = "embedding.backbone"
SIZE = "geometry.size"
TURNS = "bank.turns"
BEHIND = (
    TAPS, "embedding.whitening", TURNS, "bank.max_rows", "bank.neighbours", "scoring.smoothing", "scoring.top_share",
)  # fmt: skip
"""Settings that act behind the network: trials that differ in these alone share what it made of the photographs."""
BEFORE = (BACKBONE, SIZE, "embedding.neighbourhood", "embedding.margin")
"""Settings that decide what the network makes of an image."""


def _axes() -> dict[str, tuple[Value, ...]]:
    return {
        BACKBONE: ("efficientnet_lite0", "efficientnet_lite2"),
        SIZE: (320, 448, 640),
        TAPS: ("registry",),
        "embedding.whitening": (False, True),
        TURNS: (1, 4),
        "bank.max_rows": (500, 2000),
        "bank.neighbours": (1, 3),
        "scoring.smoothing": (0.5, 1.0, 2.0),
        "scoring.top_share": (0.001, 0.003, 0.01),
    }


@dataclass(frozen=True)
class Space:
    """What an experiment tries, and how it judges.

    Attributes
    ----------
    axes : mapping of str to tuple
        Settings by their names with the values to try. ``embedding.taps`` may be ``("registry",)``: the sets of taps
        that the registry names for each backbone.
    trials : int
        Combinations that are drawn from the grid; all of it where it is smaller.
    folds, repeats : int
        Of the cross-validation.
    undamaged, damaged : int
        Photographs that take part, evenly spaced among those of memory and validation.
    patches : int
        Patches of one tap that the memory of one fold is selected from.
    seed : int

    Raises
    ------
    ConfigError
        A number is out of range, or an axis cannot be varied or has no values.
    """

    axes: Mapping[str, tuple[Value, ...]] = field(default_factory=_axes)
    trials: int = 96
    folds: int = 3
    repeats: int = 2
    undamaged: int = 60
    damaged: int = 40
    patches: int = 40_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in sorted(_NUMBERS):
            value, least = getattr(self, name), _LEAST.get(name, 1)
            if type(value) is not int or value < least:
                raise ConfigError(f"{name} is {value!r}: expected a whole number from {least}")
        for name, values in self.axes.items():
            if name not in BEFORE + BEHIND:
                raise ConfigError(f"an experiment cannot vary {name}: expected one of {', '.join(BEFORE + BEHIND)}")
            if not isinstance(values, tuple) or not values:
                raise ConfigError(f"{name} is {values!r}: expected a tuple of values to try")
        if not self.axes:
            raise ConfigError("axes is empty: name at least one setting with the values to try")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found


_NUMBERS = frozenset(get_type_hints(Space)) - {"axes"}
_LEAST = {"seed": 0, "folds": 2}


def read_space(path: Path) -> Space:
    """Read a TOML file; what it leaves out keeps its default, and ``[axes]`` as a whole replaces the default axes.

    Raises
    ------
    ConfigError
        It cannot be read, or names something that an experiment cannot vary.
    """
    table = read_toml(path, what="space", model="start from configs/experiments.toml")
    unknown = sorted(set(table) - _NUMBERS - {"axes"})
    if unknown:
        raise ConfigError(f"{unknown[0]} is no setting of an experiment: expected axes, {', '.join(sorted(_NUMBERS))}")
    axes = table.pop("axes", None)
    if axes is not None and not isinstance(axes, dict):
        raise ConfigError(f"axes is {axes!r}: expected a table of settings with the values to try")
    return Space(**table) if axes is None else Space(axes=_tuples(_flat(axes)), **table)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return ``section.setting`` -> values of nested or dotted tables."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def _tuples(axes: Mapping[str, Any]) -> dict[str, tuple[Value, ...]]:
    """Return the axes as a space takes them, from lists as TOML has them."""
    found: dict[str, tuple[Value, ...]] = {}
    for name, values in axes.items():
        if name == TAPS and values == "registry":
            values = ["registry"]
        if not isinstance(values, list):
            raise ConfigError(f"{name} is {values!r}: expected a list of values to try")
        found[name] = tuple(tuple(value) if isinstance(value, list) else value for value in values)
    return found


def draw(space: Space, config: Config, *, fixed: Sequence[str] = (), image_area: float) -> tuple[Settings, ...]:
    """Draw the combinations to try; the same for the same arguments, numbered by their place.

    Parameters
    ----------
    space : Space
    config : Config
        Settings that no axis varies.
    fixed : sequence of str
        Settings that somebody chose on purpose: their axes are dropped.
    image_area : float
        Original pixels of a typical photograph; sizes that enlarge it by more than half are left out.

    Returns
    -------
    tuple of mapping
        Those with the same network and size stand together. Every one names the same settings.

    Raises
    ------
    ConfigError
        A value is out of range.
    """
    axes = {name: values for name, values in space.axes.items() if name not in fixed}
    if SIZE in axes:
        axes[SIZE] = _sizes(axes[SIZE], MOST_ENLARGED * math.sqrt(image_area))
    grid = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    full = [settings for entry in grid for settings in _with_taps(entry, config)]
    order = np.random.default_rng(space.seed).permutation(len(full))[: space.trials]
    chosen = [full[number] for number in sorted(order)]
    for settings in chosen:
        apply(settings, config)
    return tuple(sorted(chosen, key=lambda settings: front(settings)))


def _sizes(values: Sequence[Value], largest: float) -> tuple[int, ...]:
    """Return the sizes up to the largest; the smallest where all are larger."""
    sizes: list[int] = []
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"{SIZE} is {value!r}: expected whole numbers to try")
        sizes.append(value)
    return tuple(size for size in sizes if size <= largest) or (min(sizes),)


def apply(settings: Settings, config: Config) -> Config:
    """Return the configuration with these settings.

    Raises
    ------
    ConfigError
        A value is out of range.
    """
    for name, value in settings.items():
        config = replace_setting(config, name, list(value) if isinstance(value, tuple) else value)
    return config


def front(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return what trials must have in common to share features."""
    return tuple((name, f"{value:>8}" if isinstance(value, int) else str(value)) for name, value in settings.items()
                 if name in BEFORE)  # fmt: skip


def _with_taps(entry: Mapping[str, Value], config: Config) -> list[dict[str, Value]]:
    """Put the registry's sets of taps in the place of ``registry``."""
    if entry.get(TAPS) != "registry":
        return [dict(entry)]
    name = str(entry.get(BACKBONE, config.embedding.backbone))
    return [{**entry, TAPS: taps} for taps in backbone(name).tap_sets]


def describe(settings: Settings) -> str:
    """Say a combination in words."""
    words = {
        BACKBONE: "{}",
        SIZE: "{}² pixels",
        TAPS: "taps {}",
        "bank.max_rows": "{} rows",
        "bank.neighbours": "{} neighbours",
        "scoring.smoothing": "smoothing {}",
        "scoring.top_share": "top share {}",
        "embedding.neighbourhood": "neighbourhood {}",
        "embedding.margin": "margin {}",
    }
    parts = []
    for name, value in settings.items():
        if name == "embedding.whitening":
            parts.append("whitened" if value else "not whitened")
        elif name == TURNS:
            parts.append("as photographed" if value == 1 else f"at {value} angles")
        elif name == "bank.neighbours" and value == 1:
            parts.append("1 neighbour")
        else:
            parts.append(words[name].format(" ".join(value) if isinstance(value, tuple) else value))
    return ", ".join(parts)
