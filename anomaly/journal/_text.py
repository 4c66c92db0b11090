"""Text of users in a table: what the command line gave as bytes that are no UTF-8 stays those bytes.

SQLite keeps a value of either kind in a column, and refuses text with half a surrogate pair, which is how Python holds
such bytes (https://peps.python.org/pep-0383/).
"""

from __future__ import annotations

import os


def to_column(text: str) -> str | bytes:
    """Return what is written."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def from_column(value: str | bytes) -> str:
    """Return the text that was written."""
    return os.fsdecode(value) if isinstance(value, bytes) else value
