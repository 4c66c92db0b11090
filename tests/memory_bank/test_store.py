from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memory_bank import MemoryBank, _store
from memory_bank.errors import (
    BankCorruptError,
    BankFileError,
    BankMissingError,
    BankVersionError,
)
from tests.memory_bank.data import bank_of, surfaces, walks

FILES = {"bank.json", "groups.npy", "tags.npy", "vectors.npy"}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    bank_of(walks(40)).save(tmp_path / "bank")
    return tmp_path / "bank"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def forge(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite the manifest, with the hashes of the files as they are now."""
    manifest = json.loads((folder / "bank.json").read_text())
    for name, entry in manifest["files"].items():
        entry["sha256"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    change(manifest)
    (folder / "bank.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("index", ["pruned", "exact"])
def test_loaded_equals_saved_bit_by_bit(tmp_path: Path, index: str) -> None:
    bank = bank_of(walks(500), index=index)
    bank.save(tmp_path / "new" / "bank")
    again = MemoryBank.load(str(tmp_path / "new" / "bank"))
    for name in ("vectors", "groups", "tags"):
        assert getattr(again, name).tobytes() == getattr(bank, name).tobytes()
        assert getattr(again, name).dtype == getattr(bank, name).dtype
        assert not getattr(again, name).flags.writeable
    assert again.index == index
    a, b = bank.search(walks(60, seed=1), k=3), again.search(walks(60, seed=1), k=3)
    assert a.distance.tobytes() == b.distance.tobytes()
    assert a.index.tobytes() == b.index.tobytes()


@pytest.mark.parametrize("wanted", ["auto", "pruned"])
def test_what_suits_the_number_of_rows_still_does_after_loading(
    wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory_bank.index.MOST_FOR_PRUNED", 100)
    bank = bank_of(walks(95), index=wanted)
    bank.save(tmp_path / "bank")
    more = (walks(10, seed=1), 99, np.zeros((10, 2), np.int64))
    kinds = [start.add(*more).index for start in (bank, MemoryBank.load(tmp_path / "bank"))]
    assert kinds == ["faiss-cells" if wanted == "auto" else "pruned"] * 2


def test_two_who_save_at_a_time_do_not_take_each_others_files(tmp_path: Path) -> None:
    bank = bank_of(walks(40))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: bank.save(tmp_path / "bank"), range(60)))
    assert len(MemoryBank.load(tmp_path / "bank")) == 40
    assert {path.name for path in (tmp_path / "bank").iterdir()} == FILES


def test_equal_banks_are_equal_bytes(saved: Path, tmp_path: Path) -> None:
    MemoryBank.load(saved).save(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(saved)
    assert set(contents(saved)) == FILES


def test_the_manifest_says_what_is_there(saved: Path) -> None:
    manifest = json.loads((saved / "bank.json").read_text())
    assert next(iter(manifest)) == "version"
    assert manifest["version"] == 1
    assert manifest["files"]["vectors.npy"]["shape"] == [40, 16]
    assert manifest["files"]["vectors.npy"]["dtype"] == "<f4"
    for name in FILES - {"bank.json"}:
        assert manifest["files"][name]["sha256"] == hashlib.sha256((saved / name).read_bytes()).hexdigest()


def test_saving_again_replaces(saved: Path) -> None:
    bank_of(walks(7, 3)).save(saved)
    assert len(MemoryBank.load(saved)) == 7
    assert set(contents(saved)) == FILES


def test_an_interrupted_replacement_is_noticed(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: Path, content: bytes) -> None:
        if path.name == "groups.npy":
            raise KeyboardInterrupt
        path.write_bytes(content)

    monkeypatch.setattr("memory_bank._store._put", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bank_of(walks(7, 3)).save(saved)
    with pytest.raises(BankCorruptError, match="other bytes"):
        MemoryBank.load(saved)


def test_missing(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    for folder in (tmp_path / "nothing", tmp_path, tmp_path / "a file"):
        with pytest.raises(BankMissingError, match=r"no bank\.json") as missing:
            MemoryBank.load(folder)
        assert missing.value.path == folder


@pytest.mark.parametrize("name", sorted(FILES - {"bank.json"}))
def test_every_changed_truncated_or_missing_file_is_named(saved: Path, name: str) -> None:
    whole = (saved / name).read_bytes()
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    for other in (bytes(flipped), whole[:-1], b"", whole + b"\0"):
        (saved / name).write_bytes(other)
        with pytest.raises(BankCorruptError, match=f"{name}.*other bytes") as corrupt:
            MemoryBank.load(saved)
        assert corrupt.value.path == saved / name
    (saved / name).unlink()
    with pytest.raises(BankCorruptError, match=f"{name}.*No such file"):
        MemoryBank.load(saved)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"version": "1"}', '{"version": true}', '{"version": 0}', '{"version": 1}']
)
def test_a_broken_manifest(saved: Path, text: str) -> None:
    (saved / "bank.json").write_text(text)
    with pytest.raises(BankCorruptError, match=r"bank\.json"):
        MemoryBank.load(saved)


def test_a_manifest_that_is_no_text(saved: Path) -> None:
    (saved / "bank.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BankCorruptError):
        MemoryBank.load(saved)
    (saved / "bank.json").write_text("[" * 100_000)
    with pytest.raises(BankCorruptError):
        MemoryBank.load(saved)


def test_a_newer_format_is_not_guessed_at(saved: Path) -> None:
    (saved / "bank.json").write_text('{"version": 2, "something": "new"}')
    with pytest.raises(BankVersionError, match="version 1 or older, got 2"):
        MemoryBank.load(saved)


def test_pickles_are_never_opened(saved: Path) -> None:
    np.save(saved / "tags.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    forge(saved, lambda manifest: None)
    with pytest.raises(BankCorruptError, match=r"tags\.npy.*no array"):
        MemoryBank.load(saved)


def test_other_arrays_under_right_hashes(saved: Path) -> None:
    rows = walks(40)
    rows[3, 3] = np.nan
    np.save(saved / "vectors.npy", rows)
    forge(saved, lambda manifest: None)
    with pytest.raises(BankCorruptError, match="row 3"):
        MemoryBank.load(saved)
    np.save(saved / "vectors.npy", walks(39))
    forge(saved, lambda manifest: None)
    with pytest.raises(BankCorruptError, match=r"vectors\.npy"):
        MemoryBank.load(saved)
    forge(saved, lambda manifest: manifest["files"]["vectors.npy"].update(shape=[39, 16]))
    with pytest.raises(BankCorruptError, match="39 vectors"):
        MemoryBank.load(saved)
    np.save(saved / "vectors.npy", walks(40).astype(np.float64))
    forge(saved, lambda manifest: manifest["files"]["vectors.npy"].update(dtype="<f8", shape=[40, 16]))
    with pytest.raises(BankCorruptError, match="float64"):
        MemoryBank.load(saved)


CELLS = {f"cells_{name}.npy" for name in ("cell", "centre", "gap", "near")}


@pytest.fixture
def with_cells(tmp_path: Path) -> Path:
    bank_of(surfaces(2000, 6)).save(tmp_path / "larger")
    return tmp_path / "larger"


def test_larger_banks_are_saved_with_their_cells(with_cells: Path, tmp_path: Path) -> None:
    assert set(contents(with_cells)) == FILES | CELLS
    bank = MemoryBank.load(with_cells)
    bank.save(tmp_path / "again")
    bank_of(surfaces(2000, 6)).save(tmp_path / "anew")
    assert contents(tmp_path / "again") == contents(with_cells) == contents(tmp_path / "anew")
    assert bank._whole_index()._ground.cells is not None  # type: ignore[attr-defined]


def test_cells_of_the_bank_before_go_once_the_new_one_is_there(
    with_cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[set[str]] = []
    put = _store._put

    def spy(path: Path, content: bytes) -> None:
        put(path, content)
        left.append({path.name for path in with_cells.iterdir()})

    monkeypatch.setattr(_store, "_put", spy)
    bank_of(walks(10)).save(with_cells)
    assert left == [FILES | CELLS] * 4  # a kill before leaves files that nobody asks for
    assert set(contents(with_cells)) == FILES
    assert len(MemoryBank.load(with_cells)) == 10


def test_killed_before_the_old_cells_go_the_new_bank_loads(with_cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_store, "_remove_cells", lambda folder, names: None)
    bank_of(walks(10)).save(with_cells)
    assert set(contents(with_cells)) == FILES | CELLS
    assert len(MemoryBank.load(with_cells)) == 10


def test_every_file_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, real = {}, os.fsync

    def spy(handle: int) -> None:
        synced[os.fstat(handle).st_ino] = os.fstat(handle).st_size
        real(handle)

    monkeypatch.setattr(os, "fsync", spy)
    bank_of(surfaces(2000, 6)).save(tmp_path)
    assert synced == {path.stat().st_ino: path.stat().st_size for path in tmp_path.iterdir()}


def test_whoever_does_not_know_the_cells_gets_the_same_answers(with_cells: Path) -> None:
    queries = surfaces(300, 6, seed=1)
    expected = MemoryBank.load(with_cells).search(queries, k=2)
    manifest = json.loads((with_cells / "bank.json").read_text())
    assert (manifest["version"], manifest["index"]) == (1, "faiss-flat")  # what readers of 0.1.0 know
    assert set(manifest["files"]) == FILES - {"bank.json"}
    forge(with_cells, lambda manifest: manifest.pop("cells"))
    for name in CELLS:
        (with_cells / name).unlink()
    found = MemoryBank.load(with_cells).search(queries, k=2)
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.distance, expected.distance)


@pytest.mark.parametrize("name", sorted(CELLS))
def test_changed_or_missing_cells_are_named(with_cells: Path, name: str) -> None:
    whole = (with_cells / name).read_bytes()
    (with_cells / name).write_bytes(whole[:-1] + b"\7")
    with pytest.raises(BankCorruptError, match=f"{name}.*other bytes"):
        MemoryBank.load(with_cells)
    (with_cells / name).unlink()
    with pytest.raises(BankCorruptError, match=f"{name}.*No such file"):
        MemoryBank.load(with_cells)


def test_cells_of_another_bank_are_refused(with_cells: Path, tmp_path: Path) -> None:
    bank_of(surfaces(2000, 6)).save(tmp_path / "bank")
    bank_of(surfaces(2400, 6)).save(with_cells)
    other = json.loads((with_cells / "bank.json").read_text())["cells"]
    for name in CELLS:
        (with_cells / name).replace(tmp_path / "bank" / name)
    forge(tmp_path / "bank", lambda manifest: manifest.update(cells=other))
    with pytest.raises(BankCorruptError, match="cells of other than 2000 rows"):
        MemoryBank.load(tmp_path / "bank")
    forge(tmp_path / "bank", lambda manifest: manifest.update(cells=[]))
    with pytest.raises(BankCorruptError, match="no index or no files"):
        MemoryBank.load(tmp_path / "bank")


def test_an_unknown_index_and_a_missing_entry(saved: Path) -> None:
    forge(saved, lambda manifest: manifest.update(index="hnsw"))
    with pytest.raises(BankCorruptError, match="hnsw"):
        MemoryBank.load(saved)
    forge(saved, lambda manifest: manifest["files"].pop("tags.npy"))
    with pytest.raises(BankCorruptError, match=r"tags\.npy"):
        MemoryBank.load(saved)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BankFileError) as refused:
        bank_of(walks(5)).save(tmp_path / "file" / "bank")
    assert refused.value.path == tmp_path / "file" / "bank"
    (tmp_path / "bank" / "groups.npy").mkdir(parents=True)
    with pytest.raises(BankFileError):
        bank_of(walks(5)).save(tmp_path / "bank")
    assert not list((tmp_path / "bank").glob(".*"))
    with pytest.raises(BankFileError, match="null byte"):
        bank_of(walks(5)).save(f"{tmp_path}/a\0b")


def test_fortran_order_loads_and_big_endian_is_refused(saved: Path) -> None:
    np.save(saved / "vectors.npy", np.asfortranarray(walks(40)))
    forge(saved, lambda manifest: None)
    np.testing.assert_array_equal(MemoryBank.load(saved).vectors, walks(40))
    np.save(saved / "vectors.npy", walks(40).astype(">f4"))
    forge(saved, lambda manifest: None)
    with pytest.raises(BankCorruptError, match=">f4"):
        MemoryBank.load(saved)
