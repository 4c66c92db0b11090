from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from anomaly.dataset import Dataset, labelled_images, read_dataset
from anomaly.dataset.wording import DAMAGED_WORDS, UNDAMAGED_WORDS
from anomaly.errors import AnomalyError, DatasetError, LayoutError
from anomaly.imaging import write_image
from tests.dataset.conftest import Write


def labels(dataset: Dataset) -> dict[str, str]:
    return {image.name: image.label for image in dataset.images}


@pytest.mark.parametrize("good", UNDAMAGED_WORDS)
@pytest.mark.parametrize("bad", DAMAGED_WORDS)
def test_two_folders_by_any_of_their_names_in_any_case(write: Write, good: str, bad: str) -> None:
    root = write(f"{good}/a.png", f"{bad.upper()}/b.png")
    dataset = read_dataset(root)
    assert labels(dataset) == {f"{good}/a.png": "undamaged", f"{bad.upper()}/b.png": "damaged"}
    assert dataset.kind == "two folders"
    assert dataset.layout == f"two folders, {good}/ and {bad.upper()}/"


def test_labelled_images_are_named_by_folder_dataset_or_one_by_one(write: Write) -> None:
    root = write("good/a.png", "bad/b.png")
    dataset = read_dataset(root)
    for images in (root, str(root), dataset, list(dataset.images), iter(dataset.images)):
        assert labelled_images(images) == dataset.images
    assert labelled_images(()) == ()
    with pytest.raises(LayoutError, match="does not exist"):
        labelled_images(root / "none")
    with pytest.raises(
        DatasetError, match=r"got (Posix|Windows)Path: name their folder, or give a Dataset or a list of"
    ):
        labelled_images([*dataset.images, root / "good" / "a.png"])  # type: ignore[list-item]


def test_two_folders_once_for_each_part_type(write: Write) -> None:
    root = write("gears/good/a.png", "gears/defect/b.png", "springs/good/a.png", "springs/defect/chipped/b.png")
    (root / "notes").mkdir()
    dataset = read_dataset(root)
    assert [(image.part_type, image.name, image.defect) for image in dataset.images] == [
        ("gears", "gears/defect/b.png", ""),
        ("gears", "gears/good/a.png", ""),
        ("springs", "springs/defect/chipped/b.png", "chipped"),
        ("springs", "springs/good/a.png", ""),
    ]
    assert dataset.layout == "two folders, good/ and defect/, part types gears, springs"
    assert {image.path for image in dataset.images} == {root / image.name for image in dataset.images}


def test_one_class_alone_is_read_and_left_to_the_caller(write: Write) -> None:
    root = write("ng/a.png", "ng/b.png")
    dataset = read_dataset(root)
    assert [image.label for image in dataset.images] == ["damaged", "damaged"]
    assert dataset.layout == "one folder, ng/"
    assert len(dataset.damaged) == 2
    assert dataset.undamaged == ()


def test_masks_beside_the_two_folders_go_to_damaged_images_by_stem(write: Write) -> None:
    root = write(
        "good/1.png",
        "bad/1.png",
        "bad/2.jpg",
        "bad/3.png",
        "bad/dents/4.png",
        "masks/1.png",
        "masks/2_mask.png",
        "masks/dents/4.png",
        "masks/99.png",
    )
    dataset = read_dataset(root)
    masks = {image.name: image.mask and image.mask.relative_to(root).as_posix() for image in dataset.images}
    assert masks == {
        "bad/1.png": "masks/1.png",
        "bad/2.jpg": "masks/2_mask.png",
        "bad/3.png": None,
        "bad/dents/4.png": "masks/dents/4.png",
        "good/1.png": None,
    }
    assert dataset.notes == ("1 mask in masks/ without a damaged image of that name left aside: 99.",)


def test_one_mask_for_two_images_is_refused(write: Write) -> None:
    root = write("good/a.png", "bad/dents/1.png", "bad/cracks/1.png", "masks/1.png")
    with pytest.raises(LayoutError, match=r"mask 1\.png fits two images, bad/cracks/1\.png, bad/dents/1\.png"):
        read_dataset(root)


def test_two_masks_for_one_image_are_refused(write: Write) -> None:
    root = write("good/a.png", "bad/b0.png", "masks/b0.bmp", "masks/b0.png")
    with pytest.raises(LayoutError, match=r"2 masks fit image bad/b0\.png: masks/b0\.bmp, masks/b0\.png; keep"):
        read_dataset(root)


def test_two_masks_of_a_name_that_nobody_asks_for_are_left_aside(write: Write) -> None:
    dataset = read_dataset(write("good/a.png", "bad/b.png", "masks/b_mask.png", "masks/b.bmp", "masks/b.png"))
    assert dataset.damaged[0].mask is not None
    assert dataset.damaged[0].mask.name == "b_mask.png"
    assert dataset.notes == ("2 masks in masks/ without a damaged image of that name left aside: b, b.",)


def test_mvtec_layout_with_defect_origin_and_masks(write: Write) -> None:
    root = write(
        "train/good/000.png",
        "test/good/000.png",
        "test/crack/000.png",
        "test/dent/000.png",
        "ground_truth/crack/000_mask.png",
        "ground_truth/dent/000_mask.png",
    )
    (root / "manifest.csv").write_text("nothing of interest\n")
    dataset = read_dataset(root)
    found = {
        image.name: (image.label, image.origin, image.defect, image.mask and image.mask.parent.name)
        for image in dataset.images
    }
    assert found == {
        "test/crack/000.png": ("damaged", "test", "crack", "crack"),
        "test/dent/000.png": ("damaged", "test", "dent", "dent"),
        "test/good/000.png": ("undamaged", "test", "", None),
        "train/good/000.png": ("undamaged", "train", "", None),
    }
    assert all(image.split is None for image in dataset.images)
    assert dataset.layout == "the MVTec AD layout"


def test_mvtec_layout_once_for_each_part_type(write: Write) -> None:
    root = write("nut/train/good/0.png", "nut/test/bent/0.png", "screw/train/good/0.png", "screw/test/good/0.png")
    dataset = read_dataset(root)
    assert {image.part_type for image in dataset.images} == {"nut", "screw"}
    assert dataset.layout == "the MVTec AD layout, part types nut, screw"


def test_images_alone_are_all_undamaged_and_hidden_ones_are_not_seen(write: Write) -> None:
    root = write("a.png", "b.JPG", ".thumbnails/c.png", ".d.png")
    (root / "readme.txt").write_text("not an image\n")
    dataset = read_dataset(root)
    assert labels(dataset) == {"a.png": "undamaged", "b.JPG": "undamaged"}
    assert dataset.kind == "images alone"
    assert dataset.layout == "a folder of 2 images alone, all taken as undamaged"


def test_labels_csv_beats_the_folders_and_says_what_it_leaves_aside(write: Write) -> None:
    root = write("good/a.png", "good/b.png", "bad/c.png", "masks/c.png")
    (root / "labels.csv").write_text("path,label,mask\ngood/a.png,damaged,masks/c.png\nbad/c.png,ok,\n")
    dataset = read_dataset(root)
    assert labels(dataset) == {"bad/c.png": "undamaged", "good/a.png": "damaged"}
    assert dataset.kind == "labels.csv"
    assert dataset.notes == ("1 image not named in labels.csv left aside: good/b.png.",)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "no images in"),
        (["good/readme.txt"], "no images in"),
        (["undamged/a.png", "other/b.png"], "did you mean 'undamaged'?"),
        (["good/a.png", "damged/b.png"], "did you mean 'damaged'?"),
        (["good/a.png", "bad/b.png", "c.png"], "1 image directly in"),
        (["good/a.png", "train/good/b.png"], "also good/ of the two-folder layout"),
        (["good/a.png", "gears/bad/b.png"], "and so is its folder gears/"),
        (["good/damaged/a.png", "bad/b.png"], "and so is its folder good/"),
        (["gears/good/a.png", "nut/train/good/b.png"], "nut/ is in the MVTec AD layout and gears/ in two folders"),
        (["gears/good/a.png", "springs/b.png"], "springs/ beside gears/ holds images"),
        (["train/good/a.png", "train/bad/b.png"], "there is bad/ in it"),
        (["test/good/a.png", "test/bad/b.png"], "test/ is the name of a split"),
        (["train/good/a.png", "extra/b.png"], "extra/ beside train/"),
    ],
)
def test_what_no_layout_explains_is_refused_in_one_line(write: Write, names: list[str], says: str) -> None:
    root = write(*(name for name in names if name.endswith(".png")))
    for name in names:
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        if not name.endswith(".png"):
            (root / name).write_text("x")
    with pytest.raises(LayoutError) as caught:
        read_dataset(root)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_named_for_damaged_images_is_not_taken_as_undamaged(write: Write) -> None:
    root = write("defect/a.png", "good/b.png")
    with pytest.raises(LayoutError, match="named for damaged images"):
        read_dataset(root / "defect")
    assert labels(read_dataset(root / "good")) == {"b.png": "undamaged"}


def test_missing_folder_and_file_are_layout_errors(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="does not exist"):
        read_dataset(tmp_path / "nowhere")
    file = tmp_path / "image.png"
    file.write_bytes(b"x")
    with pytest.raises(LayoutError, match="is a file"):
        read_dataset(file)


def test_a_name_with_a_newline_keeps_the_message_on_one_line(write: Write) -> None:
    root = write("good/a.png", "bad\nly/b.png")
    with pytest.raises(LayoutError) as caught:
        read_dataset(root)
    assert "\n" not in str(caught.value)
    assert "bad\\nly/" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_closed_folder_is_a_named_error(write: Write) -> None:
    root = write("good/a.png")
    root.chmod(0)
    try:
        with pytest.raises(AnomalyError, match="cannot list"):
            read_dataset(root)
    finally:
        root.chmod(0o700)


def test_what_goodparts_wrote_among_the_photographs_stands_for_no_label(write: Write, trained_model: Path) -> None:
    root = write("good/a.png", "bad/b.png")
    before = read_dataset(root)
    shutil.copytree(trained_model, root / "trained")
    (root / "heatmaps").mkdir()
    for drawn in ("heatmaps/b_heatmap.png", "a_heatmap.png", "bad/b_heatmap.png"):
        write_image(np.zeros((4, 4, 3), np.uint8), root / drawn)
    assert read_dataset(root) == before


@pytest.mark.parametrize("kind", ["a link to nowhere", "a folder", "a pipe or a device"])
def test_a_labels_file_that_is_no_file_is_not_passed_over(write: Write, kind: str) -> None:
    root = write("a.png", "b.png")
    labels_file = root / "labels.csv"
    if kind == "a folder":
        labels_file.mkdir()
    elif kind == "a link to nowhere":
        labels_file.symlink_to("../unmounted/labels.csv")
    else:
        os.mkfifo(labels_file)
    with pytest.raises(LayoutError, match=f"expected a readable labels.csv in .* but it is {kind}; mend it"):
        read_dataset(root)


@pytest.mark.parametrize("link", ["defect", "masks", "gears", "good/scratches"])
def test_a_link_to_nowhere_among_the_folders_is_not_passed_over(write: Write, link: str) -> None:
    root = write("good/a.png")
    (root / link).symlink_to("../nowhere")
    with pytest.raises(LayoutError, match=f"{Path(link).name} in .* is a link to nowhere: are images missing"):
        read_dataset(root)


def test_hidden_links_and_links_of_images_to_nowhere_are_no_lost_folders(write: Write) -> None:
    root = write("good/a.png")
    (root / ".#notes").symlink_to("user@host.1234")
    (root / "good" / "b.png").symlink_to("../nowhere.png")
    assert labels(read_dataset(root)) == {"good/a.png": "undamaged", "good/b.png": "undamaged"}
    (root / "c.png").symlink_to("nowhere.png")
    with pytest.raises(LayoutError, match="1 image directly in"):
        read_dataset(root)
