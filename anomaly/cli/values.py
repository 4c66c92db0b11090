"""Texts of the command line to values; what cannot be read raises ``argparse.ArgumentTypeError``."""

from __future__ import annotations

import argparse
import math
import tomllib
from datetime import UTC, datetime


def rate(text: str) -> float:
    """Read a share between 0 and 1."""
    value = _number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, such as 0.05 for 5 %, got {text!r}")
    return value


def cost(text: str) -> float:
    """Read a number above 0."""
    value = _number(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, such as 10, got {text!r}")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}")
    return value


def whole(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def time(text: str) -> str:
    """Read a time; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time such as 2026-03-01T08:00, got {text!r}") from None
    from anomaly.journal import time_text  # few calls read a journal

    return time_text(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)


def named(text: str) -> str:
    """Refuse the empty name: an unset variable of the shell must not stand for this folder."""
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got an empty text")
    return text


def setting(text: str) -> tuple[str, object]:
    """Read ``SECTION.NAME=VALUE``; a bare word is a text."""
    name, equals, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected SECTION.NAME=VALUE, such as geometry.size=512, got {text!r}")
    try:
        table = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return name, value
    # A bare word is no TOML value, but plainly a text; so is what smuggles in a second line.
    return name, table["value"] if len(table) == 1 else value
