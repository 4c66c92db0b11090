from __future__ import annotations

import csv
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from anomaly.cli.output import CsvFile
from anomaly.errors import OutputError

COLUMNS = ("path", "score")


def test_rows_come_back(tmp_path: Path) -> None:
    name = 'a "quoted",\nname'
    with CsvFile(tmp_path / "x.csv", COLUMNS) as table:
        table.write({"path": name, "score": 0.1})
        table.write({"path": "b", "score": None})
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [["path", "score"], [name, "0.1"], ["b", ""]]
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_interrupted_while_it_answers_an_interrupt_the_process_leaves_no_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from anomaly.cli.output import CsvFile\n"
        "unlink = Path.unlink\n"
        "def again(path): Path.unlink = unlink; raise KeyboardInterrupt\n"
        "Path.unlink = again\n"
        "with CsvFile(Path(sys.argv[1]), ('path',)): raise KeyboardInterrupt\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.csv")], capture_output=True, timeout=60)
    assert b"KeyboardInterrupt" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_name_that_is_no_text_keeps_its_bytes(tmp_path: Path) -> None:
    with CsvFile(tmp_path / "x.csv", COLUMNS) as table:
        table.write({"path": os.fsdecode(b"caf\xe9"), "score": 1})
    assert b"caf\xe9,1\n" in (tmp_path / "x.csv").read_bytes()


def test_after_an_exception_the_old_file_is_still_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), CsvFile(target, COLUMNS) as table:
        table.write({"path": "a", "score": 1})
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_a_link_is_followed_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    with CsvFile(tmp_path / "link.csv", COLUMNS):
        pass
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "path,score\n"


@pytest.mark.parametrize("name", [".", "missing/x.csv", "file.txt/x.csv", "x" * 300, os.devnull])
def test_places_that_cannot_be_written_are_refused_at_once(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        CsvFile(tmp_path / name, COLUMNS)
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(b"photograph")
    with pytest.raises(OutputError, match="one of the files to be read"):
        CsvFile(tmp_path / "sub" / ".." / "a.png", COLUMNS, inputs=[str(image)])
    assert image.read_bytes() == b"photograph"


def test_the_root_is_a_folder() -> None:
    with pytest.raises(OutputError, match="it is a folder"):
        CsvFile(Path("/"), COLUMNS)


def test_an_interrupt_on_a_full_disk_is_an_interrupt(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(KeyboardInterrupt), CsvFile(tmp_path / "x.csv", COLUMNS):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
            raise KeyboardInterrupt
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    target.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OutputError, match="cannot write"), CsvFile(target, COLUMNS) as table:
            for _ in range(10_000):
                table.write({"path": "a" * 100, "score": 1})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
