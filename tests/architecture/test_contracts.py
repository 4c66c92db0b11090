"""The import contract of pyproject.toml, so that `make test` keeps it too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_import_contract() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
