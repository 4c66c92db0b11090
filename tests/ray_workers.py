"""Ray's workers as processes: whether there can be any, and those of a run that carries a mark."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install '.[cluster]'"
)


def marked_workers(mark: str, actor: str) -> list[int]:
    """Return the processes of this kind of actor with ``mark``, NAME=VALUE, in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = mark.encode() in (folder / "environ").read_bytes().split(b"\0")
            if ours and (folder / "cmdline").read_bytes().startswith(f"ray::{actor}".encode()):
                found.append(int(folder.name))
        except OSError:
            continue
    return found
