"""Plain values out of JSON, made into the types that a record has, or refused."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def checked(kind: Any, value: object, name: str) -> Any:
    """Return a value as the type that a record has for it.

    Parameters
    ----------
    kind : type
        A dataclass, a plain type, or a tuple, mapping, union or ``Literal`` of such; ``Any`` takes whatever comes.
    value : object
        Out of JSON: tuples are lists there, and whole numbers may stand for others.
    name : str
        Of the value, for the error.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        It is of another type, an entry is missing, or there is one too many.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _record(kind, value, name)
    if origin in (Union, types.UnionType):
        return _one_of(inner, value, name)
    if origin is tuple:
        return _row(inner, value, name)
    if origin in (dict, Mapping):
        return {key: checked(inner[1], entry, f"{name}.{key}") for key, entry in _table(value, name).items()}
    if origin is Literal:
        fits = isinstance(value, str) and value in inner
    elif kind is float and type(value) is int:
        return _as_float(value, name)
    else:
        fits = type(value) is kind
    if not fits:
        raise _refused(value, name)
    return value


def _record(kind: Any, value: object, name: str) -> Any:
    table, hints, fields = _table(value, name), _hints(kind), dataclasses.fields(kind)
    if unknown := sorted(table.keys() - hints.keys()):
        raise ValueError(f"{name} has an entry {unknown[0]!r} too many")
    needed = [
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if missing := [entry for entry in needed if entry not in table]:
        raise ValueError(f"{name} has no {missing[0]!r}")
    return kind(**{entry: checked(hints[entry], own, f"{name}.{entry}") for entry, own in table.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _table(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused(value, name)
    return value


def _one_of(kinds: tuple[Any, ...], value: object, name: str) -> Any:
    for kind in kinds:
        try:
            return checked(kind, value, name)
        except ValueError:
            continue
    raise _refused(value, name)


def _row(kinds: tuple[Any, ...], value: object, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _refused(value, name)
    if kinds[1:] == (...,):
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise _refused(value, name)
    return tuple(
        checked(kind, entry, f"{name}[{place}]") for place, (kind, entry) in enumerate(zip(kinds, value, strict=True))
    )


def _as_float(value: int, name: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise _refused(value, name) from None


def _refused(value: object, name: str) -> ValueError:
    return ValueError(f"{name} is {value!r:.60}")
