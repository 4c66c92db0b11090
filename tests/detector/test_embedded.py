"""What fitting takes from a photograph; the rest of it is tested where it is fitted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from anomaly.config import Config
from anomaly.detector import embedded
from anomaly.detector.embedded import Wanted, embed_here, embed_one
from anomaly.imaging import decode
from anomaly.imaging.decode import content_hash, load_image
from tests.parts import write_part


def test_each_photograph_is_opened_once_and_hashed_as_it_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_part(tmp_path / f"{i}.png", i) for i in range(2)]
    expected = [(content_hash(path), *load_image(path).shape[1::-1]) for path in paths]
    opened: list[Path] = []
    real = decode.open_file

    def spy(path, *, max_megabytes):
        opened.append(path)
        return real(path, max_megabytes=max_megabytes)

    monkeypatch.setattr(decode, "open_file", spy)
    monkeypatch.setattr(embedded, "bank_rows", lambda *_, **__: ())
    wanted, nothing = [Wanted(path, ()) for path in paths], SimpleNamespace()
    here = list(embed_here(nothing, nothing, wanted, Config()))  # type: ignore[arg-type]
    one_by_one = [embed_one(nothing, one, Config()) for one in wanted]  # type: ignore[arg-type]
    for found in (here, one_by_one):
        assert [(one.sha256, one.width, one.height) for one in found] == expected
    assert opened == paths * 2
