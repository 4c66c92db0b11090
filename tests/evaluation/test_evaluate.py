"""Evaluating a detector on files: one bad file stops nothing, and masks meet maps."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly.calibration import calibrate
from anomaly.dataset import LabelledImage, read_dataset
from anomaly.detector import BankImage, Detector
from anomaly.errors import DatasetError, ImageUnreadableError, LeakError, RuntimeUnavailableError
from anomaly.evaluation import PixelReport, Undefined, check_installed, evaluate, read_mask
from anomaly.imaging import load_image
from anomaly.imaging.decode import content_hash
from anomaly.types import CaptureQuality, Prediction


class Brightness:
    """Scores an image by its brightest pixel; the map is the picture."""

    calibration = calibrate([10.0], [200.0])
    bank_images: tuple[BankImage, ...] = ()

    def predict(self, path: Path, /, *, part_type: str = "") -> Prediction:
        try:
            with Image.open(path) as picture:
                pixels = np.asarray(picture, dtype=np.float32)
        except OSError as error:
            raise ImageUnreadableError(f"{path.name}: no image", path=path) from error
        score = float(pixels.max())
        return Prediction(
            path=str(path),
            label=self.calibration.label(score),
            score=score,
            threshold=self.calibration.threshold,
            anomaly_map=pixels,
            regions=(),
            nearest=(),
            quality=CaptureQuality(8, 6, 0.5, 0.1, 1.0, 0.0, 0.0),
            calibration_version=1,
            sha256=content_hash(path),
        )


def write(path, value, box=None):
    pixels = np.full((6, 8), 10, dtype=np.uint8)
    if box is not None:
        pixels[box] = value
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def images(tmp_path):
    spot = (slice(1, 3), slice(2, 5))
    mask = np.zeros((6, 8), dtype=np.uint8)
    mask[spot] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return [
        LabelledImage(write(tmp_path / "a.png", 0), "a", "undamaged"),
        LabelledImage(write(tmp_path / "b.png", 240, spot), "b", "damaged", mask=tmp_path / "mask.png"),
        LabelledImage(write(tmp_path / "c.png", 250, (0, 0)), "c", "damaged"),
        LabelledImage(tmp_path / "broken.png", "d", "damaged"),
    ]


def test_a_bad_file_is_listed_and_counted_nowhere(images):
    done = []
    report = evaluate(Brightness(), [images[0], images[3], images[2]], progress=lambda *step: done.append(step))
    assert (report.overall.n_undamaged, report.overall.n_damaged) == (1, 1)
    assert [(image.name, "no image" in image.error) for image in report.failed] == [("d", True)]
    assert any(line.startswith("not scored: d") for line in report.lines())
    assert done == [("judging images", 1, 3), ("judging images", 2, 3), ("judging images", 3, 3)]
    assert report.pixels == Undefined("the data have no masks")


def test_images_of_the_memory_bank_are_refused_before_one_is_judged(images, monkeypatch):
    known = BankImage("of training.png", content_hash(images[2].path), 8, 6)
    monkeypatch.setattr(Brightness, "bank_images", (known,))
    assert evaluate(Brightness(), [images[0], images[3]]).overall.n_undamaged == 1
    monkeypatch.setattr(Brightness, "predict", lambda *_, **__: pytest.fail("was judged"))
    with pytest.raises(LeakError, match=r"c \(trained on as of training\.png\)") as caught:
        evaluate(Brightness(), [images[0], images[3], images[2]])
    assert caught.value.paths == ("c",)


def test_a_fitted_detector_refuses_its_own_bank_images(trained_model, parts_folder):
    detector = Detector.load(trained_model, device="cpu")
    own = [LabelledImage(parts_folder / image.name, image.name, "undamaged") for image in detector.bank_images]
    with pytest.raises(LeakError):
        evaluate(detector, own)


def test_a_file_is_known_by_what_was_judged_and_not_read_again(images, monkeypatch):
    judged = Brightness.predict

    def predict_and_write_over(self, path, /, *, part_type=""):
        prediction = judged(self, path)
        path.unlink()
        return prediction

    monkeypatch.setattr(Brightness, "predict", predict_and_write_over)
    report = evaluate(Brightness(), [images[0], images[2]])
    assert (report.overall.n_undamaged, report.overall.n_damaged, report.failed) == (1, 1, ())


def test_a_folder_a_dataset_and_its_images_are_the_same(tmp_path):
    for folder, box in (("good", None), ("bad", (0, 0))):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / f"{folder}.png", 250, box)
    dataset = read_dataset(tmp_path)
    reports = [evaluate(Brightness(), images) for images in (tmp_path, str(tmp_path), dataset, iter(dataset.images))]
    assert [(report.overall.n_undamaged, report.overall.n_damaged) for report in reports] == [(1, 1)] * 4


@pytest.mark.parametrize("odd", [3, None, ["a.png"], {"a.png": "undamaged"}])
def test_what_are_no_labelled_images_is_said(odd):
    with pytest.raises(DatasetError, match=r"expected labelled images, got (int|NoneType|str): name their folder"):
        evaluate(Brightness(), odd)


@pytest.mark.slow
def test_pixels_are_compared_where_masks_exist(images):
    report = evaluate(Brightness(), images)
    assert report.overall.n_damaged == 2
    assert isinstance(report.pixels, PixelReport)
    assert (report.pixels.n_images, report.pixels.n_masks) == (2, 1)  # c has no mask and is left out
    assert report.pixels.auroc == pytest.approx(1.0)
    assert report.pixels.aupro == pytest.approx(1.0)


@pytest.mark.slow  # anomalib takes seconds to import
def test_an_unreadable_mask_is_named(images, tmp_path):
    bad = LabelledImage(images[2].path, "e", "damaged", mask=tmp_path / "broken.png")
    report = evaluate(Brightness(), [images[0], images[1], bad])
    assert [image.name for image in report.failed] == ["e"]
    assert "broken.png" in report.failed[0].error


@pytest.mark.parametrize(("missing", "with_masks"), [("scipy", False), ("scipy", True), ("anomalib", True)])
def test_what_is_not_installed_is_said_before_an_image_is_judged(images, monkeypatch, missing, with_masks):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else object())
    monkeypatch.setattr(Brightness, "predict", lambda *_, **__: pytest.fail("was judged"))
    needed = rf"an evaluation needs {missing}, not installed here: pip install 'goodparts\[train\]'"
    with pytest.raises(RuntimeUnavailableError, match=needed):
        evaluate(Brightness(), images if with_masks else [images[0], images[2]])


def test_nothing_is_asked_for_that_is_not_needed(images, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "anomalib" else object())
    assert evaluate(Brightness(), [images[0], images[2]]).overall.n_damaged == 1
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr(Brightness, "calibration", None)
    check_installed(Brightness(), masks=False)


_MANY = """
import resource
from pathlib import Path
import numpy as np
from anomaly.calibration import calibrate
from anomaly.evaluation import PixelReport, add_pixel_metrics, evaluate_scores
from anomaly.evaluation.kept import KeptArrays

mask = np.eye(4, 5, dtype=np.bool_)
with KeptArrays() as maps, KeptArrays() as masks:
    for number in range(300):
        maps.append(mask + np.float32(number))
        masks.append(mask)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
    report = add_pixel_metrics(evaluate_scores([], None), maps=maps, masks=masks)
assert isinstance(report.pixels, PixelReport) and report.pixels.n_images == 300
"""


@pytest.mark.slow
def test_more_masked_images_than_files_may_be_open():
    done = subprocess.run([sys.executable, "-c", _MANY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_masks_of_every_mode(mode, tmp_path):
    expected = np.zeros((3, 4), dtype=bool)
    expected[1, 2] = True
    picture = Image.fromarray(expected.astype(np.uint8) * 255)
    if mode == "I;16":
        picture = Image.fromarray(expected.astype(np.uint16) * 256)
    elif mode == "P":
        picture = Image.fromarray(expected.astype(np.uint8))
        picture.putpalette([0, 0, 0, 255, 0, 0])
    else:
        picture = picture.convert(mode)
    path = tmp_path / "mask.png"
    picture.save(path)
    assert np.array_equal(read_mask(path), expected)


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp"])
def test_black_is_a_colour_and_not_an_entry_of_the_palette(suffix, tmp_path):
    expected = np.zeros((3, 4), dtype=bool)
    expected[1, 2] = True
    picture = Image.fromarray((~expected).astype(np.uint8))
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(tmp_path / f"mask.{suffix}")
    assert np.array_equal(read_mask(tmp_path / f"mask.{suffix}"), expected)


@pytest.mark.parametrize("transparency", [0, b"\x00\x80"])
def test_transparent_palette_entries_keep_their_colour(transparency, tmp_path):
    picture = Image.fromarray(np.array([[0, 1]], dtype=np.uint8))
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(tmp_path / "mask.png", transparency=transparency)
    assert read_mask(tmp_path / "mask.png").tolist() == [[True, False]]


def test_black_printing_ink_is_black(tmp_path):
    Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("CMYK").save(tmp_path / "mask.tif")
    assert read_mask(tmp_path / "mask.tif").tolist() == [[False, True]]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_what_a_jpeg_leaves_beside_an_edge_is_not_marked(mode, orientation, tmp_path):
    yy, xx = np.mgrid[:60, :90]
    expected = np.hypot(yy - 30, xx - 50) < 20
    stored = np.rot90(expected) if orientation == 6 else expected
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "mask.jpg"
    Image.fromarray(stored.astype(np.uint8) * 255).convert(mode).save(path, quality=75, exif=exif)
    assert (load_image(path).any(axis=2) & ~expected).any()
    assert np.array_equal(read_mask(path), expected)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_stands_upright_like_its_photograph(suffix, orientation, tmp_path):
    pixels = np.zeros((16, 24), dtype=np.uint8)
    pixels[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"mask.{suffix}"
    Image.fromarray(pixels).save(path, exif=exif)
    assert np.array_equal(read_mask(path), load_image(path).any(axis=2))


@pytest.mark.parametrize("mode", ["1", "I;16", "P"])
def test_masks_of_few_or_many_bits_are_turned_too(mode, tmp_path):
    expected = np.zeros((3, 4), dtype=bool)
    expected[0, 1:] = True
    stored = np.ascontiguousarray(np.rot90(expected))
    picture = Image.fromarray(stored.astype(np.uint16) if mode == "I;16" else stored.astype(np.uint8) * 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = picture if mode == "I;16" else picture.convert(mode)
    picture.save(tmp_path / "mask.png", exif=exif)
    assert np.array_equal(read_mask(tmp_path / "mask.png"), expected)


def test_a_missing_mask_is_a_named_error(tmp_path):
    with pytest.raises(ImageUnreadableError):
        read_mask(tmp_path / "none.png")
