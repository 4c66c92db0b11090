"""One small trained model for the whole session; whoever changes it takes a copy."""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from anomaly.cli import main
from tests.parts import TINY, write_dataset

# Started in the background, a process inherits that Ctrl-C is ignored; the programs under test must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# How long an example takes says more about the machine than about the code.
settings.register_profile("any machine", deadline=None)
# What `make check` asks for.
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled graphs of the tests do not end up in the user's cache."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session")
def parts_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``good/`` with 14 images, ``defect/`` with 6: what `trained_model` was trained on."""
    return write_dataset(tmp_path_factory.mktemp("parts"), undamaged=14, damaged=6)


@pytest.fixture(scope="session")
def trained_model(tmp_path_factory: pytest.TempPathFactory, parts_folder: Path) -> Path:
    """The folder of a calibrated model; read-only by agreement."""
    model = tmp_path_factory.mktemp("models") / "trained"
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        status = main(["--train", "--data", str(parts_folder), "--model", str(model), "--device", "cpu", *TINY])
    assert status == 0, told.getvalue()
    return model
