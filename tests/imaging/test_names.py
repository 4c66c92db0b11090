from __future__ import annotations

from pathlib import Path

import pytest

from anomaly.imaging import printable_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain.png", "plain.png"),
        ("a\nb.png", "a\\nb.png"),
        ("a\r\tb", "a\\r\\tb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("line\u2028separator", "line\\u2028separator"),
        ("gnp\u202e.exe", "gnp\\u202e.exe"),
        ("not text \udcff", "not text \\udcff"),
        ("Prüfung 零件.png", "Prüfung 零件.png"),
    ],
)
def test_name_stays_on_one_line(name: str, shown: str) -> None:
    assert printable_name(name) == shown
    assert printable_name(Path(name)) == shown
    assert len(printable_name(name).splitlines()) == 1
