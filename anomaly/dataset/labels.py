"""``labels.csv``: one row for each image.

Columns ``path`` and ``label`` are needed; ``part_type``, ``group``, ``mask``, ``split`` and ``defect`` are
read if present, in any order, others are ignored. Comma, semicolon or tab separates; UTF-8, with or without
byte-order mark. Paths are relative to the folder of the file and stay below it.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import cast, get_args

from anomaly.dataset.records import LabelledImage
from anomaly.dataset.wording import LABEL_WORDS, counted, label_of, listed, suggestion
from anomaly.errors import LabelConflictError, LabelsError
from anomaly.imaging.names import printable_name
from anomaly.types import DAMAGED, Split

LABELS_FILE = "labels.csv"
_NEEDED = ("path", "label")
_OPTIONAL = ("part_type", "group", "mask", "split", "defect")
_SPLITS: tuple[str, ...] = get_args(Split)


@dataclass(frozen=True)
class _Row:
    line: int
    cells: Mapping[str, str]


def read_labels(file: Path) -> tuple[LabelledImage, ...]:
    """Read a labels file.

    Parameters
    ----------
    file : Path
        ``labels.csv`` in the root of the dataset.

    Returns
    -------
    tuple of LabelledImage
        Sorted by name; there is at least one.

    Raises
    ------
    LabelsError
        The file cannot be read, is not UTF-8 or CSV, is empty, lacks a column, spells a label or split wrongly,
        names a path outside the folder, an image twice or a missing file, gives a split to some rows only, or
        puts a damaged image into the memory bank. ``row`` is the line.
    LabelConflictError
        Two rows give one image different labels.
    """
    rows = list(_rows(_read_text(file)))
    if not rows:
        raise LabelsError(f"{_named(file)} has a header but no rows; add a row for each image")
    root = file.parent
    images = [_image(row, root, file) for row in rows]
    _check_repeated(rows, images, file)
    _check_present(rows, images, file)
    _check_all_or_no_split(rows, images, file)
    return tuple(sorted(images, key=lambda image: image.name))


def _named(file: Path) -> str:
    return printable_name(file.name)


def _read_text(file: Path) -> str:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LabelsError(
            f"cannot read {_named(file)}: {error.strerror or 'input/output error'}; check its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise LabelsError(
            f"expected {_named(file)} in UTF-8, but byte {error.start} is not; save it again as 'CSV UTF-8'"
        ) from error
    if not text.strip():
        raise LabelsError(f"{_named(file)} is empty; its first line must be a header such as path,label")
    return text


def _rows(text: str) -> Iterator[_Row]:
    """Yield the rows below the header, with the number of the line each begins on."""
    header = next(line for line in text.splitlines() if line.strip())
    # The separator is the one that makes the most columns of the header.
    delimiter = max(",;\t", key=header.count)
    names: list[str] = []
    for line, cells in _records(text, delimiter):
        if not names:
            names = [name.strip().casefold() for name in cells]
            _check_header(names)
            continue
        if any(cell.strip() for cell in cells[len(names) :]):
            raise LabelsError(
                f"line {line} of {LABELS_FILE} has {len(cells)} cells where the header has {len(names)}; "
                f"put quotes around a cell that contains {delimiter!r}",
                row=line,
            )
        yield _Row(line, dict(zip(names, cells, strict=False)))


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of every record that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise LabelsError(
                f"line {line} of {LABELS_FILE} is no CSV ({error}); check its quotes", row=line
            ) from error
        if any(cell.strip() for cell in cells):
            yield line, cells


def _check_header(names: list[str]) -> None:
    known = _NEEDED + _OPTIONAL
    for name in known:
        if names.count(name) > 1:
            raise LabelsError(f"column {name!r} stands twice in the header of {LABELS_FILE}; keep one")
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise LabelsError(
            f"the header of {LABELS_FILE} lacks {' and '.join(missing)}, it has {listed(names, most=8)}; "
            f"accepted columns: {', '.join(known)}"
        )


def _image(row: _Row, root: Path, file: Path) -> LabelledImage:
    def cell(name: str) -> str:
        return row.cells.get(name, "").strip()

    label = label_of(cell("label"))
    if label is None:
        raise LabelsError(
            f"line {row.line} of {_named(file)}: label {cell('label')!r} is none of {', '.join(LABEL_WORDS)}"
            f"{suggestion(cell('label'), LABEL_WORDS) or '; correct it'}",
            row=row.line,
        )
    split = _split(row, cell("split"), file)
    if split == "bank" and label == DAMAGED:
        raise LabelsError(
            f"line {row.line} of {_named(file)} puts a damaged image into the memory bank, which holds undamaged "
            "ones only; give it split validation or test",
            row=row.line,
        )
    # Not stripped: a file name may begin or end with a space. What is only spaces is an empty cell, though.
    name = _inside(row, "path", root, file)
    mask = _inside(row, "mask", root, file) if cell("mask") else None
    return LabelledImage(
        path=root / name,
        name=name,
        label=label,
        part_type=cell("part_type"),
        group=cell("group"),
        defect=cell("defect"),
        mask=None if mask is None else root / mask,
        split=split,
    )


def _split(row: _Row, word: str, file: Path) -> Split | None:
    if not word:
        return None
    if word.casefold() not in _SPLITS:
        raise LabelsError(
            f"line {row.line} of {_named(file)}: split {word!r} is none of {', '.join(_SPLITS)}"
            f"{suggestion(word, _SPLITS) or '; correct it'}",
            row=row.line,
        )
    return cast(Split, word.casefold())


def _inside(row: _Row, column: str, root: Path, file: Path) -> str:
    """Return the path in a cell, relative to the root; refuse what leads out of it."""
    text = row.cells.get(column, "")
    if not text.strip():
        raise LabelsError(f"line {row.line} of {_named(file)} has no {column}; fill it in", row=row.line)
    plain, windows = PurePosixPath(text), PureWindowsPath(text)
    if plain.is_absolute() or windows.drive or windows.root or ".." in (*plain.parts, *windows.parts):
        raise LabelsError(
            f"line {row.line} of {_named(file)}: {column} {printable_name(text)} leads out of the folder; write it "
            f"relative to the folder of {_named(file)}, without '..'",
            row=row.line,
        )
    return _spelled_as_on_disk(text, root)


def _spelled_as_on_disk(text: str, root: Path) -> str:
    """Choose the spelling that exists: as written, trimmed, with Windows' backslashes, in either Unicode form."""
    slashes = text.strip().replace("\\", "/")
    forms = (unicodedata.normalize(form, slashes) for form in ("NFC", "NFD"))
    for spelling in (text, text.strip(), slashes, *forms):
        if _is_file(root / spelling):
            return PurePosixPath(spelling).as_posix()
    return PurePosixPath(text.strip()).as_posix()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # name too long, folder closed to us; null character
        return False


def _check_repeated(rows: list[_Row], images: list[LabelledImage], file: Path) -> None:
    first: dict[str, int] = {}
    for index, image in enumerate(images):
        earlier = first.setdefault(image.name, index)
        if earlier == index:
            continue
        where = (
            f"lines {rows[earlier].line} and {rows[index].line} of {_named(file)} both name "
            f"{printable_name(image.name)}"
        )
        if images[earlier].label != image.label:
            raise LabelConflictError(
                f"{where}, once undamaged and once damaged; keep the line that is right", paths=[image.name]
            )
        raise LabelsError(f"{where}; delete one", row=rows[index].line)


def _check_present(rows: list[_Row], images: list[LabelledImage], file: Path) -> None:
    missing: list[tuple[int, str]] = []
    for row, image in zip(rows, images, strict=True):
        for path in (image.path, image.mask):
            if path is not None and not _is_file(path):
                missing.append((row.line, path.relative_to(file.parent).as_posix()))
    if missing:
        names = [name for _, name in missing]
        raise LabelsError(
            f"{counted(len(missing), 'file')} named in {_named(file)} cannot be found, the first on line "
            f"{missing[0][0]}: {listed(names)}; correct the paths or delete the lines",
            row=missing[0][0],
        )


def _check_all_or_no_split(rows: list[_Row], images: list[LabelledImage], file: Path) -> None:
    without = [row.line for row, image in zip(rows, images, strict=True) if image.split is None]
    if without and len(without) < len(images):
        raise LabelsError(
            f"line {without[0]} of {_named(file)} has no split while others have one ({len(without)} of "
            f"{len(images)} lack it); fill in all or none",
            row=without[0],
        )
