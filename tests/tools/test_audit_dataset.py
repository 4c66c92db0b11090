import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.audit_dataset import conclude, main, neighbour_scores

ROOT = Path(__file__).resolve().parents[2]


def _data_set(folder, *, brighter=0.0, per_group=12, groups=4, seed=0):
    """Noise pictures in groups, half of them damaged; damaged ones are ``brighter`` grey levels brighter."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(per_group * groups):
        label = "damaged" if number % 2 else "undamaged"
        level = rng.uniform(90, 160) + (brighter if label == "damaged" else 0)
        coarse = np.kron(rng.normal(0, 12, (8, 8, 3)), np.ones((8, 8, 1)))
        pixels = np.clip(level + coarse + rng.normal(0, 8, (64, 64, 3)), 0, 255).astype(np.uint8)
        path = folder / label / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        rows.append([f"{label}/{number:03d}.png", label, f"g{number // per_group}"])
    _labels(folder, rows)
    return rows


def _labels(folder, rows):
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "group"], *rows])


def test_data_without_shortcuts_pass(tmp_path, capsys):
    _data_set(tmp_path)
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "24 undamaged, 24 damaged, 4 groups" in out
    assert "SHORTCUT" not in out


def test_brighter_damaged_pictures_are_a_shortcut(tmp_path, capsys):
    _data_set(tmp_path, brighter=60)
    assert main([str(tmp_path)]) == 1
    assert "PROBLEM: mean" in capsys.readouterr().out


def test_copies_in_two_groups_are_a_problem(tmp_path, capsys):
    rows = _data_set(tmp_path)
    Image.open(tmp_path / rows[0][0]).save(tmp_path / "undamaged" / "copy.png")
    _labels(tmp_path, [*rows, ["undamaged/copy.png", "undamaged", "g3"]])
    assert main([str(tmp_path)]) == 1
    assert "copies in 2 groups" in capsys.readouterr().out


def test_the_same_picture_under_both_labels_is_a_conflict(tmp_path, capsys):
    rows = _data_set(tmp_path)
    Image.open(tmp_path / rows[0][0]).save(tmp_path / "damaged" / "copy.png")
    _labels(tmp_path, [*rows, ["damaged/copy.png", "damaged", "g0"]])
    assert main([str(tmp_path)]) == 1
    assert "label conflict" in capsys.readouterr().out


def test_undamaged_images_alone_are_said_to_be_just_that(tmp_path, capsys):
    rows = _data_set(tmp_path)
    _labels(tmp_path, [row for row in rows if row[1] == "undamaged"])
    assert main([str(tmp_path)]) == 0
    assert "one label" in capsys.readouterr().out


def test_a_broken_picture_is_named_and_stops_nothing(tmp_path, capsys):
    rows = _data_set(tmp_path)
    (tmp_path / rows[3][0]).write_bytes(b"no picture")
    assert main([str(tmp_path)]) == 1
    assert "003.png" in capsys.readouterr().out


def test_neighbours_of_the_own_group_do_not_count():
    thumbnails = np.array([[0.0], [0.1], [5.0], [9.0]])
    relative, novelty = neighbour_scores(thumbnails, np.array([False, True, False, True]), ["a", "a", "b", "b"])
    assert novelty == pytest.approx([5.0, 4.9, 5.0, 9.0])
    assert relative == pytest.approx([5.0 - 9.0, 4.9 - 8.9, 5.0 - 4.9, 9.0 - 8.9])


def test_images_without_group_leave_only_themselves_out():
    relative, novelty = neighbour_scores(np.array([[0.0], [1.0], [3.0]]), np.array([False, False, True]), ["", "", ""])
    assert novelty == pytest.approx([1.0, 1.0, 2.0])
    assert np.isnan(relative[2])


def test_nothing_found_is_said_plainly():
    assert conclude([], [], one_class=False)[0].startswith("OK")


def test_it_runs_as_a_script_and_refuses_a_folder_that_is_none(tmp_path):
    command = [sys.executable, "tools/audit_dataset.py", str(tmp_path / "nowhere")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
