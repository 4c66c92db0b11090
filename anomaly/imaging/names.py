"""File names as they may stand in a message of one line."""

from __future__ import annotations

import os
from pathlib import Path


def printable_name(name: Path | str) -> str:
    r"""Return a name with every character that would break or disguise a line escaped.

    A file name may hold newlines, terminal escapes, bidirectional marks and (through ``surrogateescape``)
    bytes that are no text at all. Letters of every script stay as they are.

    Parameters
    ----------
    name : Path or str

    Returns
    -------
    str
        One printable line, for example ``'a\\nb.png'`` for a name with a newline.
    """
    text = os.fspath(name)
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
