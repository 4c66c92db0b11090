"""What the template does to words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pypdf import PdfReader

from anomaly.report import typeset
from anomaly.report.document import Block, Bullets, Document, Paragraph, Section


@pytest.mark.parametrize("block", [Paragraph, lambda text: Bullets((text,))])
def test_no_hyphen_is_put_into_the_name_of_a_file(block: type[Block], tmp_path: Path) -> None:
    name = "undamaged/01_200903083309_585000_090_crop_2.jpg"
    blocks = tuple(
        block("x" * n + f" sets of near-duplicates, for example damaged/a.jpg, {name}; each") for n in range(60)
    )
    document = Document("Title", "subtitle", "date", "footer", (Section("1  One", blocks),))
    typeset(document, {}, output=tmp_path / "report.pdf", moment=datetime(2026, 11, 22, tzinfo=UTC))
    text = "".join(page.extract_text() for page in PdfReader(tmp_path / "report.pdf").pages)
    assert text.count(name) + text.count(name.replace("/", "/\n")) > 50
    assert "undam\u00ad" not in text
