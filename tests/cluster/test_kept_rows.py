from __future__ import annotations

from pathlib import Path

import pytest

from anomaly.cluster import KeptRows
from anomaly.errors import OutputError

ABOUT = {"trained model": "abc"}


class _Killed(BaseException):
    pass


def _stopped(table: Path, rows: dict[str, dict[str, object]]) -> Path:
    """A run that keeps rows and is killed."""
    with pytest.raises(_Killed), KeptRows(table, ABOUT) as kept:
        for path, row in rows.items():
            kept.add(path, row)
        raise _Killed
    return table.with_name(table.name + ".rows")


def test_rows_survive_and_are_gone_when_all_is_done(tmp_path: Path) -> None:
    rows: dict[str, dict[str, object]] = {"b.png": {"score": 1.5}, "näme\n\udcff.png": {"score": None}}
    file = _stopped(tmp_path / "out.csv", rows)
    with KeptRows(tmp_path / "out.csv", ABOUT) as kept:
        assert len(kept) == 2
        assert "b.png" in kept
        assert "c.png" not in kept
        kept.add("c.png", {"score": 2})
        assert list(kept.rows(["c.png", "b.png", "b.png"])) == [{"score": 2}, {"score": 1.5}, {"score": 1.5}]
    assert not file.exists()


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_row_that_was_cut_off_is_forgotten_and_can_be_added_again(tmp_path: Path, cut: int) -> None:
    file = _stopped(tmp_path / "out.csv", {"a": {"score": 1}, "b": {"score": 2}})
    content = file.read_bytes()
    file.write_bytes(content[:-cut])
    with KeptRows(tmp_path / "out.csv", ABOUT) as kept:
        assert ("a" in kept, "b" in kept) == (True, False)
        kept.add("b", {"score": 3})
        assert list(kept.rows(["a", "b"])) == [{"score": 1}, {"score": 3}]


def test_rows_of_another_model_are_refused_and_left_alone(tmp_path: Path) -> None:
    file = _stopped(tmp_path / "out.csv", {"a": {"score": 1}})
    before = file.read_bytes()
    with pytest.raises(OutputError, match=r"out\.csv\.rows holds rows of another trained model") as refused:
        KeptRows(tmp_path / "out.csv", {"trained model": "other"})
    assert "\n" not in str(refused.value)
    assert file.read_bytes() == before


def test_two_at_a_time_are_refused(tmp_path: Path) -> None:
    with KeptRows(tmp_path / "out.csv", ABOUT), pytest.raises(OutputError, match="another call"):
        KeptRows(tmp_path / "out.csv", ABOUT)


def test_a_stop_before_the_first_row_leaves_nothing(tmp_path: Path) -> None:
    assert not _stopped(tmp_path / "out.csv", {}).exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        KeptRows(tmp_path / "missing" / "out.csv", ABOUT)
