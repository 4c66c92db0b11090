from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from anomaly.cluster import parquet, write_parquet
from anomaly.errors import OutputError, RuntimeUnavailableError

ROWS = [
    {"path": "a.png", "score": None, "regions": None, "error": "empty"},
    {"path": "b\udcff.png", "score": 1, "regions": 2, "error": None},
    {"path": "c.png", "score": 1.5, "regions": 0, "error": None},
]
COLUMNS = tuple(ROWS[0])


def test_types_are_those_of_all_rows_and_nothing_stays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra cluster)")
    monkeypatch.setattr(parquet, "_BATCH", 2)  # the first batch knows no score
    write_parquet(tmp_path / "out.parquet", COLUMNS, lambda: ROWS)
    table = pq.read_table(tmp_path / "out.parquet")
    assert [str(field.type) for field in table.schema] == ["string", "double", "int64", "string"]
    assert table.to_pylist() == [{**row, "path": str(row["path"]).replace("\udcff", "\\udcff")} for row in ROWS]
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_it_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra cluster)")
    synced: list[tuple[int, int, bool]] = []
    real, target = os.fsync, tmp_path / "out.parquet"

    def spy(handle: int) -> None:
        found = os.fstat(handle)
        synced.append((found.st_ino, found.st_size, target.exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", spy)
    write_parquet(target, COLUMNS, lambda: ROWS)
    assert synced == [(target.stat().st_ino, target.stat().st_size, False)]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra cluster)")
    with pytest.raises(OutputError, match="cannot write"):
        write_parquet(tmp_path / "missing" / "out.parquet", COLUMNS, lambda: ROWS)


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RuntimeUnavailableError, match=r"pip install 'goodparts\[cluster\]'"):
        write_parquet(tmp_path / "out.parquet", COLUMNS, lambda: ROWS)
