"""Rows as a Parquet file. The only importer of pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from anomaly.errors import OutputError, RuntimeUnavailableError
from anomaly.files import replaced_file

_BATCH = 10_000

Row = dict[str, Any]


def write_parquet(path: Path, columns: Sequence[str], rows: Callable[[], Iterable[Row]]) -> None:
    """Write rows to a Parquet file that appears whole or not at all.

    A column of whole numbers becomes int64, of numbers float64, of anything else, or of nothing, text.

    Parameters
    ----------
    path : Path
    columns : sequence of str
    rows : callable
        Returns the rows from the first on; called twice, since types must be known before the first is written.

    Raises
    ------
    RuntimeUnavailableError
        pyarrow is not installed.
    OutputError
        The file cannot be written.
    """
    pa, pq = _pyarrow()
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in _types(columns, rows()).items()])
    try:
        with replaced_file(path) as beside, beside.open("wb") as stream, pq.ParquetWriter(stream, schema) as writer:
            for batch in _batches(rows()):
                writer.write_table(pa.Table.from_pylist([_fitting(row, schema) for row in batch], schema=schema))
    except OSError as error:
        raise OutputError(
            f"cannot write {path} ({error.strerror or error}): choose another place", path=path
        ) from error


def check_parquet() -> None:
    """Refuse, before long work, a table that :func:`write_parquet` could not write after it.

    Raises
    ------
    RuntimeUnavailableError
        pyarrow is not installed.
    """
    _pyarrow()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"a Parquet file needs pyarrow, which cannot be imported ({error}): pip install 'goodparts[cluster]'"
        ) from error
    return pyarrow, pyarrow.parquet


def _types(columns: Sequence[str], rows: Iterable[Row]) -> dict[str, str]:
    """Name the type of every column."""
    seen: dict[str, set[type]] = {name: set() for name in columns}
    for row in rows:
        for name in columns:
            if row[name] is not None:
                seen[name].add(type(row[name]))
    return {name: _type(found) for name, found in seen.items()}


def _type(found: set[type]) -> str:
    if found == {int}:
        return "int64"
    return "float64" if found and found <= {int, float} else "string"


def _fitting(row: Row, schema: Any) -> Row:
    """Text that is no Unicode, as file names can be, is escaped."""
    return {name: row[name].encode("utf-8", "backslashreplace").decode() if isinstance(row[name], str) else row[name]
            for name in schema.names}  # fmt: skip


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    found = iter(rows)
    while batch := list(islice(found, _BATCH)):
        yield batch
