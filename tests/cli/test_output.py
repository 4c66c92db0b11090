from __future__ import annotations

import csv
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.cli.output import CsvFile, check_file
from anomaly.errors import OutputError
from anomaly.imaging import write_image

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


@pytest.mark.parametrize("name", [".", "missing/x.csv", "file.txt/x.csv", "x" * 300, "/dev"])
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


@pytest.mark.parametrize(
    "content",
    [
        b"SQLite format 3\0",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xd8\xff\xe0\0\x10JFIF",
        b"%PDF-1.7\n",
        b"PK\x03\x04",
    ],
)
def test_a_table_replaces_no_file_of_another_kind(content: bytes, tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    target.write_bytes(content)
    with pytest.raises(OutputError, match="a file of another kind than a table"):
        CsvFile(target, COLUMNS)
    assert target.read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"path,score\n\x01caf\xe9,1\n", "\ufeffpath;Größe\r\n".encode()])
def test_a_table_replaces_a_table(content: bytes, tmp_path: Path) -> None:
    target = tmp_path / "x.csv"
    target.write_bytes(content)
    with CsvFile(target, COLUMNS):
        pass
    assert target.read_text() == "path,score\n"


def test_a_drawn_picture_replaces_a_drawn_one_and_no_photograph(tmp_path: Path) -> None:
    drawn, photograph = tmp_path / "drawn.png", tmp_path / "photograph.png"
    write_image(np.zeros((8, 8, 3), np.uint8), drawn)
    Image.new("RGB", (8, 8)).save(photograph)
    assert check_file(drawn, picture=True) == drawn
    with pytest.raises(OutputError, match="a photograph has that name"):
        check_file(photograph, picture=True)


@pytest.mark.parametrize("name", ["labels.csv", "day/Labels.csv", "../labels.csv"])
def test_the_labels_of_images_are_not_written_over(name: str, tmp_path: Path) -> None:
    images = tmp_path / "images"
    (images / "day").mkdir(parents=True)
    read = [str(images), str(images / "a.png")]
    with pytest.raises(OutputError, match="where the images' labels stand"):
        check_file(images / name, inputs=read)
    (tmp_path / "elsewhere").mkdir()
    check_file(tmp_path / "elsewhere" / "labels.csv", inputs=read)


_WRITE = (
    "import sys; from pathlib import Path; from anomaly.cli.output import CsvFile\n"
    "with CsvFile(Path(sys.argv[1]), ('path',)) as table: table.write({'path': 'a'})\n"
)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_a_log_behind_standard_output_is_continued(name: str, tmp_path: Path) -> None:
    log, link = tmp_path / "log.txt", tmp_path / "link"
    log.write_text("before\n")
    link.symlink_to("/dev/stdout")
    with log.open("a") as stream:
        words = [sys.executable, "-c", _WRITE, str(link) if name == "link" else name]
        subprocess.run(words, stdout=stream, check=True, timeout=60)
        stream.write("after\n")
    assert log.read_text() == "before\npath\na\nafter\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "log.txt"]


def test_a_pipe_is_written_to() -> None:
    ended = subprocess.run([sys.executable, "-c", _WRITE, "/dev/stdout"], capture_output=True, check=True, timeout=60)
    assert ended.stdout == b"path\na\n"


def test_the_null_device_takes_a_table() -> None:
    with CsvFile(Path(os.devnull), COLUMNS) as table:
        table.write({"path": "a", "score": 1})
    assert Path(os.devnull).is_char_device()


def test_a_stream_that_is_open_for_reading_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with (tmp_path / "x").open() as stream, pytest.raises(OutputError, match="cannot write"):
        CsvFile(Path(f"/dev/fd/{stream.fileno()}"), COLUMNS)
