from __future__ import annotations

import os
from pathlib import Path

import pytest

from anomaly.embedding import graph_cache
from anomaly.embedding.graph_cache import cache_folder, get_graph, put_graph


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_what_was_put_is_got(tmp_path: Path) -> None:
    assert get_graph("key") is None
    put_graph("key", b"a graph")
    assert get_graph("key") == b"a graph"
    assert cache_folder() == tmp_path / "goodparts" / "graphs"


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 100])
def test_a_damaged_file_counts_as_none(content: bytes) -> None:
    put_graph("key", b"a graph")
    (cache_folder() / "key").write_bytes(content)
    assert get_graph("key") is None


def test_it_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_cache, "_MOST", 3)
    for i in range(6):
        put_graph(f"key{i}", b"graph")
    assert len(list(cache_folder().iterdir())) == 3


def test_without_a_place_nothing_is_kept_and_nothing_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    put_graph("key", b"a graph")
    assert get_graph("key") is None


def test_without_a_home_folder_nothing_is_kept_and_nothing_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    put_graph("key", b"a graph")
    assert get_graph("key") is None


def test_what_a_killed_process_left_half_written_goes() -> None:
    put_graph("key", b"a graph")
    old, new = cache_folder() / ".new-old", cache_folder() / ".new-new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    put_graph("other", b"a graph")
    assert (old.exists(), new.exists()) == (False, True)
