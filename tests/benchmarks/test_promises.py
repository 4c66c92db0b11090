from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from anomaly.errors import DatasetError
from benchmarks import promises
from benchmarks._scores import SetScores, read_scores, write_scores
from benchmarks._splits import balanced_accuracies, expected_share, halve, kept_promises

RNG = np.random.default_rng(4)
SCORES = SetScores("parts", RNG.normal(1, 0.3, 81), RNG.normal(2, 0.4, 60))


def test_scores_go_to_a_file_and_back_exactly(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    write_scores(file, (SCORES, SetScores("other, 160 px", SCORES.damaged, SCORES.undamaged, np.array([0.1, 1 / 3]))))
    first, second = read_scores(file)
    assert (first.name, second.name) == ("parts", "other, 160 px")
    np.testing.assert_array_equal(first.undamaged, SCORES.undamaged)
    np.testing.assert_array_equal(second.undamaged, SCORES.damaged)
    assert (first.left_out.size, second.left_out.tolist()) == (0, [0.1, 1 / 3])


def test_what_evaluate_writes_is_read(tmp_path: Path) -> None:
    file = tmp_path / "springs.csv"
    file.write_text("path,label,score,truth,error\na,damaged,1.5,undamaged,\nb,,,damaged,no image\n", encoding="utf-8")
    (found,) = read_scores(file)
    assert (found.name, found.undamaged.tolist(), found.damaged.tolist()) == ("springs", [1.5], [])


@pytest.mark.parametrize("row", ["a,damaged,nan", "a,broken,1.0", "a,damaged,x"])
def test_a_row_without_truth_or_score_is_refused(row: str, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(f"set,truth,score\n{row}\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="line 2"):
        read_scores(file)


def test_halves_are_disjoint_and_complete() -> None:
    (halves,) = halve(SCORES, 1, seed=1)
    assert (halves.undamaged.size, halves.test_undamaged.size) == (41, 40)
    np.testing.assert_array_equal(
        np.sort(np.concatenate([halves.undamaged, halves.test_undamaged])), np.sort(SCORES.undamaged)
    )


def test_the_expected_share_is_what_happens_to_exchangeable_scores() -> None:
    draws = RNG.random((20_000, 90))
    beyond = np.sort(draws[:, :60], axis=1)[:, -2]
    happened = np.mean((draws[:, 60:] > beyond[:, None]).mean(axis=1) <= 0.1)
    assert expected_share(60, 30, 1, target=0.1) == pytest.approx(happened, abs=0.01)


def test_promises_hold_about_as_often_as_expected_and_are_left_out_where_impossible() -> None:
    found = {
        (kept.objective, kept.target): kept
        for kept in kept_promises(halve(SCORES, 60, seed=0), (0.05, 0.1), confidence=0.95)
    }
    assert found["max-miss-rate", 0.05].splits == found["max-false-alarm-rate", 0.05].splits == 0
    assert found["max-false-alarm-rate", 0.1].splits == 60
    assert found["max-false-alarm-rate", 0.1].held == pytest.approx(
        found["max-false-alarm-rate", 0.1].held_expected, abs=0.25
    )


def test_left_out_scores_go_with_every_split() -> None:
    scores = SetScores("few", SCORES.undamaged[:16], SCORES.damaged[:16] - 0.3, RNG.normal(0, 0.05, 50))
    halves = halve(scores, 20, seed=0)
    assert all(one.left_out is scores.left_out for one in halves)
    found = balanced_accuracies(halves)
    assert found.ours != found.alone


def test_hindsight_is_never_beaten() -> None:
    found = balanced_accuracies(halve(SCORES, 20, seed=0))
    assert found.hindsight >= max(found.ours, found.alone, found.f1)


@pytest.mark.slow
def test_the_program_writes_figures_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scores(tmp_path / "scores.csv", (SCORES,))
    words = ["--scores", tmp_path / "scores.csv", "--output", tmp_path / "p.json", "--picture", tmp_path / "r.png"]
    assert promises.main([*map(str, words), "--splits", "5"]) == 0
    out = capsys.readouterr().out
    assert "points below hindsight" in out
    (found,) = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))["sets"]
    assert found["n_damaged"] == 60
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_too_few_images_are_a_named_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scores(tmp_path / "scores.csv", (SetScores("few", np.ones(9), np.ones(3)),))
    assert promises.main(["--scores", str(tmp_path / "scores.csv"), "--output", str(tmp_path / "p.json")]) == 1
    assert "8 images of each label" in capsys.readouterr().err
