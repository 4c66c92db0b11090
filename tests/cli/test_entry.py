from __future__ import annotations

import pytest

from anomaly.cli import main


def test_too_little_memory_is_a_known_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: object) -> int:
        raise MemoryError

    monkeypatch.setattr("anomaly.cli.info.run", run)
    assert main(["--info"]) == 1
    assert capsys.readouterr().err.startswith("error: there is not enough memory: ")
