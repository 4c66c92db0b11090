from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from anomaly.detector import folder as folder_module
from anomaly.detector.folder import _turn, check_parent, recover, replaced_folder
from anomaly.errors import OutputError


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def fill(target: Path, text: str) -> None:
    with replaced_folder(target) as new:
        (new / "a.txt").write_text(text)


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two steps"])
def test_a_folder_is_replaced_whole(tmp_path: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exchange:
        monkeypatch.setattr(folder_module, "_exchange", lambda one, other: False)
    target = tmp_path / "model"
    fill(target, "first")
    (target / "old only").write_text("x")
    fill(target, "second")
    assert contents(target) == {"a.txt": "second"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_failure_leaves_the_old_folder_and_no_rubbish(tmp_path: Path) -> None:
    target = tmp_path / "model"
    fill(target, "first")
    with pytest.raises(RuntimeError, match="on purpose"), replaced_folder(target) as new:
        (new / "a.txt").write_text("half")
        raise RuntimeError("on purpose")
    assert contents(target) == {"a.txt": "first"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_killed_processes_left_is_swept_up_and_a_living_ones_is_not(tmp_path: Path) -> None:
    target = tmp_path / "model"
    dead = tmp_path / ".model.new-999999999-abc"
    alive = tmp_path / f".model.new-{os.getpid()}-abc"
    for left in (dead, alive):
        left.mkdir()
    fill(target, "first")
    assert not dead.exists()
    assert alive.exists()


def test_a_kill_between_the_two_steps_is_made_good(tmp_path: Path) -> None:
    target = tmp_path / "model"
    fill(target, "first")
    target.rename(tmp_path / ".model.old")
    recover(target)
    assert contents(target) == {"a.txt": "first"}


def test_who_looks_between_the_two_steps_waits_for_the_second(tmp_path: Path) -> None:
    target, aside = tmp_path / "model", tmp_path / ".model.old"
    fill(target, "first")
    with _turn(tmp_path):
        target.rename(aside)
        reader = threading.Thread(target=recover, args=(target,))
        reader.start()
        reader.join(0.2)
        assert reader.is_alive()
        assert not target.exists()
        target.mkdir()
        (target / "a.txt").write_text("second")
    reader.join(10)
    assert contents(target) == {"a.txt": "second"}
    assert aside.is_dir(), "the writer clears it away"


def test_a_link_to_the_model_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    fill(tmp_path / "disk" / "model", "first")
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "model")
    fill(tmp_path / "link", "second")
    assert (tmp_path / "link").is_symlink()
    assert contents(tmp_path / "disk" / "model") == {"a.txt": "second"}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        fill(tmp_path / "file" / "model", "x")


def test_links_that_go_round_in_circles_are_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for place in (tmp_path / "a", tmp_path / "a" / "model"):
        with pytest.raises(OutputError, match="cannot write"):
            fill(place, "x")


def test_a_mount_point_is_refused_before_anything_is_done() -> None:
    with pytest.raises(OutputError, match="mount point, which cannot be replaced: name a folder in it"):
        check_parent(Path("/proc"))


def test_a_folder_is_as_open_to_others_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        fill(tmp_path / "model", "private")
    finally:
        os.umask(before)
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o700


def test_what_a_killed_process_left_goes_whatever_the_folder_is_called(tmp_path: Path) -> None:
    left = tmp_path / ".m[1].new-99999999-abc"
    left.mkdir()
    fill(tmp_path / "m[1]", "new")
    assert not left.exists()


def test_folders_in_one_place_are_replaced_one_after_the_other(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with replaced_folder(tmp_path / "two"):
            order.append("second")

    other = threading.Thread(target=second)
    with replaced_folder(tmp_path / "one"):
        other.start()
        other.join(0.2)
        order.append("first")
    other.join()
    assert order == ["first", "second"]
