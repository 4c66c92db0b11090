from __future__ import annotations

import os
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from anomaly.config import ImageConfig
from anomaly.errors import ImageError, ImageTooLargeError, ImageUnreadableError
from anomaly.imaging import check_image, content_hash, image_size, load_image, pixel_hash
from anomaly.types import UInt8Array


def picture(height: int = 24, width: int = 40, seed: int = 0) -> UInt8Array:
    """Smooth enough to survive JPEG, and unlike any of its own flips and turns."""
    y, x = np.mgrid[:height, :width]
    red = 255 * x / max(width - 1, 1)
    green = 255 * y / max(height - 1, 1)
    blue = np.full((height, width), 60 + 10 * seed)
    return np.stack([red, green, blue], axis=-1).round().astype(np.uint8)


def save(path: Path, image: Image.Image | UInt8Array, **options: object) -> Path:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(path, **options)
    return path


def one_line(error: pytest.ExceptionInfo[ImageError]) -> str:
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert ";" in message, "says what to do next"
    return message


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"\0" * 100))


# ------------------------------------------------------------------------------------ what is accepted


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp"])
def test_lossless_formats_round_trip(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    image = load_image(save(tmp_path / f"a.{suffix}", picture(), **options))
    np.testing.assert_array_equal(image, picture())
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.writeable


def test_jpeg_is_near_the_original(tmp_path: Path) -> None:
    image = load_image(save(tmp_path / "a.jpg", picture(), quality=95, subsampling=0))
    assert np.abs(image.astype(int) - picture()).max() <= 8


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", picture())
    path = path.rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(load_image(path), picture())


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_uses_its_full_range(tmp_path: Path, suffix: str) -> None:
    values = np.array([[0, 128, 129, 257], [32767, 32896, 65407, 65535]], dtype=np.uint16)
    image = load_image(save(tmp_path / f"a.{suffix}", Image.fromarray(values)))
    np.testing.assert_array_equal(image[..., 0], np.round(values / 257))
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_sixteen_bit_pgm(tmp_path: Path) -> None:
    values = np.array([[0, 257, 65535]], dtype=">u2")
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 3 1 65535\n" + values.tobytes())
    assert load_image(path)[0, :, 0].tolist() == [0, 1, 255]


def test_big_endian_sixteen_bit_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = np.array([0, 257, 65535], dtype=">u2").tobytes()
    entries = [(256, 4, 3), (257, 4, 1), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    entries += [(278, 4, 1), (279, 4, len(pixels))]
    directory = struct.pack(">H", len(entries))
    for tag, kind, value in entries:
        packed = struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value)
        directory += struct.pack(">HHI", tag, kind, 1) + packed
    path.write_bytes(b"MM\0*" + struct.pack(">I", 8 + len(pixels)) + pixels + directory + b"\0\0\0\0")
    assert load_image(path)[0, :, 1].tolist() == [0, 1, 255]


def test_grey_and_one_bit(tmp_path: Path) -> None:
    grey = np.array([[0, 100, 255]], dtype=np.uint8)
    assert load_image(save(tmp_path / "g.png", grey))[0].tolist() == [[0] * 3, [100] * 3, [255] * 3]
    bits = Image.fromarray(grey).convert("1", dither=Image.Dither.NONE)
    assert load_image(save(tmp_path / "b.png", bits))[0, :, 0].tolist() == [0, 0, 255]


def test_transparency_is_composited_over_white(tmp_path: Path) -> None:
    rgba = np.array([[[200, 0, 0, 255], [200, 0, 0, 0], [0, 0, 0, 128]]], dtype=np.uint8)
    assert load_image(save(tmp_path / "rgba.png", rgba))[0].tolist() == [[200, 0, 0], [255] * 3, [127] * 3]
    grey = Image.fromarray(rgba).convert("LA")
    assert load_image(save(tmp_path / "la.png", grey))[0, 1].tolist() == [255] * 3


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    assert load_image(save(tmp_path / "p.png", palette))[0].tolist() == [[10, 20, 30], [200, 100, 50]]
    path = save(tmp_path / "t.png", palette, transparency=0)
    assert load_image(path)[0].tolist() == [[255] * 3, [200, 100, 50]]
    path = save(tmp_path / "s.png", palette, transparency=b"\x80\xff")
    assert load_image(path)[0, 1].tolist() == [200, 100, 50]


def test_cmyk(tmp_path: Path) -> None:
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for name in ("a.tif", "a.jpg"):
        red, green, blue = load_image(save(tmp_path / name, cmyk))[4, 4].tolist()
        assert red > 240
        assert max(green, blue) < 15


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright = picture(24, 40)
    # How the sensor stored it: undo what the tag asks for.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if suffix == "jpg" else {}
    options |= {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"a.{suffix}", np.ascontiguousarray(stored), exif=exif, **options)
    image = load_image(path)
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).max() <= (8 if suffix == "jpg" else 0)
    assert image_size(path) == (24, 40)


def test_orientation_behind_the_pixels_of_a_png(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.png", np.ascontiguousarray(np.rot90(picture())))
    content = path.read_bytes()
    path.write_bytes(content[:-12] + png_chunk(b"eXIf", exif.tobytes()) + content[-12:])
    np.testing.assert_array_equal(load_image(path), picture())
    assert image_size(path) == (24, 40)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp", "gif"])
def test_size_is_read_without_decoding(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / f"a.{suffix}", picture())
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("was decoded"))
    assert image_size(path) == (24, 40)


def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", picture(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert load_image(path).shape == (24, 40, 3)


def test_main_picture_of_a_phone_jpeg_with_previews(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    preview = Image.fromarray(picture(6, 10))
    Image.fromarray(picture()).save(path, format="MPO", save_all=True, append_images=[preview])
    assert load_image(path).shape == (24, 40, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_extreme_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = save(tmp_path / "a.png", picture(*size))
    assert load_image(path).shape == (*size, 3)
    assert image_size(path) == size


@pytest.mark.parametrize("name", ["prüfung 零件.png", "a\nb.png", "-rf.png", " .png"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    assert load_image(save(tmp_path / name, picture())).shape == (24, 40, 3)


# ------------------------------------------------------------------------------------ what is refused


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageUnreadableError, match="no such file") as error:
        load_image(tmp_path / "new\nline.png")
    assert "new\\nline.png" in one_line(error)
    assert error.value.path == tmp_path / "new\nline.png"


def test_dangling_link_and_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "file").write_bytes(b"x")
    for path in (tmp_path / "link.png", tmp_path / "file" / "a.png"):
        with pytest.raises(ImageUnreadableError, match="no such file"):
            load_image(path)


def test_impossible_names(tmp_path: Path) -> None:
    for name in ("nul\0byte.png", "x" * 5000):
        with pytest.raises(ImageUnreadableError) as error:
            load_image(tmp_path / name)
        one_line(error)


def test_folder_named_like_an_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(ImageUnreadableError, match="folder") as error:
        load_image(tmp_path / "a.png")
    one_line(error)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_no_permission(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", picture())
    path.chmod(0)
    with pytest.raises(ImageUnreadableError, match="ermission") as error:
        load_image(path)
    one_line(error)


def test_denied_open_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png", picture())

    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(ImageUnreadableError, match="Permission denied") as error:
        load_image(path)
    one_line(error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipe_never_blocks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    errors: list[Exception] = []

    def attempt() -> None:
        for read in (load_image, image_size, content_hash):
            try:
                read(tmp_path / "a.png")
            except ImageUnreadableError as error:
                errors.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert len(errors) == 3
    assert all("pipe" in str(error) for error in errors)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_device() -> None:
    with pytest.raises(ImageUnreadableError, match="device"):
        load_image("/dev/zero")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\0" * 1000, "none of them"),
        (b"this is not a picture", "none of them"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "none of them"),
        (b"\x89PNG\r\n\x1a\n", "corrupt"),
        (b"\xff\xd8\xff\xe0", "corrupt"),
        (b"II*\0\x08\0\0\0", "corrupt"),
        (b"BM", "corrupt"),
        (b"GIF89a", "corrupt"),
        (b"P6 3 3", "corrupt"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "corrupt"),
    ],
)
def test_no_image_at_all(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ImageUnreadableError, match=said) as error:
        load_image(path)
    one_line(error)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "ppm", "webp", "gif"])
def test_truncated_file_is_refused_or_whole(tmp_path: Path, suffix: str) -> None:
    """Whatever is cut off: no picture comes back that is not the complete one."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    path = save(tmp_path / f"a.{suffix}", noise)
    content, whole = path.read_bytes(), load_image(path)
    refused = 0
    cuts = sorted({*range(1, len(content), max(1, len(content) // 60)), *range(len(content) - 40, len(content))})
    for length in cuts:
        path.write_bytes(content[:length])
        try:
            np.testing.assert_array_equal(load_image(path), whole)
        except ImageUnreadableError:
            refused += 1
    assert refused >= 0.6 * len(cuts)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageUnreadableError):
        load_image(path)


def test_flipped_bytes_raise_nothing_foreign(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for suffix in ("png", "jpg", "tif", "gif", "webp", "bmp"):
        path = save(tmp_path / f"a.{suffix}", picture())
        content = bytearray(path.read_bytes())
        for _ in range(60):
            broken = bytearray(content)
            for place in rng.integers(0, min(len(content), 400), 3):
                broken[place] = int(rng.integers(0, 256))
            path.write_bytes(broken)
            try:
                load_image(path, limits=ImageConfig(max_megapixels=1))
            except ImageError as error:
                assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("side", [15_000, 60_000])
def test_pixel_bomb_is_refused_from_the_header(tmp_path: Path, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(side, side))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("was decoded"))
    for read in (load_image, image_size):
        with pytest.raises(ImageTooLargeError, match=f"{side}x{side}") as error:
            read(path)
        one_line(error)


def test_gif_frame_beyond_its_screen_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    screen = struct.pack("<HHBBB", 10, 10, 0, 0, 0)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\x02\x02D\x01\0;"
    path.write_bytes(b"GIF89a" + screen + frame)
    with pytest.raises(ImageTooLargeError):
        load_image(path)


def test_picture_beyond_pillows_own_limit_is_ours_to_allow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert load_image(save(tmp_path / "a.png", picture())).shape == (24, 40, 3)


def test_limits_are_settings(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", picture(100, 100))
    assert load_image(path, limits=ImageConfig(max_megapixels=0.01)).shape == (100, 100, 3)
    with pytest.raises(ImageTooLargeError, match="max_megapixels"):
        load_image(path, limits=ImageConfig(max_megapixels=0.0099))
    size = path.stat().st_size / 1e6
    assert load_image(path, limits=ImageConfig(max_megabytes=size)).shape == (100, 100, 3)
    with pytest.raises(ImageTooLargeError, match="max_megabytes"):
        load_image(path, limits=ImageConfig(max_megabytes=size * 0.99))


@pytest.mark.parametrize("suffix", ["gif", "webp", "tif", "png"])
def test_several_frames_are_refused(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(picture(seed=i)) for i in range(3)]
    path = save(tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(ImageUnreadableError, match="several frames") as error:
        load_image(path)
    one_line(error)


def test_still_gif_is_read(tmp_path: Path) -> None:
    assert load_image(save(tmp_path / "a.gif", picture())).shape == (24, 40, 3)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_without_an_agreed_range_are_refused(tmp_path: Path, dtype: type) -> None:
    path = save(tmp_path / "a.tif", Image.fromarray(np.ones((4, 4), dtype=dtype)))
    with pytest.raises(ImageUnreadableError, match="32-bit") as error:
        load_image(path)
    one_line(error)


# ------------------------------------------------------------------------------------ hashes, arrays, folders


def test_hashes(tmp_path: Path) -> None:
    png, bmp = save(tmp_path / "a.png", picture()), save(tmp_path / "a.bmp", picture())
    assert content_hash(png) != content_hash(bmp)
    assert content_hash(png) == content_hash(Path(str(png)))
    assert len(content_hash(png)) == 64
    assert pixel_hash(load_image(png)) == pixel_hash(load_image(bmp)) == pixel_hash(picture())
    assert pixel_hash(picture(4, 6)) != pixel_hash(picture(4, 6).reshape(6, 4, 3))
    assert pixel_hash(picture()[:, ::-1]) == pixel_hash(picture()[:, ::-1].copy())
    with pytest.raises(ImageUnreadableError):
        content_hash(tmp_path / "missing.png")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_arrays_that_are_no_images(array: UInt8Array) -> None:
    with pytest.raises(ImageError, match="expected an RGB image"):
        check_image(array)


def test_decoding_in_threads(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", picture())
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(pixel_hash(load_image(path)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len(set(results)) == 1
