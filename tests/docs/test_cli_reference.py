from __future__ import annotations

from pathlib import Path

from anomaly.cli.options import VERBS
from anomaly.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_what_the_parser_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: python -m anomaly.cli.reference > docs/cli.md"


def test_the_page_names_every_verb_and_option() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for verb in VERBS:
        section = page.split(f"## `{verb.usage}`")[1].split("\n## ")[0]
        for option in verb.options:
            assert option.usage in section
