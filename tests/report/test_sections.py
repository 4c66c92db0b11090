"""What the sections say of evidence that is missing, and the commands that they print."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Sequence
from typing import Any

import pytest

from anomaly.calibration import CalibrationRecord, calibrate
from anomaly.cli.options import DEFAULT_WORK
from anomaly.config import Config, replace_setting
from anomaly.evaluation import Interval, evaluate_scores
from anomaly.experiment import Experiment, TrialRow
from anomaly.report.document import Block, Bullets, Figure, Missing, Paragraph, Pictures, Table
from anomaly.report.evidence import Evidence
from anomaly.report.facts import Facts, measure
from anomaly.report.operating_points import OperatingPoint, operating_points
from anomaly.report.plots import plot_sessions
from anomaly.report.results import ExaminedImage, Example
from anomaly.report.rules_improve import no_experiment, weak_ranking
from anomaly.report.section_advice import capture_section
from anomaly.report.section_data import preprocessing_section, split_section
from anomaly.report.section_results import SESSIONS, left_out, not_judged, results_section, where_marked
from anomaly.report.section_settings import settings_section
from anomaly.report.section_summary import summarise
from anomaly.types import DAMAGED, UNDAMAGED, Label, Verdict
from tests.report.samples import capture, evidence, examined, found, missed, passed, scores

TEST = (*passed(3), *found(2))
WEAK = Interval(0.66, 0.56, 0.75)


def lacking(blocks: Sequence[Block]) -> list[Missing]:
    return [block for block in blocks if isinstance(block, Missing)]


def words(blocks: Sequence[Block]) -> str:
    return " ".join(block.text for block in blocks if isinstance(block, Paragraph))


def test_a_planned_test_of_which_no_photograph_is_there() -> None:
    known = evidence(examined(missing=12), test=TEST, bank=10)
    assert not_judged(known) == ("none of the 5 photographs of the test split was judged (5 were not found in `here/`)")
    (missing,) = lacking(results_section(known, {}).section.blocks)
    assert not_judged(known) in missing.what
    assert missing.command == "python model.py --report --data DIR"


def test_a_planned_test_of_which_no_photograph_could_be_read() -> None:
    some = evidence(examined(failed=["a.png", "b.png"]), test=TEST)
    assert "(3 were not found in `here/`, 2 could not be read)" in not_judged(some)
    every = evidence(examined(failed=list("abcde")), test=TEST)
    assert "(5 could not be read)" in not_judged(every)


def test_no_test_was_planned() -> None:
    for known in (evidence(examined(), bank=3), evidence(bank=3)):
        (missing,) = lacking(results_section(known, {}).section.blocks)
        assert missing.what.startswith("No photograph is in the test split")


def test_only_test_photographs_are_missing_from_the_test() -> None:
    said = words(results_section(evidence(examined(TEST, missing=7), test=TEST, bank=9), {}).section.blocks)
    assert "not found" not in said
    said = words(results_section(evidence(examined(TEST[:4], missing=7), test=TEST, bank=9), {}).section.blocks)
    assert "1 photograph of the test split was not found" in said


def test_what_the_figures_are_without_is_told_alike_in_section_4_and_to_the_caller() -> None:
    def section(known: Evidence) -> str:
        return words(results_section(known, {}).section.blocks)

    known = evidence(examined(TEST[:2], failed=["a.png", "b.png"]), test=TEST)
    assert left_out(known) in section(known)
    assert left_out(known, folder="here/") == (
        "1 photograph of the test split was not found in here/ as training saw it and 2 photographs of the test split "
        "could not be read: the figures are without"
    )
    known = evidence(examined(TEST[:4], failed=["a.png"]), test=TEST)
    assert left_out(known) == "1 photograph of the test split could not be read: the figures are without"
    assert left_out(evidence(test=TEST)) == left_out(evidence(examined(TEST), test=TEST)) == ""


def test_validation_chose_the_settings_only_where_training_says_so() -> None:
    def chose(*selection: str) -> str:
        known = evidence(test=TEST)
        known = dataclasses.replace(known, provenance=dataclasses.replace(known.provenance, selection=selection))
        (splits, _) = (block for block in split_section(known).section.blocks if isinstance(block, Bullets))
        return splits.items[1]

    assert "chose the settings and the threshold" in chose(
        "9 combinations of settings compared on 5 ...", "chosen: ..."
    )
    assert "chose the settings and the threshold" in chose("settings as given: all were fixed.", "turned copies ...")
    for unknown in (chose("settings as given: automatic selection is off."), chose()):
        assert "labelled photographs that chose the threshold" in unknown


def test_the_typical_size_is_one_that_a_photograph_has() -> None:
    def resizing(*sizes: tuple[int, int]) -> str:
        known = dataclasses.replace(evidence(), backbone={"name": "any"}, photo_sizes=sizes)
        (table,) = (block for block in preprocessing_section(known).section.blocks if isinstance(block, Table))
        return next(row[1] for row in table.rows if row[0] == "resizing")

    tall, wide, small = (600, 900), (800, 500), (100, 100)
    assert resizing(tall, tall, wide, wide, wide).startswith("typically 800 x 500 pixels (3 of 5 photographs), reduced")
    assert resizing(wide, wide).startswith("typically 800 x 500 pixels, ")
    assert resizing(tall, small, wide).startswith("typically 800 x 500 pixels (1 of 3 photographs), ")
    assert resizing(tall, wide) == resizing(wide, tall)


def test_operating_points_are_calibrated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def counted(*args: Any, **kwargs: Any) -> tuple[OperatingPoint, ...]:
        asked.append(args)
        return operating_points(*args, **kwargs)

    monkeypatch.setattr("anomaly.report.section_results.operating_points", counted)
    good, bad = [1.0] * 3, [2.0] * 3
    validation = (*scores(UNDAMAGED, good), *scores(DAMAGED, bad))
    record = CalibrationRecord(1, "2026-11-22T10:00:00+00:00", "training", "training", calibrate(good, bad), validation)
    part = results_section(dataclasses.replace(evidence(examined(TEST), test=TEST), record=record), {})
    assert "trade.svg" in part.pictures
    assert len(asked) == 1


def calibrated(known: Evidence) -> Evidence:
    good, bad = [0.5] * 3, [2.0] * 3
    validation = (*scores(UNDAMAGED, good), *scores(DAMAGED, bad))
    record = CalibrationRecord(1, "2026-11-22T10:00:00+00:00", "training", "training", calibrate(good, bad), validation)
    images = known.results.images if known.results else ()
    test = evaluate_scores([image.scored() for image in images], record.calibration)
    return dataclasses.replace(known, record=record, test=test)


def test_what_was_found_elsewhere_is_told_apart_from_what_was_found_there() -> None:
    test = (*passed(3), *found(3, damaged_px=9, met=False), *found(2, first=20, damaged_px=9, met=True))
    test = (*test, *missed(1, damaged_px=9))
    examples = tuple(
        Example(f"example-{n}.jpg", test[place].name, DAMAGED, DAMAGED, 1.0, "") for n, place in ((1, 3), (2, 6))
    )
    known = calibrated(evidence(dataclasses.replace(examined(test), examples=examples), test=test))
    blocks = results_section(known, {example.file: b"" for example in examples}).section.blocks
    said = "Of 5 damaged photographs that were found, in 2 the place that the program marks meets the damage."
    assert said in words(blocks)
    assert said in words(summarise(known, ()).section.blocks)
    (pictures,) = (block for block in blocks if isinstance(block, Pictures))
    assert "called damaged, **but marked elsewhere**;" in pictures.pictures[0][1]
    assert "called damaged, and marked there;" in pictures.pictures[1][1]


def test_where_it_marks_is_said_of_photographs_with_a_mask_alone() -> None:
    assert where_marked(found(5)) == where_marked(passed(5)) == ""
    assert where_marked((*found(2, damaged_px=9, met=True), *found(3, first=20))) == (
        "Of 5 damaged photographs that were found, 2 of them with a mask, in 2 the place that the program marks meets "
        "the damage."
    )


def test_a_record_that_does_not_say_where_it_marks_names_the_command() -> None:
    test = found(2, damaged_px=9)
    (missing,) = lacking(results_section(evidence(examined(test), test=test), {}).section.blocks)
    assert "was not recorded" in missing.what
    assert missing.command == "python model.py --report --data here/"
    test = found(2)
    assert not lacking(results_section(evidence(examined(test), test=test), {}).section.blocks)


def test_the_caption_of_the_pictures_names_what_is_shown() -> None:
    def caption(*shown: tuple[Label, Verdict]) -> str:
        examples = tuple(
            Example(f"example-{n}.jpg", f"a/{n}.png", label, verdict, 1.0, "")
            for n, (label, verdict) in enumerate(shown)
        )
        known = evidence(dataclasses.replace(examined(TEST), examples=examples), test=TEST)
        blocks = results_section(known, {example.file: b"" for example in examples}).section.blocks
        (pictures,) = (block for block in blocks if isinstance(block, Pictures))
        assert "`a/0.png`" in pictures.pictures[0][1]  # with its folder: names recur
        return pictures.caption

    there, passing, lost = (DAMAGED, DAMAGED), (UNDAMAGED, UNDAMAGED), (DAMAGED, UNDAMAGED)
    assert caption(there, passing).startswith("Verdicts chosen by rule: found and passed. Left")
    assert caption(there, there, passing, lost, lost, (UNDAMAGED, DAMAGED)).startswith(
        "Verdicts chosen by rule: found (the middle score, and the one nearest to being missed), passed, missed (the "
        "middle and the lowest score) and the worst false alarm. Left"
    )


def test_misses_are_bought_with_false_alarms_only_where_they_are() -> None:
    def caption(test: Sequence[ExaminedImage]) -> str:
        good, bad = [1.0 + i / 100 for i in range(20)], [1.15, 1.165, 1.175, 2.0, 2.1, 2.2]
        validation = (*scores(UNDAMAGED, good), *scores(DAMAGED, bad))
        record = CalibrationRecord(
            1, "2026-11-22T10:00:00+00:00", "training", "training", calibrate(good, bad), validation
        )
        known = dataclasses.replace(calibrated(evidence(examined(test), test=test)), record=record)
        blocks = results_section(known, {}).section.blocks
        assert "whoever chooses by the counts chooses on the test photographs" in words(blocks)
        return next(block.caption for block in blocks if isinstance(block, Figure) and block.file == "trade.svg")

    apart = (*passed(3, score=0.5), *found(3, score=3.0))
    assert caption(apart) == "What each threshold costs on the test photographs."
    overlapping = (*passed(3, score=1.16), *missed(3, score=1.17), *found(1, score=3.0))
    assert caption(overlapping).endswith(": fewer misses are bought with more false alarms.")


def test_the_memory_holds_fewer_photographs_than_were_divided_to_it() -> None:
    def told(known: Evidence, *held: str) -> str:
        blocks = split_section(dataclasses.replace(known, bank_hashes=frozenset(held))).section.blocks
        return [block for block in blocks if isinstance(block, Bullets)][1].items[0]

    known = evidence(bank=4)
    hashes = [entry.sha256 for entry in known.provenance.splits]
    assert not told(known, *hashes).startswith("The memory holds")
    assert not told(known).startswith("The memory holds")
    assert told(known, *hashes[:2]) == (
        "The memory holds 2 photographs, of 4 that were divided to it: 2 were left out or taken out since."
    )
    splits = (*known.provenance.splits, dataclasses.replace(known.provenance.splits[0], name="copy"))
    copied = dataclasses.replace(known, provenance=dataclasses.replace(known.provenance, splits=splits))
    assert told(copied, *hashes, "new") == (
        "The memory holds 5 photographs, of 5 that were divided to it: 1 exact copy of another counts once, 1 was "
        "added since."
    )


def test_the_test_is_not_said_to_be_judged_once() -> None:
    splits = next(block for block in split_section(evidence(test=TEST)).section.blocks if isinstance(block, Bullets))
    assert "once" not in splits.items[2]
    assert "very end" not in splits.items[2]


def test_errors_by_session() -> None:
    test = (*passed(4, group="a", score=0.1), *missed(2, group="b", score=0.1), *found(1, group="c", score=3.0))
    known = calibrated(evidence(examined(test), test=test))
    tables = [block for block in results_section(known, {}).section.blocks if isinstance(block, Table)]
    (table,) = (table for table in tables if "by session" in table.caption)
    assert "1 of 3 sessions with an error." in table.caption
    assert table.rows == (
        ("b", "2 of 2", "none tested"),
        ("a", "none tested", "0 of 4"),
        ("c", "0 of 1", "none tested"),
    )
    one = calibrated(evidence(examined(test[:4]), test=test[:4]))
    assert not any(
        "by session" in block.caption for block in results_section(one, {}).section.blocks if isinstance(block, Table)
    )
    many = [image for i in range(15) for image in found(1, first=i, group=f"day {i}")]
    known = calibrated(evidence(examined(many), test=many))
    tables = [block for block in results_section(known, {}).section.blocks if isinstance(block, Table)]
    (table,) = (table for table in tables if "by session" in table.caption)
    assert len(table.rows) == SESSIONS
    assert table.caption.endswith("; 3 more are not shown.")


def test_photographs_of_all_splits_are_missing_from_the_capture_measures() -> None:
    known = evidence(examined(missing=7, capture=capture("a", 4)), bank=11)
    assert "of 4 photographs; 7 more were not found in the folder:" in words(capture_section(known, ()).section.blocks)


def test_photographs_that_are_not_on_record_cannot_be_measured_by_another_report() -> None:
    (missing, _) = lacking(capture_section(evidence(), ()).section.blocks)
    assert "does not record them" in missing.what
    assert "--report" not in missing.command


def test_folders_with_blanks_are_quoted_in_commands() -> None:
    known = evidence(data="our parts/", model="my model", test=TEST)
    assert shlex.split(known.option()) == ["--model", "my model"]
    for part in (settings_section(known), capture_section(known, ())):
        commands = [shlex.split(missing.command) for missing in lacking(part.section.blocks)]
        assert ["python", "model.py", "--experiment", "--data", "our parts/"] in commands


def test_commands_name_the_folder_of_experiments_where_it_is_another_one() -> None:
    known = dataclasses.replace(evidence(data="our parts/", test=TEST), work="our work")
    commands = [
        missing.command
        for part in (settings_section(known), capture_section(known, ()), results_section(known, {}))
        for missing in lacking(part.section.blocks)
    ]
    options = ["--data", "our parts/", "--work", "our work"]
    assert ["python", "model.py", "--experiment", *options] in map(shlex.split, commands)
    assert "python model.py --report --data DIR --work 'our work'" in commands
    for rule, facts in ((no_experiment, measure(known)), (weak_ranking, Facts(auroc=WEAK, work=" --work w"))):
        advice = rule(facts)
        assert advice is not None
        assert " --work " in advice.command
    used = dataclasses.replace(known, experiment=experiment())
    assert "--train --from-experiment --data 'our parts/' --work 'our work'" in words(
        settings_section(used).section.blocks
    )
    assert "--work" not in " ".join(m.command for m in lacking(settings_section(evidence()).section.blocks))
    assert evidence().work == DEFAULT_WORK


def experiment(*, kept_together: bool = True) -> Experiment:
    row = TrialRow(0, {"geometry.size": 224}, 0.1, 0.01, 0.9, 0.8, 0.95, 3, 1.0)
    return Experiment(
        identity="e", created="", data="parts/", dataset="d", images="i", config={}, space={"repeats": 2, "folds": 3},
        undamaged=20, damaged=9, units=29, kept_together=kept_together, trials=(row,), best=0, chosen=0,
        reason="the only one", importance={}, memory_curve=(), label_curve=(),
    )  # fmt: skip


COMPARED = (
    "576 combinations of settings compared on 10 undamaged and 8 damaged validation images.",
    "chosen: any (loss 0.283, AUROC 97.5 %); as given: another (loss 0.376, AUROC 92.5 %), worse by 2.0.",
)


def selected(known: Evidence, *selection: str) -> Evidence:
    return dataclasses.replace(known, provenance=dataclasses.replace(known.provenance, selection=selection))


def test_the_words_of_the_own_comparison_are_explained_and_its_figures_called_too_good() -> None:
    said = words(settings_section(selected(evidence(), *COMPARED)).section.blocks)
    for word in ("The loss says", "the AUROC is", "Taps are", "**as given** are", "**These figures are too good**"):
        assert word in said
    for unexplained in ((), ("settings as given: all were fixed.",), ("chosen by experiment e: (loss 0.54).",)):
        assert "Taps are" not in words(settings_section(selected(evidence(), *unexplained)).section.blocks)


def test_figures_of_the_experiment_are_not_compared_with_those_of_training() -> None:
    known = dataclasses.replace(selected(evidence(), *COMPARED), experiment=experiment())
    said = words(settings_section(known).section.blocks)
    assert "They cannot be compared with each other." in said
    assert said.count("The loss says") == 1
    assert "may do better or worse" in said
    assert "--from-experiment --data parts/ --model trained_new`" in said
    assert "`python model.py --evaluate --data labelled/`" in said
    as_given = dataclasses.replace(selected(evidence(), "settings as given: all fixed."), experiment=experiment())
    said = words(settings_section(as_given).section.blocks)
    assert "cannot be compared" not in said
    assert said.count("The loss says") == 1
    assert "may do better or worse" in said
    used = dataclasses.replace(selected(evidence(), "chosen by experiment e: the only one"), experiment=experiment())
    said = words(settings_section(used).section.blocks)
    assert "was trained with the chosen settings" in said
    assert "better or worse" not in said


def test_what_the_experiment_held_fixed_is_named() -> None:
    config = json.loads(json.dumps(dataclasses.asdict(replace_setting(Config(), "geometry.size", 320))))
    space = {"repeats": 2, "folds": 3, "axes": {"embedding.whitening": [False, True]}}
    fixed = dataclasses.replace(experiment(), config=config, space=space)
    said = words(settings_section(dataclasses.replace(evidence(), experiment=fixed)).section.blocks)
    held = said[said.index("It held fixed") : said.index("The experiment chose")]
    assert "320² pixels" in held
    assert "whitened" not in held
    assert f"another choice of these: {Config().geometry.size}² pixels." in held
    same = dataclasses.replace(fixed, config=dataclasses.asdict(Config()))
    said = words(settings_section(dataclasses.replace(evidence(), experiment=same)).section.blocks)
    assert "It held fixed" in said
    assert "another choice" not in said


def test_sessions_stayed_together_only_where_there_are_any() -> None:
    def told(known: Evidence, *, kept_together: bool) -> str:
        with_it = dataclasses.replace(known, experiment=experiment(kept_together=kept_together))
        return words(settings_section(with_it).section.blocks)

    none = evidence(test=TEST)
    splits = tuple(dataclasses.replace(entry, group="monday") for entry in none.provenance.splits)
    some = dataclasses.replace(none, provenance=dataclasses.replace(none.provenance, splits=splits))
    assert "photographs of one session stayed together" in told(some, kept_together=True)
    assert "too few sessions" in told(some, kept_together=False)
    for kept_together in (True, False):
        said = told(none, kept_together=kept_together)
        assert "of one session stayed" not in said
        assert "too few sessions" not in said
    assert "near-duplicates stayed together; the data name no sessions" in told(none, kept_together=True)


def test_the_sessions_figure_is_of_undamaged_photographs() -> None:
    undamaged = [row for group in "abc" for row in capture(group)]
    damaged = capture("a", 9, label=DAMAGED, brightness=0.9, sharpness=0.5)
    assert plot_sessions([*undamaged, *damaged]) == plot_sessions(undamaged)
    shown = evidence(examined(capture=[*undamaged, *damaged, *capture("d", label=DAMAGED)]))
    (figure,) = (block for block in capture_section(shown, ()).section.blocks if isinstance(block, Figure))
    assert figure.caption.endswith(" 1 of the 4 sessions has none.")
    shown = evidence(examined(capture=[*undamaged, *damaged]))
    (figure,) = (block for block in capture_section(shown, ()).section.blocks if isinstance(block, Figure))
    assert figure.caption.endswith("in one line.")
    known = evidence(examined(capture=[*capture("a"), *(row for g in "bcd" for row in capture(g, label=DAMAGED))]))
    assert "sessions.svg" not in capture_section(known, ()).pictures
