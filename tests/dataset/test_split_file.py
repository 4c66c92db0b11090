from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.dataset import SplitEntry, parse_splits_csv, read_splits_csv, splits_csv, write_splits_csv
from anomaly.errors import OutputError, TrainedModelCorruptError

HASH = "0123456789abcdef" * 4
ODD_NAMES = [
    "plain.png",
    "comma, and space.png",
    'a "quoted" one.png',
    "two\nlines.png",
    "carriage\rreturn.png",
    " edges ",
    "größe/零件.png",
    os.fsdecode(b"not-utf8-\xff.png"),
]


def entries() -> tuple[SplitEntry, ...]:
    return tuple(
        SplitEntry(name, HASH, "undamaged", "bank", part_type="gears", group="day\n1", defect="")
        for name in sorted(ODD_NAMES)
    )


def test_odd_names_survive_the_file(tmp_path: Path) -> None:
    file = tmp_path / "splits.csv"
    write_splits_csv(file, entries())
    assert read_splits_csv(file) == entries()


def test_bytes_do_not_depend_on_order(tmp_path: Path) -> None:
    write_splits_csv(tmp_path / "a.csv", entries())
    write_splits_csv(tmp_path / "b.csv", reversed(entries()))
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_the_file_reads_as_documented(tmp_path: Path) -> None:
    file = tmp_path / "splits.csv"
    write_splits_csv(file, [SplitEntry("b.png", HASH, "damaged", "test", "gears", "g1", "chip")])
    assert file.read_bytes() == (
        f"name,sha256,label,split,part_type,group,defect\nb.png,{HASH},damaged,test,gears,g1,chip\n".encode()
    )


@given(st.lists(st.tuples(st.text(min_size=1), st.text(), st.text(), st.text()), max_size=5, unique_by=lambda t: t[0]))
def test_any_text_survives(rows: list[tuple[str, str, str, str]]) -> None:
    wanted = [SplitEntry(name, HASH, "damaged", "validation", *rest) for name, *rest in rows]
    assert parse_splits_csv(splits_csv(wanted)) == tuple(sorted(wanted, key=lambda entry: entry.name))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name,label\n",
        f"name,sha256,label,split,part_type,group,defect\na,{HASH},good,bank,,,\n",
        f"name,sha256,label,split,part_type,group,defect\na,{HASH},undamaged,train,,,\n",
        "name,sha256,label,split,part_type,group,defect\na,abc,undamaged,bank,,,\n",
        f"name,sha256,label,split,part_type,group,defect\na,{HASH},undamaged\n",
        f'name,sha256,label,split,part_type,group,defect\n"a,{HASH},undamaged,bank,,,\n',
    ],
)
def test_another_file_is_a_corrupt_trained_model(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError):
        parse_splits_csv(text)
    file = tmp_path / "splits.csv"
    file.write_text(text)
    with pytest.raises(TrainedModelCorruptError, match=r"splits\.csv cannot be used") as caught:
        read_splits_csv(file)
    assert caught.value.path == file


def test_missing_folder_and_missing_file_are_named_errors(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        write_splits_csv(tmp_path / "nowhere" / "splits.csv", entries())
    with pytest.raises(TrainedModelCorruptError):
        read_splits_csv(tmp_path / "splits.csv")
