"""A process that writes rows for ever and tells each one that is acknowledged: ``writer.py JOURNAL NUMBER``."""

from __future__ import annotations

import sys

from anomaly.journal import Journal
from tests.journal.entries import entry

if __name__ == "__main__":
    with Journal(sys.argv[1]) as journal:
        number = int(sys.argv[2])
        while True:
            row = entry(number)
            journal.append(row)
            sys.stdout.write(f"{row.sha256}\n")
            sys.stdout.flush()
            number += 1
