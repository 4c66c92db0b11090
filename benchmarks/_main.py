"""What every benchmark program does around its work."""

from __future__ import annotations

import sys
from collections.abc import Callable

from anomaly.errors import AnomalyError


def exit_status(work: Callable[[], None]) -> int:
    """Do the work; a known error becomes one line on stderr and status 1."""
    try:
        work()
    except AnomalyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
