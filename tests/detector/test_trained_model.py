"""The folder: what is written is read back bit for bit, and nothing else is accepted."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from anomaly import Detector
from anomaly.detector import fingerprint, load_detector, read_manifest, save_calibration, save_detector, trained_model
from anomaly.detector.model_reading import make_runtime
from anomaly.errors import (
    OutputError,
    RuntimeUnavailableError,
    TrainedModelCorruptError,
    TrainedModelMissingError,
    TrainedModelVersionError,
)
from tests.parts import draw_part, write_dataset


@pytest.fixture
def own_copy(trained_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_model, tmp_path / "copy"))


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_saved_again_it_is_the_same_bytes(trained_model: Path, tmp_path: Path) -> None:
    save_detector(load_detector(trained_model), tmp_path / "again")
    assert files(tmp_path / "again") == files(trained_model)


def test_the_taps_are_recorded_by_name(trained_model: Path) -> None:
    """A later default of the registry must not change what an old model is."""
    assert load_detector(trained_model).config.embedding.taps == ("block4", "block10", "block14")


def test_loaded_and_moved_it_predicts_the_same(trained_model: Path, own_copy: Path, tmp_path: Path) -> None:
    shutil.move(own_copy, tmp_path / "moved")
    image = draw_part(77, damaged=True)
    one, other = Detector.load(trained_model).predict(image), Detector.load(tmp_path / "moved").predict(image)
    assert one.score == other.score
    assert np.array_equal(one.anomaly_map, other.anomaly_map)
    assert (one.regions, one.nearest, one.label) == (other.regions, other.nearest, other.label)


def test_a_calibration_touches_no_other_file(own_copy: Path, tmp_path: Path) -> None:
    before = files(own_copy)
    labelled = write_dataset(tmp_path / "new", undamaged=3, damaged=3, seed=9000)
    save_calibration(load_detector(own_copy).calibrate(labelled, reason="more images"), own_copy)
    after = files(own_copy)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed == {"manifest.json", "card.md", "calibration/0002.json", "calibration/history.json"}
    record = load_detector(own_copy).record
    assert record is not None
    assert (record.version, record.reason) == (2, "more images")
    assert before["calibration/0001.json"] == after["calibration/0001.json"]


def test_what_somebody_else_put_there_is_carried_along_and_no_part_of_the_model(own_copy: Path) -> None:
    (own_copy / "bank" / "notes").mkdir()
    (own_copy / "bank" / "notes" / "a.txt").write_text("first")
    (own_copy / "gone").symlink_to("nowhere")
    os.mkfifo(own_copy / "pipe")
    record = load_detector(own_copy).record
    assert record is not None
    for text in ("second", ""):
        save_calibration(load_detector(own_copy), own_copy)
        assert (own_copy / "gone").is_symlink()
        note = own_copy / "bank" / "notes" / "a.txt"
        assert note.read_text() == ("first" if text else "second")
        assert not {"bank/notes/a.txt", "gone"} & set(read_manifest(own_copy)["files"])
        note.write_text(text)
    assert load_detector(own_copy).record == record


def test_the_model_that_a_calibration_replaces_is_never_written_through(own_copy: Path, tmp_path: Path) -> None:
    """The new folder shares its unchanged files with the old one by hard links."""
    backup = Path(shutil.copytree(own_copy, tmp_path / "linked", copy_function=lambda a, b: Path(b).hardlink_to(a)))
    before = files(backup)
    detector = load_detector(own_copy)
    save_calibration(detector.calibrate(objective="cost", miss_cost=10.0, reason="misses are dear"), own_copy)
    assert files(backup) == before


@pytest.mark.parametrize(
    "name",
    ["embedding.xml", "embedding.bin", "bank/images.json", "splits.csv", "calibration/0001.json", "card.md"],
)
def test_a_changed_file_is_named(own_copy: Path, name: str) -> None:
    with (own_copy / name).open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(TrainedModelCorruptError, match=name.replace(".", r"\.")):
        load_detector(own_copy)


@pytest.mark.parametrize("pattern", ["bank/*/vectors.npy", "bank/*/groups.npy", "bank/*/tags.npy"])
def test_a_changed_bank_is_refused(own_copy: Path, pattern: str) -> None:
    path = next(own_copy.glob(pattern))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(TrainedModelCorruptError, match=path.name):
        load_detector(own_copy)


@pytest.mark.parametrize("name", ["embedding.bin", "thumbnails/0000.jpg", "manifest.json"])
def test_a_missing_file_is_named(own_copy: Path, name: str) -> None:
    (own_copy / name).unlink()
    error = TrainedModelMissingError if name == "manifest.json" else TrainedModelCorruptError
    with pytest.raises(error, match="no trained model" if name == "manifest.json" else name):
        load_detector(own_copy)


def change_manifest(folder: Path, **entries: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **entries}))


def test_a_newer_format_asks_for_an_update(own_copy: Path) -> None:
    change_manifest(own_copy, format=99)
    with pytest.raises(TrainedModelVersionError, match=r"format 99.*update goodparts"):
        load_detector(own_copy)


@pytest.mark.parametrize(
    "entries",
    [
        {"format": "1"},
        {"files": {"../outside.txt": "0" * 64}},
        {"files": {}},
        {"scales": {}},
        {"config": {"geometry": {"size": "large"}}},
        {"backbone": {}},
        {"provenance": {"unheard": "of"}},
    ],
    ids=lambda entries: next(iter(entries)),
)
def test_a_manifest_that_makes_no_sense_is_refused(own_copy: Path, entries: dict[str, object]) -> None:
    change_manifest(own_copy, **entries)
    with pytest.raises(TrainedModelCorruptError, match="damaged"):
        load_detector(own_copy)


def test_a_manifest_that_is_no_json(own_copy: Path) -> None:
    (own_copy / "manifest.json").write_text("{")
    with pytest.raises(TrainedModelCorruptError, match="no manifest"):
        read_manifest(own_copy)


def test_other_peoples_files_are_never_replaced(trained_model: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(OutputError, match="would be lost"):
        save_detector(load_detector(trained_model), tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "three years of work"


def test_nothing_in_it_is_a_pickle(trained_model: Path) -> None:
    for path in trained_model.rglob("*"):
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
        else:
            assert path.is_dir() or path.suffix in {".json", ".xml", ".bin", ".csv", ".md", ".jpg"}


def test_the_fingerprint_follows_the_content(trained_model: Path, own_copy: Path) -> None:
    assert fingerprint(own_copy) == fingerprint(trained_model)
    save_calibration(load_detector(own_copy).calibrate(reason="again"), own_copy)
    assert fingerprint(own_copy) != fingerprint(trained_model)


def test_a_changed_thumbnail_is_refused_when_shown_and_never_blessed(own_copy: Path) -> None:
    (own_copy / "thumbnails" / "0000.jpg").write_bytes((own_copy / "thumbnails" / "0001.jpg").read_bytes())
    detector = load_detector(own_copy)
    save_calibration(detector.calibrate(reason="after the change"), own_copy)
    again = load_detector(own_copy)
    with pytest.raises(TrainedModelCorruptError, match=r"0000\.jpg.*sha256 differs"):
        again.bank_picture(again.bank_images[0].name)
    assert again.bank_picture(again.bank_images[1].name).width == 96


def test_a_model_that_changed_since_it_was_read_is_not_written_over(own_copy: Path) -> None:
    one, other = load_detector(own_copy), load_detector(own_copy)
    save_calibration(one.calibrate(reason="first"), own_copy)
    before = files(own_copy)
    with pytest.raises(OutputError, match="has changed since it was read"):
        save_calibration(other.calibrate(reason="second"), own_copy)
    assert files(own_copy) == before
    save_calibration(load_detector(own_copy).calibrate(reason="second"), own_copy)


def test_saving_to_where_it_was_read_loses_no_calibration_made_since(own_copy: Path, tmp_path: Path) -> None:
    one, other = load_detector(own_copy), load_detector(own_copy)
    own = one.calibrate(reason="first")
    own.save(own_copy)
    before = files(own_copy)
    with pytest.raises(OutputError, match="has changed since it was read"):
        other.calibrate(reason="second").save(own_copy)
    assert files(own_copy) == before
    other.save(tmp_path / "elsewhere")
    own.calibrate(reason="second").save(own_copy)
    record = load_detector(own_copy).record
    assert record is not None
    assert (record.version, record.reason) == (3, "second")


def test_a_model_that_is_replaced_while_it_is_read_is_read_again(
    own_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = own_copy.with_name("newer")
    save_detector(load_detector(own_copy).calibrate(reason="meanwhile"), newer)

    def replaced_first(*arguments: object) -> object:
        if newer.exists():
            shutil.rmtree(own_copy)
            newer.rename(own_copy)
        return make_runtime(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trained_model, "make_runtime", replaced_first)
    record = load_detector(own_copy).record
    assert record is not None
    assert record.reason == "meanwhile"


def test_cuda_without_torch_says_what_to_install(trained_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anomaly.embedding.torch_runtime", None)
    with pytest.raises(RuntimeUnavailableError, match=r"pip install 'goodparts\[train\]', or leave --device out"):
        load_detector(trained_model, device="cuda")
