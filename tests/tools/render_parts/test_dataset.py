import csv

import numpy as np
import pytest
from PIL import Image

from tools.render_parts.__main__ import main
from tools.render_parts.dataset import COLUMNS, pending, save, write_atomically, write_labels
from tools.render_parts.law import place


def _record(part_type, index):
    where = place(part_type, index)
    label = "damaged" if where.damaged else "undamaged"
    return {
        "path": f"{part_type}/{label}/{where.name}.jpg", "label": label, "part_type": part_type,
        "group": where.group, "mask": f"{part_type}/masks/{where.name}.png" if where.damaged else "",
        "defect": "rust" if where.damaged else "", "n_parts": 5, "severity": 0.5 if where.damaged else None,
        "index": index,
    }  # fmt: skip


def _fill(output, indices):
    for part_type, index in pending(output, ("gears", "springs"), indices):
        record = _record(part_type, index)
        mask = np.eye(8, dtype=bool) if record["mask"] else None
        save(output, b"jpeg", mask, record)


def test_what_is_done_is_not_done_again(tmp_path):
    _fill(tmp_path, range(4))
    left = list(pending(tmp_path, ("gears", "springs"), range(6)))
    assert left == [("gears", 4), ("springs", 4), ("gears", 5), ("springs", 5)]


def test_labels_are_put_together_in_a_fixed_order(tmp_path):
    _fill(tmp_path, range(20))
    assert write_labels(tmp_path) == 40
    first = (tmp_path / "labels.csv").read_bytes()
    assert write_labels(tmp_path) == 40
    assert (tmp_path / "labels.csv").read_bytes() == first
    with (tmp_path / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    for row in rows:
        assert (tmp_path / row["path"]).is_file()
        assert (row["label"] == "damaged") == bool(row["mask"]) == bool(row["defect"]) == bool(row["severity"])
        if row["mask"]:
            assert np.array_equal(np.asarray(Image.open(tmp_path / row["mask"])), np.eye(8, dtype=bool))


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "file", "no bytes")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_labels_can_be_rewritten_without_blender(tmp_path, capsys):
    _fill(tmp_path, range(2))
    assert main(["--output", str(tmp_path), "--labels-only"]) == 0
    assert "4 pictures" in capsys.readouterr().err
