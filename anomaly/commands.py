"""What a command of goodparts needs besides its verb, as it may be copied into a shell."""

from __future__ import annotations

import shlex


def data_option(folder: str, *, always: bool = False) -> str:
    """Return what a command needs to find the photographs: ``" --data DIR"``, or nothing for the bundled ones."""
    return "" if folder == "data/parts" and not always else f" --data {shlex.quote(folder or 'DIR')}"


def work_option(folder: str) -> str:
    """Return what a command needs to find recorded results and experiments: ``" --work DIR"``, or nothing."""
    return "" if folder == "work" else f" --work {shlex.quote(folder)}"
