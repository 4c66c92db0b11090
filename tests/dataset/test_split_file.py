from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.dataset import SplitEntry, parse_splits_csv, splits_csv

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


def test_odd_names_survive_the_way_through_bytes() -> None:
    written = splits_csv(entries()).encode("utf-8", "surrogateescape")
    assert parse_splits_csv(written.decode("utf-8", "surrogateescape")) == entries()


def test_the_text_does_not_depend_on_order() -> None:
    assert splits_csv(entries()) == splits_csv(reversed(entries()))


def test_the_text_reads_as_documented() -> None:
    text = splits_csv([SplitEntry("b.png", HASH, "damaged", "test", "gears", "g1", "chip")])
    assert text == f"name,sha256,label,split,part_type,group,defect\nb.png,{HASH},damaged,test,gears,g1,chip\n"


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
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_splits_csv(text)
