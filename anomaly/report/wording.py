"""Numbers as a reader who is no specialist wants them: counts first, rates with the range they may lie in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from anomaly.evaluation import Interval, Rate, Undefined
from anomaly.experiment import CurvePoint

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


SETTINGS = {
    "embedding.backbone": "network",
    "geometry.size": "resolution",
    "embedding.taps": "layers (taps)",
    "embedding.whitening": "whitening",
    "embedding.neighbourhood": "neighbourhood",
    "embedding.margin": "margin",
    "bank.turns": "turned copies",
    "bank.max_rows": "size of the memory",
    "bank.neighbours": "neighbours",
    "scoring.smoothing": "smoothing",
    "scoring.top_share": "share that is scored",
}
"""Settings of an experiment in words."""


def count_of(rate: Rate | Undefined) -> str:
    """``3 of 80``, or why there is no count."""
    return f"undefined: {rate.reason}" if isinstance(rate, Undefined) else f"{rate.count} of {rate.n}"


def percent(value: float) -> str:
    """``3.8 %``; one decimal."""
    return f"{100 * value:.1f} %"


def whole(value: float) -> str:
    """``4 %``."""
    return f"{100 * value:.0f} %"


def span(found: Rate | Interval | Undefined) -> str:
    """``3.8 % (0.8 to 10.6 %)``, or why it is undefined."""
    if isinstance(found, Undefined):
        return f"undefined: {found.reason}"
    return f"{100 * found.value:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f} %)"


def ends(found: Rate | Interval | CurvePoint) -> str:
    """``0.8 to 10.6 %``."""
    return f"{100 * found.low:.1f} to {100 * found.high:.1f} %"


def plural(n: int, one: str, many: str) -> str:
    """``1 batch``, ``2 batches``; for words that :func:`anomaly.dataset.wording.counted` cannot count."""
    return f"{n} {one if n == 1 else many}"


def were(n: int) -> str:
    """``was`` or ``were``."""
    return "was" if n == 1 else "were"


def listing(words: Iterable[str]) -> str:
    """Join words as ``a, b and c``."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def day(moment: str) -> str:
    """``22 November 2026`` of an ISO 8601 time; what is no time is returned as it is."""
    try:
        time = datetime.fromisoformat(moment)
    except ValueError:
        return moment or "not recorded"
    return f"{time.day} {_MONTHS[time.month - 1]} {time.year}"


def kind(defect: str) -> str:
    """Return a kind of damage in words: ``bent tooth`` of ``bent_tooth``."""
    return defect.replace("_", " ").replace("+", " and ")
