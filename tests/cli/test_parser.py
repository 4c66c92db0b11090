from __future__ import annotations

import ast
from pathlib import Path

import pytest

import anomaly.cli
from anomaly.calibration import OBJECTIVES as KNOWN_OBJECTIVES
from anomaly.calibration._parameters import PROMISED, WITH_TARGET
from anomaly.cli import main
from anomaly.cli.aim import _PROMISED, _WITH_TARGET, Aim
from anomaly.cli.help_text import help_text
from anomaly.cli.options import OBJECTIVES, VERBS
from anomaly.cli.parser import Arguments, parse


def test_the_objectives_and_what_they_take_are_those_of_calibration() -> None:
    assert OBJECTIVES == KNOWN_OBJECTIVES
    assert _PROMISED == PROMISED
    assert _WITH_TARGET == WITH_TARGET


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_a_verb_returns_exit_statuses_by_name(verb: str) -> None:
    tree = ast.parse((Path(anomaly.cli.__file__).parent / f"{verb}.py").read_text())
    returned = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value is not None]
    ends = [
        end for value in returned for end in ((value.body, value.orelse) if isinstance(value, ast.IfExp) else [value])
    ]
    assert not [end for end in ends if isinstance(end, ast.Constant) and type(end.value) is int]


def test_defaults() -> None:
    assert parse(["--predict", "a.png"]) == Arguments(verb="predict", images=("a.png",))
    assert parse(["--info"]).model == Path("trained")


def test_settings_are_toml_values_and_bare_words() -> None:
    words = ["--set", "geometry.size=512", "--set", "embedding.whitening=false", "--set", 'embedding.taps=["a"]']
    words += ["--set", "embedding.backbone=resnet18", "--set", "scoring.smoothing=0.5", "--seed", "7"]
    assert parse(["--train", *words]).settings == (
        ("geometry.size", 512),
        ("embedding.whitening", False),
        ("embedding.taps", ["a"]),
        ("embedding.backbone", "resnet18"),
        ("scoring.smoothing", 0.5),
        ("seed", 7),
    )


@pytest.mark.parametrize("verb", ["--train", "--experiment"])
def test_several_settings_may_follow_one_set_and_more_another(verb: str) -> None:
    words = ["--set", "geometry.size=512", "bank.turns=24", "--data", "d", "--set", "scoring.smoothing=0.5"]
    found = parse([verb, *words])
    assert found.settings == (("geometry.size", 512), ("bank.turns", 24), ("scoring.smoothing", 0.5))
    assert found.data == "d"


def test_no_verb_takes_both_images_and_several_values() -> None:
    for verb in VERBS:
        assert not (verb.takes_images and any(option.repeatable for option in verb.options)), verb.flag


@pytest.mark.parametrize(
    ("words", "aim"),
    [
        ([], None),
        (["--objective", "accuracy"], Aim("accuracy")),
        (["--max-miss-rate", "0.05"], Aim("max-miss-rate", target=0.05)),
        (["--objective", "max-miss-rate", "--target", "0.05"], Aim("max-miss-rate", target=0.05)),
        (["--objective", "max-miss-rate", "--max-miss-rate", "0.05"], Aim("max-miss-rate", target=0.05)),
        (["--max-false-alarm-rate", "0.1", "--confidence", "0.9"], Aim("max-false-alarm-rate", 0.1, confidence=0.9)),
        (
            ["--max-miss-rate", "0.1", "--max-false-alarm-rate", "0.2"],
            Aim("both-rates", max_miss_rate=0.1, max_false_alarm_rate=0.2),
        ),
        (["--objective", "false-alarm-target", "--target", "0.1"], Aim("false-alarm-target", target=0.1)),
        (["--miss-cost", "10"], Aim("cost", miss_cost=10.0)),
        (["--objective", "cost", "--miss-cost", "10"], Aim("cost", miss_cost=10.0)),
    ],
)
def test_ways_to_say_an_aim(words: list[str], aim: Aim | None) -> None:
    assert parse(["--recalibrate", *words]).aim == aim


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "got none"),
        (["--train", "--predict", "a.png"], "got --train and --predict"),
        (["--experimint"], "--experimint"),
        (["--reprot"], "--reprot"),
        (["--predict"], "--predict"),
        (["--predict", ""], "empty"),
        (["--info", "--model", ""], "empty"),
        (["--predict", "a.png", "--seed", "3"], "--predict does not use --seed"),
        (["--predict", "a.png", "--output", "b.png"], "--predict does not use --output"),
        (["--info", "--device", "cpu"], "--info does not use --device"),
        (["--heatmap", "a.png", "--csv", "a.csv"], "--heatmap does not use --csv"),
        (["--train", "--exit-code"], "--train does not use --exit-code"),
        (["--predict", "a.png", "--mod", "x"], "--mod"),
        (["--info", "--model", "a", "--model", "b"], "given twice"),
        (["--predict", "a.png", "--device", "tpu"], "tpu"),
        (["--train", "--set", "geometry.size"], "SECTION.NAME=VALUE"),
        (["--train", "--set", "geometry.size=512", "parts/"], "SECTION.NAME=VALUE"),
        (["--train", "--seed", "one"], "whole number"),
        (["--train", "--from-experiment", "--weights", "w.pth"], "does not use --weights"),
        (["--evaluate"], "needs --data"),
        (["--evaluate", "--data", "d", "--split", "bank"], "bank"),
        (["--recalibrate", "--max-miss-rate", "5"], "0.05 for 5 %"),
        (["--recalibrate", "--max-miss-rate", "nan"], "number"),
        (["--recalibrate", "--miss-cost", "-1"], "above 0"),
        (
            ["--recalibrate", "--max-miss-rate", "0.1", "--max-false-alarm-rate", "0.1", "--miss-cost", "2"],
            "both rates",
        ),
        (["--recalibrate", "--objective", "both-rates"], "needs --max-miss-rate RATE and"),
        (["--recalibrate", "--objective", "both-rates", "--max-miss-rate", "0.1"], "needs --max-miss-rate RATE and"),
        (["--recalibrate", "--objective", "cost", "--max-miss-rate", "0.1"], "different objectives"),
        (["--recalibrate", "--objective", "cost"], "needs --miss-cost"),
        (["--recalibrate", "--objective", "max-miss-rate"], "needs --target"),
        (["--recalibrate", "--objective", "accuracy", "--target", "0.1"], "has no --target"),
        (["--recalibrate", "--max-miss-rate", "0.1", "--target", "0.2"], "--target repeats"),
        (["--recalibrate", "--target", "0.1"], "--objective"),
        (["--recalibrate", "--confidence", "0.9"], "--objective"),
        (["--recalibrate", "--miss-cost", "2", "--confidence", "0.9"], "--confidence belongs"),
        (["--recalibrate", "--history", "--rollback", "1"], "--history does not use --rollback"),
        (["--recalibrate", "--history", "--reason", "x"], "--history does not use --reason"),
        (["--recalibrate", "--rollback", "1", "--max-miss-rate", "0.1"], "--rollback does not use --max-miss-rate"),
        (["--recalibrate", "--device", "cpu"], "does not use --device"),
        (["--predict", "a.png", "--nonsense\nx"], "\\n"),
    ],
)
def test_usage_errors(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert told in err


def test_every_option_is_refused_by_the_verbs_that_do_not_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    options = {option.flag: option for verb in VERBS for option in verb.options}
    values = {
        "RATE": "0.1",
        "SHARE": "0.9",
        "COST": "2",
        "N": "1",
        "SECTION.NAME=VALUE": "seed=1",
        "TIME": "2026-01-02",
    }
    for verb in VERBS:
        used = {option.flag for option in verb.options}
        for option in options.values():
            if option.flag in used:
                continue
            words = [verb.flag, *(["a.png"] if verb.takes_images else []), option.flag]
            if option.metavar:
                words.append(option.choices[0] if option.choices else values.get(option.metavar, "x"))
            assert main(words) == 2
            assert f"{verb.flag} does not use {option.flag}" in capsys.readouterr().err


def test_help_names_every_verb_and_option(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")  # in fewer, the longest option is told on two lines
    assert main(["--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for verb in VERBS:
        assert verb.flag in out
        for option in verb.options:
            assert option.usage in out


@pytest.mark.parametrize(("columns", "widest"), [("80", 80), ("60", 60), ("300", 100), (None, 100)])
def test_the_help_is_as_wide_as_the_terminal(columns: str | None, widest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
        monkeypatch.setattr("sys.__stdout__", None)  # no terminal
    else:
        monkeypatch.setenv("COLUMNS", columns)
    lines = [line for line in help_text("model.py").splitlines() if line.startswith(" " * 20)]
    assert widest - 15 < max(map(len, lines)) <= widest
    if columns == "80":
        assert max(map(len, help_text("model.py").splitlines())) <= 80
