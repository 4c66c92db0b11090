from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly import Config, Detector, PatchCore
from anomaly.calibration import ScoredImage, calibrate, scores_by_label
from anomaly.config import BankConfig, EmbeddingConfig, GeometryConfig, replace_setting
from anomaly.detector.network_builder import NetworkBuilder
from anomaly.embedding.runtime import cuda_present
from anomaly.errors import (
    ConfigError,
    DatasetError,
    ImageError,
    ImageUnreadableError,
    LeakError,
    RuntimeUnavailableError,
    TooFewImagesError,
)
from memory_bank import MemoryBank
from tests.detector.conftest import SMALL
from tests.parts import draw_part, write_part


@pytest.fixture(scope="module")
def detector(trained_model: Path) -> Detector:
    return Detector.load(trained_model, device="cpu")


def test_damage_scores_higher_and_is_found_where_it_is(detector: Detector) -> None:
    good = detector.predict(draw_part(4000))
    picture = draw_part(4000).copy()
    picture[60:70, 44:54] = 10
    bad = detector.predict(picture)
    assert good.label == "undamaged"
    assert bad.label == "damaged"
    assert bad.score > good.score
    region = bad.regions[0]
    assert abs(region.peak_x - 49) < 14
    assert abs(region.peak_y - 65) < 14
    assert region.peak == pytest.approx(bad.anomaly_map.max())


@pytest.mark.parametrize("image", [np.zeros(5, np.uint8), np.zeros((4, 4), np.uint8), None, [[1]], b"pixels"], ids=repr)
def test_no_picture_is_an_error_of_images(detector: Detector, image: object) -> None:
    for judge in (detector.predict, detector.score):
        with pytest.raises(ImageError, match=r"expected an RGB image as uint8 array \(H, W, 3\), got "):
            judge(image)  # type: ignore[operator]


@pytest.mark.parametrize(("height", "width"), [(96, 96), (97, 101), (33, 210), (1, 1), (3, 500)])
def test_the_map_has_the_shape_of_the_image(detector: Detector, height: int, width: int) -> None:
    image = np.asarray(Image.fromarray(draw_part(1)).resize((width, height)))
    prediction = detector.predict(image)
    assert prediction.anomaly_map.shape == (height, width)
    assert prediction.anomaly_map.dtype == np.float32
    for region in prediction.regions:
        assert 0 <= region.x <= region.peak_x < region.x + region.width <= width
        assert 0 <= region.y <= region.peak_y < region.y + region.height <= height


def test_one_nearest_patch_for_each_region_inside_a_bank_image(detector: Detector) -> None:
    prediction = detector.predict(draw_part(5, damaged=True))
    assert len(prediction.nearest) == max(1, len(prediction.regions))
    sizes = {image.name: (image.width, image.height) for image in detector.bank_images}
    for nearest in prediction.nearest:
        width, height = sizes[nearest.image]
        assert 0 <= nearest.x < width
        assert 0 <= nearest.y < height
        assert nearest.distance > 0


def test_a_result_does_not_depend_on_what_was_asked_before(detector: Detector) -> None:
    images = [draw_part(seed, damaged=seed % 2 == 0) for seed in range(6)]
    forwards = [detector.score(image) for image in images]
    backwards = [detector.score(image) for image in reversed(images)]
    assert forwards == backwards[::-1]


def test_proving_only_what_counts_changes_no_verdict(mixed_detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memory_bank._cells.LISTED", 1)
    monkeypatch.setattr("memory_bank._pruned.LEAST_ROWS", 50)
    monkeypatch.setattr("memory_bank._pruned._WORTH_A_CELL", 0)
    scored = [mixed_detector.score(draw_part(seed)) for seed in range(300, 308)]
    labels = ["undamaged"] * 7 + ["damaged"]
    given = [
        ScoredImage(str(i), f"{i:064d}", label, score)  # type: ignore[arg-type]
        for i, (label, score) in enumerate(zip(labels, sorted(scored), strict=True))
    ]
    banks = [MemoryBank(bank.vectors, bank.groups, bank.tags) for bank in mixed_detector.banks]
    some = replace(mixed_detector, banks=tuple(banks)).calibrate(scored=given)
    every = replace(some, config=replace_setting(some.config, "scoring.whole_map", True))
    differ = 0
    for seed in range(400, 412):
        picture = draw_part(seed, damaged=seed % 2 == 0)
        found, right = some.predict(picture), every.predict(picture)
        assert (found.score, found.label, found.regions) == (right.score, right.label, right.regions)
        assert found.nearest == right.nearest
        assert (found.anomaly_map >= right.anomaly_map - 1e-6).all()
        shown = right.anomaly_map > right.threshold
        np.testing.assert_array_equal(found.anomaly_map[shown], right.anomaly_map[shown])
        differ += int((found.anomaly_map != right.anomaly_map).sum())
    assert differ > 0  # so bounds there were


def test_a_bank_image_is_not_strange_to_itself(detector: Detector, parts_folder: Path) -> None:
    """Every row of the bank came out of the same graph, so a bank image finds patches at distance exactly 0."""
    name = detector.bank_images[0].name
    prediction = detector.predict(parts_folder / name)
    found = detector.extractor.distances(
        np.asarray(Image.open(parts_folder / name).convert("RGB")), detector.banks, neighbours=1
    )
    assert min(float(grid.min()) for grid in found.distance) == 0.0
    assert prediction.score < detector.score(draw_part(3, damaged=True))


def test_before_calibration_there_is_a_score_and_no_label(detector: Detector) -> None:
    bare = replace(detector, history=None)
    prediction = bare.predict(draw_part(3, damaged=True))
    assert (prediction.label, prediction.threshold, prediction.regions) == (None, None, ())
    assert prediction.score == detector.score(draw_part(3, damaged=True))


def test_bank_images_are_refused_for_calibration_by_name(detector: Detector, parts_folder: Path) -> None:
    with pytest.raises(LeakError) as caught:
        detector.calibrate(parts_folder)
    assert set(caught.value.paths) >= {image.name for image in detector.bank_images}


def test_calibrating_adds_to_the_stored_scores(detector: Detector, tmp_path: Path) -> None:
    from anomaly.dataset import read_dataset

    for i in range(2):
        write_part(tmp_path / "good" / f"{i}.png", 7000 + i)
        write_part(tmp_path / "bad" / f"{i}.png", 7100 + i, damaged=True)
    again = detector.calibrate(read_dataset(tmp_path), reason="new parts")
    assert detector.record is not None
    assert again.record is not None
    assert len(again.record.scores) == len(detector.record.scores) + 4
    assert again.history is not None
    assert [record.version for record in again.history.records] == [1, 2]
    assert again.banks is detector.banks
    once_more = again.calibrate(tmp_path, reason="the same again")
    assert once_more.record is not None
    assert once_more.record.scores == again.record.scores
    with pytest.raises(DatasetError, match="expected labelled images, got str: name their folder"):
        detector.calibrate([str(tmp_path)])  # type: ignore[list-item]


def test_bank_images_left_out_of_the_bank_say_how_undamaged_scores_scatter(
    detector: Detector, parts_folder: Path
) -> None:
    assert detector.capture is not None
    assert detector.record is not None
    left_out = detector.left_out_scores
    assert len(left_out) == len(detector.bank_images)
    pixels = np.asarray(Image.open(parts_folder / detector.bank_images[1].name).convert("RGB"))
    assert left_out[1] == detector.sample(pixels, exclude_group=1).score
    scores = scores_by_label(detector.record.scores)
    assert detector.calibrate().calibration == calibrate(*scores, left_out_scores=left_out)
    assert replace(detector, capture=None).left_out_scores == ()
    first, *others = detector.bank_images
    mixed = replace(detector, bank_images=(replace(first, part_type="gear"), *others))
    assert mixed.left_out_scores == ()


def test_an_unreadable_image_is_an_error(detector: Detector, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"not an image")
    with pytest.raises(ImageUnreadableError):
        detector.predict(tmp_path / "broken.png")


@pytest.mark.parametrize("n", [0, 1])
def test_fitting_needs_two_images(tmp_path: Path, n: int) -> None:
    with pytest.raises(TooFewImagesError) as caught:
        PatchCore().fit([write_part(tmp_path / f"{i}.png", i) for i in range(n)])
    assert (caught.value.n, caught.value.needed) == (n, 2)


def test_a_network_image_too_small_for_the_backbone_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"geometry\.size is 63: efficientnet_lite0 needs at least 64"):
        NetworkBuilder(Config(geometry=GeometryConfig(size=63)), "cpu")


def test_images_that_are_all_the_same_are_refused(tmp_path: Path) -> None:
    images = [write_part(tmp_path / f"{i}.png", 0) for i in range(3)]
    with pytest.raises(TooFewImagesError, match="all the same picture"):
        PatchCore(Config(geometry=GeometryConfig(size=64))).fit(images)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"names": ["a", "b", "a"]}, "^1 undamaged image has the name of another, such as a"),
        ({"names": ["a", "b"]}, "3 undamaged images and 2 names"),
        ({"part_types": ["gears"]}, "3 undamaged images and 1 part type:"),
    ],
)
def test_names_that_would_mix_images_up_are_refused(
    given: dict[str, list[str]], said: str, mixed_paths: list[Path]
) -> None:
    with pytest.raises(DatasetError, match=said):
        PatchCore(SMALL, device="cpu").fit(mixed_paths[:3], **given)


@pytest.mark.parametrize(
    "images", ["folder", Path("folder"), (n for n in range(3)), [draw_part(1), draw_part(2)], None]
)
def test_fitting_takes_a_list_of_files_and_nothing_else(images: object) -> None:
    with pytest.raises(DatasetError, match="a list of image files"):
        PatchCore(SMALL, device="cpu").fit(images)  # type: ignore[arg-type]


def test_a_device_is_checked_before_anything_is_read() -> None:
    with pytest.raises(ConfigError, match="device is 'gpu'"):
        PatchCore(SMALL, device="gpu")  # type: ignore[arg-type]


@pytest.mark.skipif(cuda_present(), reason="there is a CUDA driver")
def test_cuda_that_cannot_be_had_is_told_before_anything_is_read() -> None:
    with pytest.raises(RuntimeUnavailableError, match="no CUDA device"):
        PatchCore(SMALL, device="cuda").prepare()


def test_an_image_given_twice_is_refused(mixed_paths: list[Path]) -> None:
    with pytest.raises(DatasetError, match="name of another"):
        PatchCore(SMALL, device="cpu").fit([*mixed_paths[:3], str(mixed_paths[1])])


@pytest.mark.parametrize(
    "config",
    [
        replace(SMALL, bank=BankConfig(coreset_ratio=2.0)),
        replace(SMALL, embedding=EmbeddingConfig(margin=2)),
        replace(SMALL, geometry=GeometryConfig(96.0)),  # type: ignore[arg-type]
        replace(SMALL, seed=-1),
    ],
)
def test_settings_made_in_python_are_checked_like_those_of_a_file(config: Config) -> None:
    with pytest.raises(ConfigError, match="expected"):
        PatchCore(config)


def test_more_neighbours_than_rows_are_an_error_of_the_settings(mixed_paths: list[Path]) -> None:
    config = replace(SMALL, bank=BankConfig(max_rows=40, neighbours=60))
    with pytest.raises(ConfigError, match=r"bank\.neighbours is 60: expected at most \d+"):
        PatchCore(config, device="cpu").fit(mixed_paths[:3])


def test_no_device_and_no_bank_image_of_that_name(detector: Detector, trained_model: Path) -> None:
    with pytest.raises(ConfigError, match="device is 'tpu': expected one of auto, cpu, cuda"):
        Detector.load(trained_model, device="tpu")  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="'none' is no image of the memory bank"):
        detector.bank_picture("none")
