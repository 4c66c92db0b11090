"""Strict JSON: sorted keys out; on the way in every unknown, missing or mistyped field is a named error."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from anomaly.errors import CalibrationError


def dump_text(value: Mapping[str, Any]) -> str:
    """Return deterministic JSON text; floats are written by repr, so they come back exactly."""
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=True) + "\n"


def load_object(text: str, *, what: str) -> dict[str, Any]:
    """Return the JSON object in ``text``.

    Raises
    ------
    CalibrationError
        No JSON, no object, a key twice, or NaN and infinity, which JSON does not have.
    """

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key stands twice in one object")
        return dict(pairs)

    try:
        value = json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise CalibrationError(f"{what} must be JSON text: {error}; restore the file from a copy") from error
    if not isinstance(value, dict):
        raise CalibrationError(
            f"{what} must be a JSON object, got {type(value).__name__}; restore the file from a copy"
        )
    return value


class Fields:
    """The fields of one JSON object, each of which has to be asked for by type."""

    def __init__(self, value: object, *, what: str, keys: Collection[str]) -> None:
        if not isinstance(value, dict):
            raise CalibrationError(f"{what} must be an object, got {type(value).__name__}; restore the file")
        missing, unknown = sorted(set(keys) - set(value)), sorted(set(value) - set(keys))
        if missing or unknown:
            raise CalibrationError(
                f"{what}: missing fields {missing}, unknown fields {unknown}; restore the file from a copy"
            )
        self._value: dict[str, Any] = value
        self._what = what

    def text(self, key: str) -> str:
        value = self._value[key]
        return value if isinstance(value, str) else self._wrong(key, "text")

    def integer(self, key: str) -> int:
        value = self._value[key]
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong(key, "an integer")
        return value

    def number(self, key: str) -> float:
        value = self._value[key]
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            self._wrong(key, "a number")
        try:
            number = float(value)
        except OverflowError:
            self._wrong(key, "a finite number")
        return number if math.isfinite(number) else self._wrong(key, "a finite number")

    def optional_number(self, key: str) -> float | None:
        return None if self._value[key] is None else self.number(key)

    def items(self, key: str) -> list[Any]:
        value = self._value[key]
        return value if isinstance(value, list) else self._wrong(key, "a list")

    def entries(self, key: str) -> dict[str, Any]:
        value = self._value[key]
        return value if isinstance(value, dict) else self._wrong(key, "an object")

    def raw(self, key: str) -> object:
        return self._value[key]

    def _wrong(self, key: str, expected: str) -> NoReturn:
        raise CalibrationError(
            f"{self._what}: {key} must be {expected}, got {str(self._value[key])[:40]!r}; restore the file from a copy"
        )
