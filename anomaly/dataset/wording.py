"""The words that users write for labels, and how lists of names read in a message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from anomaly.imaging.names import printable_name
from anomaly.types import DAMAGED, UNDAMAGED, Label

UNDAMAGED_WORDS = ("undamaged", "good", "ok", "normal")
DAMAGED_WORDS = ("damaged", "bad", "defect", "defective", "ng", "anomaly")
LABEL_WORDS = UNDAMAGED_WORDS + DAMAGED_WORDS


def label_of(word: str) -> Label | None:
    """Return the label that a word stands for, whatever its case; None: it is no label word."""
    word = word.strip().casefold()
    if word in UNDAMAGED_WORDS:
        return UNDAMAGED
    return DAMAGED if word in DAMAGED_WORDS else None


def suggestion(word: str, accepted: Iterable[str]) -> str:
    """Return ``", did you mean 'good'?"`` for a near miss, else an empty string."""
    close = difflib.get_close_matches(word.strip().casefold(), list(accepted), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def listed(names: Sequence[str], *, most: int = 3) -> str:
    """Name the first few and count the others: ``"a, b, c and 4 more"``; safe for a message of one line."""
    text = ", ".join(printable_name(name) for name in names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"


def counted(n: int, noun: str) -> str:
    """Return ``"1 image"`` or ``"3 images"``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
