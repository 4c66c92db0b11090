"""From words on the command line to one checked record."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from anomaly.cli.aim import Aim, UsageError, read_aim
from anomaly.cli.help_text import help_text
from anomaly.cli.options import DEFAULT_MODEL, DEFAULT_WORK, DONE, MISUSED, VERBS, Option, Verb
from anomaly.cli.values import named

if TYPE_CHECKING:
    from anomaly.embedding.runtime import Device
    from anomaly.types import Label, Split


@dataclass(frozen=True)
class Arguments:
    """One call, checked: no option is here that its verb does not use.

    Attributes
    ----------
    verb : str
        Without dashes.
    images : tuple of str
        Files and folders that a verb takes, as the user named them.
    settings : tuple of (str, object)
        Of ``--set``, ``--seed``, ``--backbone`` and ``--weights``, in this order.
    aim : Aim or None
        Of ``--recalibrate``; None: none was named.
    """

    verb: str
    images: tuple[str, ...] = ()
    model: Path = Path(DEFAULT_MODEL)
    device: Device = "auto"
    quiet: bool = False
    json: bool = False
    data: str | None = None
    config: str | None = None
    settings: tuple[tuple[str, object], ...] = ()
    part_type: str = ""
    csv: Path | None = None
    journal: Path | None = None
    truth: Label | None = None
    from_journal: Path | None = None
    since: str | None = None
    usual_share: float | None = None
    chart: Path | None = None
    no_capture_check: bool = False
    yes: bool = False
    ray: str | None = None
    exit_code: bool = False
    output: Path | None = None
    work: Path = Path(DEFAULT_WORK)
    space: Path | None = None
    from_experiment: bool = False
    open: bool = False
    aim: Aim | None = None
    reason: str | None = None
    history: bool = False
    rollback: int | None = None
    split: Split | None = None
    confusion: Path | None = None


def parse(argv: Sequence[str]) -> Arguments:
    """Read the command line.

    Raises
    ------
    SystemExit
        0 after ``--help``, 2 after an error, both told.
    """
    parser = _build()
    found = vars(parser.parse_args(argv))
    if found.pop("help", False):
        parser.print_help()
        parser.exit(DONE)
    verbs = [verb for verb in VERBS if verb.name in found]
    if len(verbs) != 1:
        named = " and ".join(verb.flag for verb in verbs) or "none"
        parser.error(f"expected one verb of {', '.join(verb.flag for verb in VERBS)}, got {named}")
    (verb,) = verbs
    images = found.pop(verb.name) if verb.takes_images else (found.pop(verb.name), [])[1]
    accepted = {option.name for option in verb.options}
    surplus = [option.flag for name, option in _options().items() if name in found and name not in accepted]
    if surplus:
        parser.error(f"{verb.flag} does not use {', '.join(surplus)}")
    try:
        return _arguments(verb, tuple(images), found)
    except UsageError as error:
        parser.error(str(error))


def _arguments(verb: Verb, images: tuple[str, ...], found: dict[str, Any]) -> Arguments:
    _check_together(verb, found)
    aim_names = ("objective", "target", "max_miss_rate", "max_false_alarm_rate", "miss_cost", "confidence")
    aim = read_aim(**{name: found.pop(name, None) for name in aim_names})
    settings = list(found.pop("set", []))
    for name, setting in (("seed", "seed"), ("backbone", "embedding.backbone"), ("weights", "embedding.weights")):
        if name in found:
            settings.append((setting, found.pop(name)))
    for name in ("model", "csv", "journal", "from_journal", "chart", "output", "confusion", "work", "space"):
        if name in found:
            found[name] = Path(found[name])
    return Arguments(verb=verb.name, images=images, aim=aim, settings=tuple(settings), **found)


def _check_together(verb: Verb, found: dict[str, Any]) -> None:
    """Refuse what would be ignored: options of another way to use the same verb."""
    if verb.name == "evaluate" and "data" not in found:
        raise UsageError("--evaluate needs --data DIR")
    if verb.name == "monitor" and "journal" not in found:
        raise UsageError("--monitor needs --journal FILE")
    if verb.name == "verdict":
        for flag in ("--truth LABEL", "--journal FILE"):
            if flag.split()[0].removeprefix("--") not in found:
                raise UsageError(f"--verdict needs {flag}")
    if verb.name == "train":
        _check_experiment(found)
    if verb.name == "predict":
        _check_cluster(found)
    if verb.name != "recalibrate":
        return
    allowed = {"model", "json", "quiet"}
    for mode, more in (("history", set[str]()), ("rollback", {"reason"})):
        surplus = sorted(set(found) - allowed - {mode} - more)
        if mode in found and surplus:
            raise UsageError(f"--{mode} does not use {', '.join('--' + name.replace('_', '-') for name in surplus)}")
    if "device" in found and "data" not in found:
        raise UsageError("--recalibrate without --data scores no image and does not use --device")


def _check_experiment(found: dict[str, Any]) -> None:
    """Refuse settings beside those of an experiment, and its folder without it."""
    given = sorted({"config", "set", "seed", "backbone", "weights"} & set(found))
    if "from_experiment" in found and given:
        raise UsageError(f"--from-experiment brings all settings and does not use --{', --'.join(given)}")
    if "work" in found and "from_experiment" not in found:
        raise UsageError("--train uses --work with --from-experiment only")
    if "ray" in found and found.get("device") == "cuda":
        raise UsageError("--train --ray embeds on processors and does not use --device cuda")


def _check_cluster(found: dict[str, Any]) -> None:
    if "ray" in found and "journal" in found:
        raise UsageError("--ray does not use --journal: images come in any order, and again after a kill")
    if "ray" not in found and Path(found.get("csv", "")).suffix == ".parquet":
        raise UsageError("--csv FILE.parquet needs --ray; name a file that does not end in .parquet")


class _Parser(argparse.ArgumentParser):
    """Errors in one line, help from our own table."""

    def error(self, message: str) -> NoReturn:
        from anomaly.imaging.names import printable_name

        self.exit(MISUSED, f"error: {printable_name(message)}; {self.prog} --help lists verbs and options\n")

    def format_help(self) -> str:
        return help_text(self.prog)


class _Once(argparse.Action):
    """Keep a value, and refuse a second one instead of forgetting the first."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        if hasattr(namespace, self.dest):
            parser.error(f"{option_string} is given twice")
        setattr(namespace, self.dest, True if self.nargs == 0 else values)


def _build() -> _Parser:
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0].endswith(("model.py", "goodparts")) else "goodparts"
    parser = _Parser(prog=program, add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("-h", "--help", action="store_true")
    for verb in VERBS:
        if verb.takes_images:
            parser.add_argument(verb.flag, nargs="+", action="extend", type=named, metavar="PATH")
        else:
            parser.add_argument(verb.flag, action="store_true")
    for option in _options().values():
        _add(parser, option)
    return parser


def _add(parser: _Parser, option: Option) -> None:
    if not option.metavar:
        parser.add_argument(option.flag, action=_Once, nargs=0)
    elif option.repeatable:
        # Several at a time, as the help writes it; the verbs that have one take no images that could be meant instead.
        parser.add_argument(option.flag, nargs="+", action="extend", type=option.convert, metavar=option.metavar)
    else:
        parser.add_argument(
            option.flag,
            action=_Once,
            type=option.convert,
            choices=option.choices or None,
            metavar=option.metavar,
        )


def _options() -> dict[str, Option]:
    """Every option by name; verbs that share one differ in its help alone."""
    return {option.name: option for verb in VERBS for option in verb.options}
