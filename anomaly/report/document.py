"""A report as plain records: sections made of blocks, to be laid out by a template.

Texts may mark words as ``**strong**`` and as `` `code` ``; everything else in them is printed as it stands. Whatever a
user has written (names of files, folders, groups, kinds of damage, reasons) goes into a text through `literal`, so that
none of it can become markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from anomaly.imaging.names import printable_name

_ESCAPED = re.compile(r"\\([\\`*])")
_MARKED = re.compile(rf"{_ESCAPED.pattern}|\*\*(?P<strong>(?:\\.|[^\\])+?)\*\*|`(?P<code>(?:\\.|[^`\\])+)`")


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Points below each other."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Cards:
    """Large figures side by side, each with a line below: ``(figure, line, good or bad or plain)``."""

    cards: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Table:
    """A table with a caption; the first column is text, the others are numbers where ``numeric``."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: bool = True
    widths: tuple[float, ...] = ()
    """Relative widths of the columns; empty: as wide as their contents."""


@dataclass(frozen=True)
class Figure:
    """A vector graphic of the build folder; ``width`` is a share of the text's width."""

    file: str
    caption: str
    width: float = 1.0


@dataclass(frozen=True)
class Pictures:
    """Pictures of the build folder in a grid, each ``(file, caption)``."""

    pictures: tuple[tuple[str, str], ...]
    caption: str
    columns: int = 2


@dataclass(frozen=True)
class Missing:
    """Evidence that nobody has recorded yet, and the command that makes it."""

    what: str
    command: str


@dataclass(frozen=True)
class Advised:
    """One piece of advice: what was measured, what to do, and with which command, where there is one."""

    finding: str
    action: str
    command: str
    rule: str


Block: TypeAlias = Paragraph | Bullets | Cards | Table | Figure | Pictures | Missing | Advised


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Part:
    """A section with the pictures that it shows, by file name: SVG, PNG or JPEG."""

    section: Section
    pictures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes
    ----------
    title, subtitle : str
    date : str
        In words.
    footer : str
        On every page.
    sections : tuple of Section
    """

    title: str
    subtitle: str
    date: str
    footer: str
    sections: tuple[Section, ...] = field(default=())


def to_plain(document: Document) -> dict[str, Any]:
    """Return the document ready for JSON, texts taken apart into runs of one style."""
    return {
        "title": document.title,
        "subtitle": runs(document.subtitle),
        "date": document.date,
        "footer": document.footer,
        "sections": [
            {"title": section.title, "blocks": [_block(block) for block in section.blocks]}
            for section in document.sections
        ],
    }


def literal(text: str) -> str:
    """Return what a user has written as it may be put into a text with marks: printed as it stands, in one line."""
    return re.sub(r"([\\`*])", r"\\\1", printable_name(text))


def runs(text: str) -> list[dict[str, str]]:
    """Take a text apart into runs ``{"style": "plain" | "strong" | "code", "text": ...}``."""
    found: list[dict[str, str]] = []
    end = 0
    for match in _MARKED.finditer(text):
        if match.lastgroup is None:  # an escaped character, which stays in the plain text around it
            continue
        if match.start() > end:
            found.append({"style": "plain", "text": text[end : match.start()]})
        found.append({"style": match.lastgroup, "text": match[match.lastgroup]})
        end = match.end()
    if end < len(text):
        found.append({"style": "plain", "text": text[end:]})
    return [{**run, "text": _ESCAPED.sub(r"\1", run["text"])} for run in found]


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Paragraph(text):
            return {"kind": "paragraph", "text": runs(text)}
        case Bullets(items):
            return {"kind": "bullets", "items": [runs(item) for item in items]}
        case Cards(cards):
            return {"kind": "cards", "cards": [{"figure": f, "text": runs(t), "tone": tone} for f, t, tone in cards]}
        case Table():
            return {
                "kind": "table",
                "caption": runs(block.caption),
                "columns": [runs(column) for column in block.columns],
                "rows": [[runs(cell) for cell in row] for row in block.rows],
                "numeric": block.numeric,
                "widths": list(block.widths),
            }
        case Figure(file, caption, width):
            return {"kind": "figure", "file": file, "caption": runs(caption), "width": width}
        case Pictures(pictures, caption, columns):
            shown = [{"file": file, "caption": runs(text)} for file, text in pictures]
            return {"kind": "pictures", "pictures": shown, "caption": runs(caption), "columns": columns}
        case Missing(what, command):
            return {"kind": "missing", "text": runs(what), "command": command}
        case Advised(finding, action, command, rule):
            return {
                "kind": "advice", "finding": runs(finding), "action": runs(action), "command": command, "rule": rule,
            }  # fmt: skip
