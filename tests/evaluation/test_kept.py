from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anomaly.evaluation.kept import KeptArrays
from anomaly.types import BoolArray


def test_arrays_come_back_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    arrays = [np.eye(3, dtype=np.bool_), None, np.zeros((2, 5), np.bool_)]
    with KeptArrays[BoolArray | None]() as kept:
        for array in arrays:
            kept.append(array)
        assert len(list(tmp_path.rglob("*.npy"))) == 2
        assert len(kept) == 3
        for found, array in zip(kept, arrays, strict=True):
            assert (found is None) == (array is None)
            if found is not None and array is not None:
                assert found.dtype == array.dtype
                assert np.array_equal(found, array)
        assert kept[1:2] == [None]
        assert np.array_equal(kept[-1], np.zeros((2, 5)))
    assert list(tmp_path.iterdir()) == []


def test_where_the_disk_has_no_room_memory_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("numpy.save", full)
    with KeptArrays() as kept:
        kept.append(np.arange(4))
        assert np.array_equal(kept[0], np.arange(4))
