from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from anomaly.cli.options import DEFAULT_WORK
from anomaly.commands import data_option, work_option


def test_what_is_the_default_is_not_named() -> None:
    assert data_option("data/parts") == work_option(DEFAULT_WORK) == ""
    assert data_option("data/parts", always=True) == " --data data/parts"
    assert data_option("") == " --data DIR"


@pytest.mark.parametrize("folder", ["our parts", "it's", "$HOME", "a`b`"])
def test_a_folder_is_quoted_for_the_shell(folder: str) -> None:
    assert shlex.split(data_option(folder)) == ["--data", folder]
    assert shlex.split(work_option(folder)) == ["--work", folder]


def test_an_experiment_does_without_the_report() -> None:
    code = "import sys, anomaly.cli.experiment; print(any(name.startswith('anomaly.report') for name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "False"
