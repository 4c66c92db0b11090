"""What may come in and is not as it should be: one clear line or row, the right exit status, nothing lost."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomaly.cli import main
from anomaly.imaging import decode, write_image
from tests.parts import draw_part, write_dataset, write_part

PART = Image.fromarray(draw_part(2000))


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _huge_header() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def _flipped() -> bytes:
    content = bytearray(_encoded(PART, "PNG"))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def _sixteen_bit() -> Image.Image:
    return Image.fromarray(np.asarray(PART.convert("L")).astype(np.uint16) * 257)


def _rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _encoded(PART.resize((96, 48)), "JPEG", exif=exif)


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty (0 bytes)"),
    "truncated PNG": (_encoded(PART, "PNG")[:-2000], "truncated or corrupt"),
    "truncated JPEG": (_encoded(PART, "JPEG")[:-500], "truncated or corrupt"),
    "header alone": (_encoded(PART, "PNG")[:20], "truncated or corrupt"),
    "flipped bits": (_flipped(), "truncated or corrupt"),
    "text": (b"this is no picture\n", "none of them, whatever its name says"),
    "zeros": (bytes(1000), "none of them, whatever its name says"),
    "60000 x 60000": (_huge_header(), "60000x60000"),
    "animated": (_encoded(PART, "GIF", save_all=True, append_images=[PART.rotate(90)]), "several frames"),
    "pages": (_encoded(PART, "TIFF", save_all=True, append_images=[PART.rotate(90)]), "several frames"),
    "32-bit": (_encoded(Image.fromarray(np.ones((9, 9), np.float32)), "TIFF"), "32-bit"),
}
UNUSUAL: dict[str, tuple[bytes, tuple[int, int]]] = {
    "1x1": (_encoded(PART.resize((1, 1)), "PNG"), (1, 1)),
    "1x5000": (_encoded(PART.resize((1, 5000)), "PNG"), (1, 5000)),
    "5000x1": (_encoded(PART.resize((5000, 1)), "PNG"), (5000, 1)),
    "odd size": (_encoded(PART.resize((97, 61)), "PNG"), (97, 61)),
    "16-bit": (_encoded(_sixteen_bit(), "PNG"), (96, 96)),
    "grey": (_encoded(PART.convert("L"), "PNG"), (96, 96)),
    "black and white": (_encoded(PART.convert("1"), "PNG"), (96, 96)),
    "palette": (_encoded(PART.convert("P"), "PNG"), (96, 96)),
    "alpha": (_encoded(PART.convert("RGBA"), "PNG"), (96, 96)),
    "CMYK": (_encoded(PART.convert("CMYK"), "JPEG"), (96, 96)),
    "EXIF-rotated": (_rotated(), (48, 96)),
    "JPEG named PNG": (_encoded(PART, "JPEG"), (96, 96)),
}
NAMES = [
    "Größe 漢字 🔩.png",
    "two\nlines.png",
    "escape\x1b[31m.png",
    os.fsdecode(b"caf\xe9.png"),
    "-dash.png",
    'quote"comma,.png',
    "UPPER.PNG",
    "n" * 251 + ".png",
]


@pytest.fixture(autouse=True)
def _the_trained_model_is_unharmed(trained_model: Path) -> Iterator[None]:
    before = _files(trained_model)
    yield
    assert _files(trained_model) == before


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _rows(names: list[str], model: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]], str]:
    """Predict as text and as JSON: same status, one line per image."""
    words = ["--predict", *names, "--model", str(model)]
    status = main(words)
    text = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert main([*words, "--json", "--quiet"]) == status
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == len(text)
    assert all(line.isprintable() for line in text)
    return status, rows, err


def _one_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a call that fails with one line on stderr and none on stdout."""
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert err.removesuffix("\n").isprintable()
    return err


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_image(kind: str, trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, told = BROKEN[kind]
    (tmp_path / "broken.png").write_bytes(content)
    good = write_part(tmp_path / "good.png", 2000)
    status, rows, err = _rows([str(tmp_path / "broken.png"), str(good)], trained_model, capsys)
    assert status == 1
    assert rows[0]["label"] is None
    assert rows[0]["score"] is None
    assert told in rows[0]["error"]
    assert rows[1]["label"] == "undamaged"
    assert err.startswith("error: 1 of 2 images could not be read")


@pytest.mark.slow
@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_image(kind: str, trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, (width, height) = UNUSUAL[kind]
    (tmp_path / "image.png").write_bytes(content)
    status, rows, err = _rows([str(tmp_path / "image.png")], trained_model, capsys)
    assert (status, err) == (0, "")
    assert rows[0]["label"] in ("undamaged", "damaged", "not judged")
    assert rows[0]["score"] > 0
    assert (rows[0]["quality"]["width"], rows[0]["quality"]["height"]) == (width, height)
    picture = tmp_path / "heatmap.png"
    assert (
        main(["--heatmap", str(tmp_path / "image.png"), "--output", str(picture), "--model", str(trained_model)]) == 0
    )
    assert picture.is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_unusual_name(
    name: str, trained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        write_part(tmp_path / name, 2000)
    except OSError:
        pytest.skip("the file system does not take this name")
    named = f"./{name}"
    status, rows, _ = _rows([named], trained_model, capsys)
    assert status == 0
    assert rows[0]["path"] == named
    assert main(["--predict", ".", "--model", str(trained_model), "--csv", "rows.csv"]) == 0
    assert os.fsencode(name)[:50].replace(b'"', b'""') in (tmp_path / "rows.csv").read_bytes()
    assert main(["--heatmap", named, "--model", str(trained_model)]) == 0
    assert len(list((tmp_path / "heatmaps").iterdir())) == 1


def _a_folder(place: Path) -> None:
    place.mkdir()


def _a_pipe(place: Path) -> None:
    os.mkfifo(place)


def _a_dangling_link(place: Path) -> None:
    place.symlink_to("nowhere")


def _a_circular_link(place: Path) -> None:
    place.symlink_to(place)


def _a_device_link(place: Path) -> None:
    place.symlink_to(os.devnull)


def _a_huge_file(place: Path) -> None:
    with place.open("wb") as stream:
        stream.truncate(300_000_000)


def _nothing(place: Path) -> None:
    assert not place.exists()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_a_folder, "found none"),
        (_a_pipe, "pipe, socket or device"),
        (_a_device_link, "pipe, socket or device"),
        (_a_dangling_link, "there is no such file"),
        (_a_circular_link, "symbolic links"),
        (_a_huge_file, "at most 200 MB"),
        (_nothing, "there is no such file"),
    ],
)
def test_no_image_file_at_all(
    make: Callable[[Path], None], told: str, trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "image.png")
    status, rows, _ = _rows([str(tmp_path / "image.png")], trained_model, capsys)
    assert status == 1
    assert rows[0]["label"] is None
    assert told in rows[0]["error"]


def test_a_name_longer_than_the_system_takes(trained_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, rows, _ = _rows(["x" * 5000 + ".png"], trained_model, capsys)
    assert status == 1
    assert "too long" in rows[0]["error"]


def test_no_permission(
    trained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forbidden, good = write_part(tmp_path / "a.png", 2000), write_part(tmp_path / "b.png", 2000)
    forbidden.chmod(0)
    if os.access(forbidden, os.R_OK):  # root may read everything
        opened = os.open

        def refuse(path: Any, *rest: Any) -> int:
            if os.fspath(path) == str(forbidden):
                raise PermissionError(13, "Permission denied", str(path))
            return opened(path, *rest)

        monkeypatch.setattr(decode.os, "open", refuse)
    status, rows, _ = _rows([str(forbidden), str(good)], trained_model, capsys)
    assert status == 1
    assert "Permission denied" in rows[0]["error"]
    assert rows[1]["label"] == "undamaged"


# --- data -----------------------------------------------------------------------------------------------------------


def _one_class_only(data: Path) -> None:
    write_dataset(data, undamaged=0, damaged=6)


def _no_images(data: Path) -> None:
    (data / "good").mkdir(parents=True)
    (data / "defect").mkdir()


def _one_image(data: Path) -> None:
    write_dataset(data, undamaged=1, damaged=2)


def _three_images(data: Path) -> None:
    write_dataset(data, undamaged=3, damaged=2)


def _all_identical(data: Path) -> None:
    for i in range(10):
        write_part(data / "good" / f"{i}.png", 1)


def _duplicate_across_classes(data: Path) -> None:
    write_dataset(data, undamaged=8, damaged=2)
    shutil.copy(data / "good" / "good_00.png", data / "defect" / "other.png")


def _folder_typo(data: Path) -> None:
    write_dataset(data, undamaged=8, damaged=2)
    (data / "defect").rename(data / "deffect")


def _labels(data: Path, rows: str) -> None:
    write_dataset(data, undamaged=8, damaged=2)
    (data / "labels.csv").write_text(rows, encoding="utf-8")


def _label_typo(data: Path) -> None:
    _labels(data, "path,label\ngood/good_00.png,goood\n")


def _missing_files(data: Path) -> None:
    _labels(data, "path,label\ngood/good_00.png,good\ngood/none.png,good\n")


def _no_header(data: Path) -> None:
    _labels(data, "good/good_00.png,good\n")


def _outside(data: Path) -> None:
    _labels(data, "path,label\n../../etc/passwd,good\n")


def _unreadable_bank(data: Path) -> None:
    for i in range(8):
        (data / "good").mkdir(parents=True, exist_ok=True)
        (data / "good" / f"{i}.png").write_bytes(b"")


def _two_layouts(data: Path) -> None:
    write_dataset(data, undamaged=8, damaged=2)
    write_part(data / "train" / "good" / "x.png", 77)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (_one_class_only, "undamaged"),
        (_no_images, "no images"),
        (_one_image, "at least 5 undamaged images"),
        (_three_images, "at least 5 undamaged images"),
        (_all_identical, "none of them a copy, but found 1"),
        (_duplicate_across_classes, "both labels"),
        (_folder_typo, "deffect"),
        (_label_typo, "goood"),
        (_missing_files, "good/none.png"),
        (_no_header, "path"),
        (_outside, "etc/passwd"),
        (_unreadable_bank, "undamaged images"),
        (_two_layouts, "layout"),
        (_nothing, "does not exist"),
    ],
)
def test_training_data(
    make: Callable[[Path], None], told: str, trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "data")
    model = Path(shutil.copytree(trained_model, tmp_path / "model"))
    before = _files(model)
    words = ["--train", "--data", str(tmp_path / "data"), "--model", str(model), "--device", "cpu", "--quiet"]
    assert told in _one_error(words, capsys)
    assert _files(model) == before
    assert not [path for path in tmp_path.iterdir() if path.name not in ("data", "model")]


# --- trained models -------------------------------------------------------------------------------------------------


def _cut(name: str) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        content = (model / name).read_bytes()
        (model / name).write_bytes(content[: len(content) // 2])

    return damage


def _changed(name: str) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        content = bytearray((model / name).read_bytes())
        content[-1] ^= 1
        (model / name).write_bytes(content)

    return damage


def _gone(name: str) -> Callable[[Path], None]:
    return lambda model: (model / name).unlink()


def _newer(model: Path) -> None:
    manifest = json.loads((model / "manifest.json").read_text(encoding="utf-8"))
    (model / "manifest.json").write_text(json.dumps({**manifest, "format": 99}), encoding="utf-8")


def _other_threshold(model: Path) -> None:
    record = json.loads((model / "calibration" / "0001.json").read_text(encoding="utf-8"))
    record["calibration"]["threshold"] = 99.0
    (model / "calibration" / "0001.json").write_text(json.dumps(record), encoding="utf-8")


def _bank_file(model: Path) -> str:
    return max((model / "bank").rglob("*.npy"), key=lambda path: path.stat().st_size).relative_to(model).as_posix()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_cut("manifest.json"), "manifest"),
        (_gone("manifest.json"), "no trained model"),
        (_newer, "format 99"),
        (_changed("embedding.xml"), "embedding.xml"),
        (_changed("embedding.bin"), "embedding.bin"),
        (_gone("embedding.bin"), "embedding.bin"),
        (lambda model: _changed(_bank_file(model))(model), "damaged"),
        (lambda model: _gone(_bank_file(model))(model), "missing"),
        (_cut("splits.csv"), "splits.csv"),
        (_cut("bank/images.json"), "images.json"),
        (_other_threshold, "calibration/0001.json"),
        (shutil.rmtree, "no trained model"),
    ],
)
def test_trained_model(
    damage: Callable[[Path], None],
    told: str,
    trained_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = Path(shutil.copytree(trained_model, tmp_path / "model"))
    damage(model)
    image = write_part(tmp_path / "image.png", 2000)
    for words in (["--predict", str(image)], ["--recalibrate"], ["--info"]):
        assert told in _one_error([*words, "--model", str(model)], capsys)


def test_a_model_name_that_is_a_file_or_another_folder(
    trained_model: Path, parts_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    for name, told in (("file", "is a file"), ("folder", "no trained model"), ("file/below", "cannot write")):
        words = ["--train", "--data", str(parts_folder), "--model", str(tmp_path / name)]
        assert told in _one_error(words, capsys)
    assert (tmp_path / "file").read_text() == "mine"
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "mine"


# --- outputs --------------------------------------------------------------------------------------------------------


def test_a_full_disk_on_recalibrating(trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Path(shutil.copytree(trained_model, tmp_path / "model"))
    before = _files(model)
    with _small_files(500):
        told = _one_error(["--recalibrate", "--miss-cost", "2", "--model", str(model)], capsys)
    assert "cannot write" in told
    assert _files(model) == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_full_disk_on_drawing(trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, picture = write_part(tmp_path / "image.png", 2000), tmp_path / "picture.png"
    write_image(np.zeros((4, 4, 3), np.uint8), picture)
    old = picture.read_bytes()
    with _small_files(500):
        words = ["--heatmap", str(image), "--output", str(picture), "--model", str(trained_model)]
        assert "cannot write" in _one_error(words, capsys)
    assert picture.read_bytes() == old
    assert {path.name for path in tmp_path.iterdir()} == {"image.png", "picture.png"}


class _small_files:  # noqa: N801
    """Files grow to so many bytes only, as on a full disk."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __enter__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._size, self._before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)
