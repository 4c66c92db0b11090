"""Settings of a detector: frozen dataclasses are the schema and the defaults.

``configs/default.toml`` mirrors these defaults (a test keeps them equal).
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from anomaly.errors import ConfigError

_OPENED = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
_MOST_BYTES = 4_000_000
_LARGEST = 2**63  # what TOML promises to hold


@dataclass(frozen=True)
class ImageConfig:
    """Limits on what is decoded."""

    max_megapixels: float = 200.0
    """Larger images are refused before they are decoded (decompression bombs)."""
    max_megabytes: float = 200.0
    """Larger files are refused before they are opened."""


@dataclass(frozen=True)
class GeometryConfig:
    """How an image becomes network pixels."""

    size: int = 448
    """Square root of the area in network pixels; the aspect ratio of the image is kept."""


@dataclass(frozen=True)
class EmbeddingConfig:
    """The frozen backbone and what is read from it."""

    backbone: str = "efficientnet_lite0"
    """Name of a registry entry."""
    taps: tuple[str, ...] = ()
    """Names of the taps; empty: the registry's default for the backbone."""
    neighbourhood: int = 3
    """Odd side of the window over which patch embeddings are averaged; 1: none."""
    margin: int = 1
    """Patches at the border of the image that reflection of the image replaces, in strides of the input multiple."""
    whitening: bool = False
    """Whiten each tap with the shrunk covariance of the undamaged patches."""
    weights: str = ""
    """File with the backbone's weights; empty: embedded, cached or downloaded by name."""


@dataclass(frozen=True)
class BankConfig:
    """The memory bank: one for each tap."""

    coreset_ratio: float = 0.1
    """Share of all training patches that the coreset keeps, in (0, 1]."""
    max_rows: int = 10_000
    """Upper limit on the rows of one tap's bank."""
    neighbours: int = 1
    """Neighbours whose mean distance is the patch's distance."""
    turns: int = 1
    """Angles, evenly spaced, at which each training image goes into the bank; 1: as photographed, 4: quarter turns."""


@dataclass(frozen=True)
class ScoringConfig:
    """From patch distances to the anomaly map and the image score."""

    top_share: float = 0.01
    """The image score is the mean of this share of the largest map values, in (0, 1]."""
    smoothing: float = 0.5
    """Standard deviation of the Gaussian over the anomaly map, in patches of the finest tap; 0: none."""
    whole_map: bool = False
    """Prove every distance; otherwise only those that the score and the regions rest on, which takes less time."""


@dataclass(frozen=True)
class CaptureConfig:
    """Which pictures are too unlike those of training to be judged."""

    check: bool = True
    """Whether pictures are checked at all."""
    false_alarm_rate: float = 0.01
    """Share of ordinary pictures that the limits may warn of; learnt in training."""
    refuse_at: float = 2.0
    """Multiple of the limits beyond which a picture is not judged."""


@dataclass(frozen=True)
class PartsConfig:
    """Whether a picture of several parts gets a verdict on each of them."""

    find: bool = True
    """Learn from the undamaged images what a part looks like; pictures of one part are judged whole either way."""


@dataclass(frozen=True)
class SplitConfig:
    """Shares of the images where the data name no split of their own."""

    validation: float = 0.2
    test: float = 0.2
    damaged_validation: float = 0.5
    """Share of the damaged images that validation gets; the others are the test split's."""


@dataclass(frozen=True)
class SelectionConfig:
    """What ``--train`` tries in place of the settings that nobody has given.

    It decides on labelled validation images; without enough of them the given settings and the defaults stand.
    """

    automatic: bool = True
    """Try others at all."""
    backbones: tuple[str, ...] = ("efficientnet_lite0", "efficientnet_lite2")
    """For ``embedding.backbone``, unless taps or a file of weights were given, which belong to one backbone."""
    sizes: tuple[int, ...] = (448, 640, 896, 1280, 1792)
    """For ``geometry.size``; sizes that would enlarge the images by more than half are left out.

    Sizes of more than twice ``geometry.size`` do not enlarge the typical image, and are tried one after the other, as
    long as the largest so far is the best and the labels are not told apart.
    """
    smoothing: tuple[float, ...] = (0.5, 1.0, 2.0)
    """For ``scoring.smoothing``."""
    top_share: tuple[float, ...] = (0.001, 0.003, 0.01)
    """For ``scoring.top_share``."""
    turns: tuple[int, ...] = (4, 8)
    """For ``bank.turns``, once the other settings are chosen, unless the labels are told apart by then; empty: none."""
    leave_out: bool = True
    """Leave undamaged images out of the memory bank in which damaged validation images would look more ordinary."""


@dataclass(frozen=True)
class Config:
    """Everything that decides what a trained model becomes, besides the data.

    ``seed`` feeds every random choice of training (split, first pick of the coreset).
    """

    seed: int = 0
    image: ImageConfig = field(default_factory=ImageConfig)
    geometry: GeometryConfig = field(default_factory=GeometryConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    bank: BankConfig = field(default_factory=BankConfig)
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    capture: CaptureConfig = field(default_factory=CaptureConfig)
    parts: PartsConfig = field(default_factory=PartsConfig)


def load_config(path: Path | str) -> Config:
    """Read a TOML file; what it leaves out keeps its default.

    Raises
    ------
    ConfigError
        The file cannot be read or parsed, or holds an unknown or ill-typed setting.
    """
    return load_settings(path)[0]


def load_settings(path: Path | str) -> tuple[Config, frozenset[str]]:
    """Read a TOML file, and tell which settings it names, as ``section.setting``.

    Raises
    ------
    ConfigError
        As :func:`load_config`.
    """
    table = read_toml(path, what="configuration", model="mend it or start from configs/default.toml")
    config = config_from_dict(table)
    named = {f"{section}.{setting}" for section, entry in table.items() if isinstance(entry, dict) for setting in entry}
    return config, frozenset(named | {name for name, entry in table.items() if not isinstance(entry, dict)})


def read_toml(path: Path | str, *, what: str, model: str) -> dict[str, Any]:
    """Read a TOML file, with or without byte-order mark; from standard input too, but never from what has no end.

    Parameters
    ----------
    path : Path or str
    what, model : str
        What the file is called, and what to do where it is no TOML.

    Raises
    ------
    ConfigError
        It is no file, or cannot be read or parsed.
    """
    try:
        # A pipe that lies about may never be written to; one that the caller opened for this call is.
        if not (
            Path(path).is_file() or str(path).startswith(_OPENED) or str(path) == os.devnull or not Path(path).exists()
        ):
            raise ConfigError(f"cannot read the {what} {path} (it is a folder, pipe or device): give a TOML file")
        with Path(path).open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ConfigError(f"cannot read the {what} {path} (it has more than {_MOST_BYTES} bytes): give a TOML file")
        return tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read the {what} {path} ({error.strerror}): give a TOML file") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is not valid TOML (nested too deeply): {model}") from error
    except ValueError as error:  # of TOML, of UTF-8, or a number of thousands of digits
        raise ConfigError(f"{path} is not valid TOML ({error}): {model}") from error


def config_from_dict(table: dict[str, Any]) -> Config:
    """Build a configuration from nested plain values, checked against the schema and the allowed ranges.

    Raises
    ------
    ConfigError
        A setting is unknown, of the wrong type or out of range.
    """
    config: Config = _build(Config, table, prefix="")
    validate(config)
    return config


def config_to_dict(config: Config) -> dict[str, Any]:
    """Nested plain values, as in TOML and JSON; the inverse of :func:`config_from_dict`."""
    return dataclasses.asdict(config)


def replace_setting(config: Config, name: str, value: object) -> Config:
    """Copy of a configuration with one setting changed, named as ``section.setting`` (or ``seed``).

    Raises
    ------
    ConfigError
        As :func:`config_from_dict`.
    """
    table = config_to_dict(config)
    section, _, setting = name.rpartition(".")
    place = table.get(section) if section else table
    if not isinstance(place, dict):
        sections = ", ".join(key for key, entry in table.items() if isinstance(entry, dict))
        raise ConfigError(f"{name} is no setting: expected seed or SECTION.NAME with a section of {sections}")
    place[setting] = value
    return config_from_dict(table)


def validate(config: Config) -> None:
    """Check that every setting is in its range.

    Raises
    ------
    ConfigError
        Names the first setting that is not, and the range.
    """
    ranges: dict[str, tuple[float, float]] = {
        "image.max_megapixels": (0.001, 10_000),
        "image.max_megabytes": (0.001, 10_000),
        "geometry.size": (64, 4096),
        "embedding.neighbourhood": (1, 15),
        "embedding.margin": (0, 1),
        "bank.coreset_ratio": (1e-6, 1.0),
        "bank.max_rows": (1, 10_000_000),
        "bank.neighbours": (1, 100),
        "bank.turns": (1, 360),
        "scoring.top_share": (1e-6, 1.0),
        "scoring.smoothing": (0.0, 100.0),
        "capture.false_alarm_rate": (1e-6, 0.5),
        "capture.refuse_at": (1.0, 1000.0),
        "seed": (0, 2**32 - 1),
    }
    for name, (low, high) in ranges.items():
        value: Any = config
        for part in name.split("."):
            value = getattr(value, part)
        _check_range(name, value, low, high)
    validate_split(config.split)
    lists: dict[str, tuple[Sequence[float], float, float]] = {
        "selection.sizes": (config.selection.sizes, *ranges["geometry.size"]),
        "selection.smoothing": (config.selection.smoothing, *ranges["scoring.smoothing"]),
        "selection.top_share": (config.selection.top_share, *ranges["scoring.top_share"]),
        "selection.turns": (config.selection.turns, *ranges["bank.turns"]),
    }
    for name, (entries, low, high) in lists.items():
        if not all(low <= entry <= high for entry in entries):
            raise ConfigError(f"{name} is {list(entries)}: expected numbers from {low:g} to {high:g}")
    if config.embedding.neighbourhood % 2 == 0:
        raise ConfigError(f"embedding.neighbourhood is {config.embedding.neighbourhood}: expected an odd number")


def validate_split(split: SplitConfig) -> None:
    """Check that every share is in its range, and that something is left for the memory bank.

    Raises
    ------
    ConfigError
    """
    _check_range("split.validation", split.validation, 0.01, 0.8)
    _check_range("split.test", split.test, 0, 0.8)
    _check_range("split.damaged_validation", split.damaged_validation, 0, 1)
    if split.validation + split.test > 0.8:
        raise ConfigError("split.validation + split.test exceed 0.8: leave at least a fifth for the memory bank")


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value}: expected a number from {low:g} to {high:g}")


def _build(cls: Any, table: Any, *, prefix: str) -> Any:
    if not isinstance(table, dict):
        raise ConfigError(f"{prefix.rstrip('.')} is {table!r}: expected a table of settings")
    types = _types_of(cls)
    unknown = sorted(set(table) - set(types))
    if unknown:
        raise ConfigError(f"{prefix}{unknown[0]} is no setting: expected one of {', '.join(sorted(types))}")
    return cls(**{name: _convert(types[name], value, f"{prefix}{name}") for name, value in table.items()})


@cache
def _types_of(cls: Any) -> dict[str, Any]:
    """Return the types of the settings of a section; an experiment asks ten thousand times."""
    return get_type_hints(cls)


def _convert(kind: Any, value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, prefix=f"{name}.")
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{name} is {value!r}: expected a list, each {_TYPE_WORDS[item]}")
        return tuple(_convert(item, entry, name) for entry in value)
    if type(value) is int and abs(value) >= _LARGEST:
        raise ConfigError(f"{name} is too large: expected {_TYPE_WORDS.get(kind, 'a value')} below 2**63")
    if kind is float and type(value) in (int, float):
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{name} is {value!r}: expected {_TYPE_WORDS[kind]}")
    return value


_TYPE_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
