from __future__ import annotations

import os
import resource
import threading
from pathlib import Path

import numpy as np
import pytest

from anomaly.cli.output import CsvFile
from anomaly.errors import OutputError
from anomaly.files import replace_file, replaced_file
from anomaly.imaging.encode import write_image


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    replace_file(tmp_path / "out.csv", b"one")
    replace_file(tmp_path / "out.csv", b"two")
    assert contents(tmp_path) == {"out.csv": b"two"}
    with pytest.raises(OutputError, match="No such file"):
        replace_file(tmp_path / "nowhere" / "out.csv", b"x")


def test_a_name_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    replace_file(tmp_path / ("a" * 255), b"one")
    assert contents(tmp_path) == {"a" * 255: b"one"}


def test_whatever_is_written_is_as_open_to_others_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        replace_file(tmp_path / "a.json", b"one")
        write_image(np.zeros((2, 2, 3), np.uint8), tmp_path / "a.png")
        with CsvFile(tmp_path / "a.csv", ("path",)):
            pass
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "a.json": 0o600, "a.png": 0o600, "a.csv": 0o600,
    }  # fmt: skip


def test_it_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, synced, real = tmp_path / "out", [], os.fsync

    def spy(handle: int) -> None:
        found = os.fstat(handle)
        synced.append((found.st_ino, found.st_size, target.exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", spy)
    replace_file(target, b"four")
    assert synced == [(target.stat().st_ino, 4, False)]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_after_an_exception_the_old_file_is_still_there_and_nothing_else(
    error: type[BaseException], tmp_path: Path
) -> None:
    replace_file(tmp_path / "out", b"old")
    with pytest.raises(error), replaced_file(tmp_path / "out") as beside:
        beside.write_bytes(b"half")
        raise error
    assert contents(tmp_path) == {"out": b"old"}


def test_a_full_disk_and_a_folder_in_the_way_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="directory"):
        replace_file(tmp_path / "folder", b"x")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OutputError, match="too large"):
            replace_file(tmp_path / "out", bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_two_who_write_at_a_time_do_not_take_each_others_files(tmp_path: Path) -> None:
    threads = [threading.Thread(target=replace_file, args=(tmp_path / "out", bytes([i]) * 1000)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (found,) = contents(tmp_path).values()
    assert found in [bytes([i]) * 1000 for i in range(8)]
