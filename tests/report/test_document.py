from __future__ import annotations

from anomaly.report.document import (
    Advised,
    Bullets,
    Cards,
    Document,
    Missing,
    Paragraph,
    Section,
    Table,
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
