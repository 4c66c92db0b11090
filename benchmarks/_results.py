"""Result tables for people and result files for the repository."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anomaly.errors import OutputError
from anomaly.evaluation.metrics import Undefined
from anomaly.files import cannot_write, replace_file

_ABSOLUTE_PATH = re.compile(r"(?:^|[\s'\"(=:])(?:/[\w.~-]+|[A-Za-z]:\\)")


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay a table out in plain text: the first column to the left, the others to the right.

    Raises
    ------
    ValueError
        A row has another number of cells than the header.
    """
    table = [list(header), *map(list, rows)]
    if any(len(row) != len(header) for row in table):
        raise ValueError(f"expected {len(header)} cells in every row: pad the short ones")
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    table.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )


def percent(value: float | Undefined) -> str:
    """Show a fraction in percent, and what is undefined as a dash."""
    return "-" if isinstance(value, Undefined) else f"{100 * value:.2f}"


def plain(value: float | Undefined) -> float | dict[str, str]:
    """Make a measure fit for JSON; what is undefined keeps its reason."""
    return {"undefined": value.reason} if isinstance(value, Undefined) else round(value, 6)


def write_results(path: Path, content: Mapping[str, Any]) -> None:
    """Write a result file as a whole or not at all.

    Raises
    ------
    OutputError
        It cannot be written, or holds a path of this machine.
    """
    leaked = [text for text in _texts(content) if _ABSOLUTE_PATH.search(text)]
    if leaked:
        raise OutputError(f"results must not hold paths of this machine, found {leaked[0]!r}: leave it out", path=path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    replace_file(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def read_results(path: Path) -> dict[str, Any]:
    """Read a result file; one that is not there is empty.

    Raises
    ------
    OutputError
        Something else lies there.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} is no result file: remove it or name another --output FILE", path=path) from error
    if not isinstance(found, dict):
        raise OutputError(f"{path} is no result file: remove it or name another --output FILE", path=path)
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for item in pair for text in _texts(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return []
