from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.report.document import (
    Advised,
    Bullets,
    Cards,
    Document,
    Missing,
    Paragraph,
    Section,
    Table,
    literal,
    runs,
    to_plain,
)


def test_marks_become_runs_and_the_rest_stays_as_it_is() -> None:
    assert runs("**3 of 80** missed, see `a_b.png` #let x = $1$ [y]") == [
        {"style": "strong", "text": "3 of 80"},
        {"style": "plain", "text": " missed, see "},
        {"style": "code", "text": "a_b.png"},
        {"style": "plain", "text": " #let x = $1$ [y]"},
    ]
    assert runs("") == []


@pytest.mark.parametrize(
    "name", ["a`b**c**`.png", "**", "`", "\\", "a\\`b`", "\\*\\*x**", "**a** `b`", "C:\\new", "plain.png", "*`*`*"]
)
def test_no_name_becomes_markup(name: str) -> None:
    assert runs(f"on `{literal(name)}` **{literal(name)}**, {literal(name)} and `code`") == [
        {"style": "plain", "text": "on "},
        {"style": "code", "text": name},
        {"style": "plain", "text": " "},
        {"style": "strong", "text": name},
        {"style": "plain", "text": f", {name} and "},
        {"style": "code", "text": "code"},
    ]


@given(st.text(st.sampled_from("a`*\\ "), min_size=1))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    assert runs(literal(text)) == [{"style": "plain", "text": text}]
    assert runs(f"`{literal(text)}`") == [{"style": "code", "text": text}]


def test_a_name_stays_in_its_line() -> None:
    assert runs(literal("a\nb.png")) == [{"style": "plain", "text": "a\\nb.png"}]


def test_every_block_has_a_kind() -> None:
    blocks = (
        Paragraph("a"),
        Bullets(("b",)),
        Cards((("3 of 80", "missed", "bad"),)),
        Table("c", ("x", "y"), (("1", "2"),)),
        Missing("d", "python model.py --train"),
        Advised("e", "f", "", "rule"),
    )
    plain = to_plain(Document("t", "s", "d", "f", (Section("one", blocks),)))
    kinds = [block["kind"] for block in plain["sections"][0]["blocks"]]
    assert kinds == ["paragraph", "bullets", "cards", "table", "missing", "advice"]
