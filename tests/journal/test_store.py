from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from anomaly.errors import JournalError
from anomaly.journal import Journal, OperatorVerdict, time_text
from tests.journal.entries import entry

ROOT = Path(__file__).parents[2]


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    written = [entry(i, path=name) for i, name in enumerate(["a.png", "ü/b.png", os.fsdecode(b"caf\xe9.png")])]
    with Journal(tmp_path / "j.sqlite") as journal:
        assert [journal.append(row) for row in written] == [1, 2, 3]
    with Journal(tmp_path / "j.sqlite", read_only=True) as journal:
        found = journal.read()
    for before, after in zip(written, found, strict=True):
        for name in ("path", "sha256", "time", "label", "score", "threshold", "probability", "measures", "warnings"):
            assert getattr(after, name) == getattr(before, name)
        assert np.array_equal(after.strangeness, before.strangeness)
        assert np.array_equal(after.embedding, before.embedding)


def test_the_rows_of_one_model_oldest_first(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        for i in range(6):
            journal.append(entry(i, model="one" if i % 2 else "two"))
        assert [row.sha256[-1] for row in journal.read(model="one")] == ["1", "3", "5"]


def test_since_a_row_is_all_that_came_after_it_however_fast_it_came(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        for i in range(30):
            journal.append(replace(entry(i), time=time_text(datetime.now(UTC))))
        rows = journal.read()
        for number, row in enumerate(rows, start=1):
            assert [later.sha256 for later in journal.read(since=row.time)] == [each.sha256 for each in rows[number:]]


def test_what_was_said_last_is_found_without_reading_whole_rows(tmp_path: Path) -> None:
    rows = [
        replace(entry(1, model="one"), label="damaged", score=3.0),
        replace(entry(2, model="one"), label=None),
        replace(entry(1, model="two"), label="reinspect", score=1.5),
    ]
    with Journal(tmp_path / "j.sqlite") as journal:
        for row in rows:
            journal.append(row)
    other = sqlite3.connect(tmp_path / "j.sqlite")
    other.execute("UPDATE entries SET measures = 'none', strangeness = x'00', embedding = x'00'")
    other.commit()
    other.close()
    first, second = rows[0].sha256, rows[1].sha256
    with Journal(tmp_path / "j.sqlite", read_only=True) as journal:
        assert journal.judged([first, second, "f" * 64]) == {first: ("reinspect", 1.5), second: (None, rows[1].score)}
        assert journal.judged([first], model="one") == {first: ("damaged", 3.0)}
        assert journal.judged([second], model="two") == {}
        with pytest.raises(JournalError, match="cannot be read"):
            journal.read()


def test_times_sort_as_moments_do() -> None:
    zone = timezone(timedelta(hours=2))
    moments = [datetime(2026, 3, 1, 8, 0, 0, m, tzinfo=zone) for m in (0, 1, 999, 1000, 123_000, 999_999)]
    texts = [time_text(moment) for moment in moments]
    assert texts == sorted(texts)
    assert [datetime.fromisoformat(text) for text in texts] == moments
    assert texts[0] == "2026-03-01T06:00:00.000000+00:00"


def test_a_reader_writes_nothing(tmp_path: Path) -> None:
    Journal(tmp_path / "j.sqlite").close()
    with Journal(tmp_path / "j.sqlite", read_only=True) as journal, pytest.raises(JournalError, match="readonly"):
        journal.append(entry())


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"no database at all, just text" * 50, "not a database"), (None, "there is no journal")],
)
def test_what_is_no_journal_is_refused(tmp_path: Path, content: bytes | None, match: str) -> None:
    path = tmp_path / "j.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(JournalError, match=match) as caught:
        Journal(path, read_only=content is None)
    assert "\n" not in str(caught.value)
    assert content is None or path.read_bytes() == content


def test_another_database_and_a_newer_journal_are_refused(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(JournalError, match="no journal"):
        Journal(tmp_path / "other.sqlite")
    Journal(tmp_path / "j.sqlite").close()
    newer = sqlite3.connect(tmp_path / "j.sqlite")
    newer.execute("PRAGMA user_version = 2")
    newer.close()
    with pytest.raises(JournalError, match="format 2"):
        Journal(tmp_path / "j.sqlite")


def test_a_journal_that_another_process_makes_between_two_looks_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, look = tmp_path / "j.sqlite", Journal._pragma
    makers = [threading.Thread(target=lambda: Journal(path).close())]

    def look_slowly(self: Journal, name: str) -> int:
        found = look(self, name)
        if makers and name == "user_version":
            maker = makers.pop()
            maker.start()
            maker.join(0.5)  # the other waits for this one, or is done
        return found

    monkeypatch.setattr(Journal, "_pragma", look_slowly)
    with Journal(path) as journal:
        assert journal.append(entry(0)) == 1
    assert not makers


def test_numbers_of_numpy_are_numbers_and_a_row_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    odd = replace(
        entry(0),
        calibration_version=np.int64(2),  # type: ignore[arg-type]
        score=np.float32(1.5),  # type: ignore[arg-type]
        threshold=np.float64(2),
        probability=np.float32(0.25),  # type: ignore[arg-type]
        measures={"brightness": np.float32(0.5)},  # type: ignore[dict-item]
    )
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.append(odd)
        for wrong in (
            replace(entry(1), measures={"brightness": float("nan")}),
            replace(entry(1), score="high"),  # type: ignore[arg-type]
            replace(entry(1), path=Path("part.png")),  # type: ignore[arg-type]
            replace(entry(1), strangeness=np.zeros((2, 2), np.float32)),
        ):
            with pytest.raises(JournalError, match=r"cannot write a row into the journal .*j\.sqlite: "):
                journal.append(wrong)
        (row,) = journal.read()
    assert (row.score, row.threshold, row.probability, row.calibration_version) == (1.5, 2.0, 0.25, 2)
    assert row.measures == {"brightness": 0.5}
    broken = sqlite3.connect(tmp_path / "j.sqlite", isolation_level=None)
    broken.execute("UPDATE entries SET measures = '[]'")
    broken.close()
    with Journal(tmp_path / "j.sqlite") as journal, pytest.raises(JournalError, match="holds a row that cannot be"):
        journal.read()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), np.float32("-inf")])
@pytest.mark.parametrize("field", ["score", "threshold", "probability", "brightness", "strangeness", "embedding"])
def test_a_number_that_is_not_finite_is_refused_by_name(tmp_path: Path, field: str, number: float) -> None:
    wrong: dict[str, object] = {field: number}
    if field == "brightness":
        wrong = {"measures": {field: number}}
    elif field in ("strangeness", "embedding"):
        values = getattr(entry(), field).copy()
        values.flat[-1] = number
        wrong = {field: values}
    with Journal(tmp_path / "j.sqlite") as journal:
        with pytest.raises(JournalError, match=rf"write a row .*: expected (a )?finite numbers? as {field}, got"):
            journal.append(replace(entry(), **wrong))  # type: ignore[arg-type]
        assert journal.read() == ()


def test_words_that_are_no_label_are_refused(tmp_path: Path) -> None:
    verdict = OperatorVerdict(time_text(datetime.now(UTC)), "0" * 64, "part.png", "reinspect")  # type: ignore[arg-type]
    with Journal(tmp_path / "j.sqlite") as journal:
        with pytest.raises(JournalError, match="expected a label among undamaged, damaged, reinspect, not judged, got"):
            journal.append(replace(entry(), label="broken"))  # type: ignore[arg-type]
        with pytest.raises(JournalError, match="expected undamaged or damaged, got 'reinspect'"):
            journal.record([replace(verdict, truth="damaged"), verdict])
        assert (journal.read(), journal.verdicts()) == ((), ())


def test_another_thread_and_a_closed_journal_are_not_taken_for_a_damaged_file(tmp_path: Path) -> None:
    told: list[JournalError] = []

    def use() -> None:
        with pytest.raises(JournalError) as caught:
            journal.append(entry())
        told.append(caught.value)

    with Journal(tmp_path / "j.sqlite") as journal:
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    use()
    for error in told:
        assert "open a Journal in the thread that uses it, and use it before it is closed" in str(error)
        assert "\n" not in str(error)
    assert ["thread" in str(error.__cause__) for error in told] == [True, False]


def test_a_verdict_in_bytes_that_are_no_text_is_kept(tmp_path: Path) -> None:
    odd = os.fsdecode(b"gr\xfcn")
    verdict = OperatorVerdict(time_text(datetime.now(UTC)), "0" * 64, odd, "damaged", part_type=odd, note=odd)
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.record([verdict])
        assert journal.verdicts() == (verdict,)


def test_an_image_or_a_folder_never_becomes_the_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="one of the images"):
        Journal(tmp_path / "a.png", inputs=[str(tmp_path / "." / "a.png")])
    with pytest.raises(JournalError, match="cannot use the journal"):
        Journal(tmp_path)
    with pytest.raises(JournalError, match="cannot use the journal"):
        Journal(tmp_path / "missing" / "j.sqlite")


@pytest.mark.slow
def test_two_writers_killed_at_random_lose_no_acknowledged_row(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "j.sqlite"
    acknowledged: list[str] = []
    for attempt in range(6):
        writers = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.journal.writer", str(path), str(10**6 * (2 * attempt + i))],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            for i in range(2)
        ]
        told = []
        for writer in writers:
            assert writer.stdout is not None
            told.append(writer.stdout.readline())  # both write by now, at once
        for writer in random.permutation(np.array(writers)):
            time.sleep(random.uniform(0.0, 0.15))
            writer.kill()
        for first, writer in zip(told, writers, strict=True):
            rest, _ = writer.communicate()
            acknowledged += (first + rest).split("\n")[:-1]
    assert len(acknowledged) > 12
    with Journal(path, read_only=True) as journal:
        found = [row.sha256 for row in journal.read()]
    assert set(acknowledged) <= set(found)
    assert len(set(found)) == len(found)
    assert len(found) <= len(acknowledged) + 12  # at most one row per writer was on its way
    check = sqlite3.connect(path)
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()


# --- where nothing can be written -------------------------------------------------------------------------------------


@pytest.fixture
def forbid(tmp_path: Path) -> Iterator[Callable[[Path], list[str]]]:
    """Take all rights to write away, and return what starts a program that root's privileges do not help."""
    made: list[Path] = []

    def take_away(folder: Path) -> list[str]:
        for path in (*folder.iterdir(), folder):
            path.chmod(0o555 if path.is_dir() else 0o444)
        made.append(folder)
        if os.access(folder, os.W_OK):  # root
            if shutil.which("setpriv") is None:
                pytest.skip("root may write everywhere, and there is no setpriv")
            lost = "-dac_override,-dac_read_search"
            return ["setpriv", f"--bounding-set={lost}", f"--inh-caps={lost}"]
        return []

    yield take_away
    for folder in made:
        folder.chmod(0o755)


_READ = """
import sys
from anomaly.errors import JournalError
from anomaly.journal import Journal

try:
    with Journal(sys.argv[1], read_only=True) as journal:
        print(len(journal.read()))
except JournalError as error:
    print(error)
"""


def read_elsewhere(path: Path, words: list[str]) -> str:
    call = [*words, sys.executable, "-c", _READ, str(path)]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("rest", [None, b""])
def test_a_journal_in_a_folder_that_cannot_be_written_is_read(
    tmp_path: Path, forbid: Callable[[Path], list[str]], rest: bytes | None
) -> None:
    folder = tmp_path / "100 % read only?#"
    folder.mkdir()
    with Journal(folder / "j.sqlite") as journal:
        for i in range(3):
            journal.append(entry(i))
    if rest is not None:
        (folder / "j.sqlite-wal").write_bytes(rest)
    before = sorted(folder.iterdir())
    assert read_elsewhere(folder / "j.sqlite", forbid(folder)) == "3\n"
    assert sorted(folder.iterdir()) == before


def test_rows_that_only_a_writer_can_take_over_are_not_left_out_silently(
    tmp_path: Path, forbid: Callable[[Path], list[str]]
) -> None:
    (tmp_path / "copy").mkdir()
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.append(entry())
        for name in ("j.sqlite", "j.sqlite-wal"):
            shutil.copy(tmp_path / name, tmp_path / "copy" / name)
    told = read_elsewhere(tmp_path / "copy" / "j.sqlite", forbid(tmp_path / "copy"))
    assert "some of its rows are still in" in told
    assert "name the copy" in told
    assert told.count("\n") == 1


def test_rows_of_a_writer_at_work_are_read_there(tmp_path: Path, forbid: Callable[[Path], list[str]]) -> None:
    folder = tmp_path / "live"
    folder.mkdir()
    with Journal(folder / "j.sqlite") as journal:
        journal.append(entry())
        assert read_elsewhere(folder / "j.sqlite", forbid(folder)) == "1\n"
