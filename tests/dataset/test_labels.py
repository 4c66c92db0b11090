from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from anomaly.dataset.labels import read_labels
from anomaly.errors import LabelConflictError, LabelsError


def labels_file(folder: Path, text: str | bytes, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    path = folder / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_all_columns_in_any_order_with_others_ignored(tmp_path: Path) -> None:
    file = labels_file(
        tmp_path,
        "\ufeffSplit,remark,label,Path,group,part_type,mask,defect\n"
        "test,x,NG,b.png,day 2,gears,m.png,chip\n"
        "bank,,Ok,sub/a.png,day 1,gears,,\n"
        "validation,,good,c.png,,,,\n",
        "b.png", "sub/a.png", "c.png", "m.png",
    )  # fmt: skip
    b, c, a = read_labels(file)
    assert (b.name, b.label, b.split, b.group, b.part_type, b.defect) == (
        "b.png", "damaged", "test", "day 2", "gears", "chip",
    )  # fmt: skip
    assert b.path == tmp_path / "b.png"
    assert b.mask == tmp_path / "m.png"
    assert (c.name, c.label, c.split, c.mask) == ("c.png", "undamaged", "validation", None)
    assert (a.name, a.label, a.split) == ("sub/a.png", "undamaged", "bank")


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_the_separators_that_spreadsheets_write(tmp_path: Path, delimiter: str) -> None:
    text = f"path{delimiter}label\r\na.png{delimiter}good\r\n\r\n"
    (image,) = read_labels(labels_file(tmp_path, text, "a.png"))
    assert image.label == "undamaged"


@pytest.mark.parametrize("start", ["  \n", "\n\n", "\t\r\n", ";\n", "\u00a0\n"])
def test_the_separator_is_that_of_the_first_line_that_is_not_blank(tmp_path: Path, start: str) -> None:
    (image,) = read_labels(labels_file(tmp_path, f"{start}path;label\na.png;good\n", "a.png"))
    assert (image.name, image.label) == ("a.png", "undamaged")


def test_names_with_comma_quote_newline_space_and_accents(tmp_path: Path) -> None:
    names = ["a,b.png", 'the "old" one.png', "two\nlines.png", " edge .png", "Zahnräder/größe.png"]
    cells = "\n".join('"' + name.replace('"', '""') + '",good' for name in names)
    images = read_labels(labels_file(tmp_path, f"path,label\n{cells}\n", *names))
    assert sorted(image.name for image in images) == sorted(names)


def test_windows_separators_and_the_other_unicode_form_find_the_file(tmp_path: Path) -> None:
    on_disk = unicodedata.normalize("NFD", "große/ä.png")
    (image,) = read_labels(labels_file(tmp_path, "path,label\ngroße\\ä.png,good\n", on_disk))
    assert image.path.is_file()
    assert unicodedata.normalize("NFC", image.name) == "große/ä.png"


@pytest.mark.parametrize(
    ("text", "row", "says"),
    [
        ("", None, "is empty"),
        ("\ufeff \n", None, "is empty"),
        ("path,label\n", None, "no rows"),
        ("path,lable\na.png,good\n", None, "lacks label"),
        ("file\na.png\n", None, "lacks path and label"),
        ("path,label,label\na.png,good,good\n", None, "stands twice"),
        (b"path,label\n\xff\xfe.png,good\n", None, "UTF-8"),
        ("path,label\na.png,good\nb.png,undamged\n", 3, "did you mean 'undamaged'?"),
        ("path,label\na.png,x\n", 2, "none of undamaged, good, ok, normal, damaged, bad"),
        ("path,label\na.png,\n", 2, "label '' is none of"),
        ("path,label\na.png\n", 2, "label '' is none of"),
        ("path,label\n,good\n", 2, "has no path"),
        ("path,label\na.png,good,more\n", 2, "3 cells where the header has 2"),
        ("path,label\n/etc/a.png,good\n", 2, "leads out of the folder"),
        ("path,label\n../a.png,good\n", 2, "leads out of the folder"),
        ("path,label\nsub\\..\\..\\a.png,good\n", 2, "leads out of the folder"),
        ("path,label\nC:\\a.png,good\n", 2, "leads out of the folder"),
        ("path,label,mask\na.png,bad,../m.png\n", 2, "mask ../m.png leads out"),
        ("path,label\na.png,good\n\na.png,ok\n", 4, "lines 2 and 4 of labels.csv both name a.png"),
        ("path,label,split\na.png,good,bnak\n", 2, "did you mean 'bank'?"),
        ("path,label,split\na.png,good,bank\nb.png,good,\n", 3, "fill in all or none"),
        ("path,label,split\na.png,bad,bank\n", 2, "puts a damaged image into the memory bank"),
        ('path,label\n"a\nb.png",good\nc.png,oops\n', 4, "line 4"),
        ('path,label\n"a.png,good\n', 2, "check its quotes"),
    ],
)
def test_each_mistake_is_named_with_its_line(tmp_path: Path, text: str | bytes, row: int | None, says: str) -> None:
    file = labels_file(tmp_path, text, "a.png", "b.png")
    with pytest.raises(LabelsError) as caught:
        read_labels(file)
    assert says in str(caught.value)
    assert caught.value.row == row
    assert "\n" not in str(caught.value)


def test_missing_files_are_counted_and_the_first_few_named(tmp_path: Path) -> None:
    rows = "".join(f"gone{i}.png,good,\n" for i in range(5))
    file = labels_file(tmp_path, f"path,label,mask\na.png,bad,m.png\n{rows}sub,good,\n", "a.png", "sub/x.png")
    with pytest.raises(LabelsError) as caught:
        read_labels(file)
    assert "7 files" in str(caught.value)
    assert "m.png, gone0.png, gone1.png and 4 more" in str(caught.value)
    assert caught.value.row == 2


def test_one_image_with_two_labels_is_a_conflict(tmp_path: Path) -> None:
    file = labels_file(tmp_path, "path,label\na.png,good\n./a.png,bad\n", "a.png")
    with pytest.raises(LabelConflictError) as caught:
        read_labels(file)
    assert caught.value.paths == ("a.png",)


def test_an_empty_split_column_counts_as_none(tmp_path: Path) -> None:
    (image,) = read_labels(labels_file(tmp_path, "path,label,split\na.png,good,\n", "a.png"))
    assert image.split is None
