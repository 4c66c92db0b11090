"""The prose of the checkout, taken apart: pages, links, code, commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = tuple(
    sorted(path for place in ("*.md", "docs/**/*.md", "benchmarks/*.md", "data/*/*.md") for path in ROOT.glob(place))
)
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_PROGRAM = re.compile(r"(?:\$ )?(?:python model\.py|goodparts) (?=-)")


def name(page: Path) -> str:
    """What a failing test calls a page."""
    return page.relative_to(ROOT).as_posix()


def read(page: str | Path) -> str:
    """The text of a page, by its path in the checkout."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks in one language."""
    return [code for found, code in _FENCED.findall(text) if found == language]


def inline_code(text: str) -> list[str]:
    """What stands between backticks outside of fenced blocks."""
    return [code.strip() for code in _INLINE.findall(_FENCED.sub("", text))]


def commands(text: str) -> list[list[str]]:
    """The words behind ``python model.py`` or ``goodparts``, of every call in fenced blocks and between backticks."""
    lines = [line for _, code in _FENCED.findall(text) for line in code.replace("\\\n", " ").splitlines()]
    return [
        shlex.split(_PROGRAM.sub("", line, count=1), comments=True)
        for line in (*lines, *inline_code(text))
        if _PROGRAM.match(line)
    ]


def links(text: str) -> list[str]:
    """Targets of links and pictures that are not on the web."""
    targets = re.findall(r"\]\(([^)\s]+)\)", _FENCED.sub("", text))
    return [target for target in targets if not target.startswith(("http:", "https:"))]


def anchors(text: str) -> set[str]:
    """What a link may name behind ``#``, as code hosts make it of the headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
