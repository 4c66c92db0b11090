"""Every verb and option of the command line, as data; parser, help and ``docs/cli.md`` are made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from anomaly.cli import values

OBJECTIVES = ("accuracy", "both-rates", "cost", "false-alarm-target", "max-false-alarm-rate", "max-miss-rate")
"""As in :mod:`anomaly.calibration`, which is not imported for the sake of ``--help``; a test compares them."""

DEFAULT_MODEL = "trained"
DEFAULT_HEATMAPS = "heatmaps"
DEFAULT_REPORT = "report.pdf"
DEFAULT_WORK = "work"


@dataclass(frozen=True)
class Option:
    """An option of one verb or several.

    Attributes
    ----------
    flag : str
        With its dashes.
    help : str
    metavar : str
        What stands for the value; empty: the option is a switch.
    convert : callable
        Text to value; raises ``argparse.ArgumentTypeError``.
    choices : tuple of str
        Accepted values; empty: any that ``convert`` takes.
    repeatable : bool
        Takes several values, and may be given again for more.
    """

    flag: str
    help: str
    metavar: str = ""
    convert: Callable[[str], object] = str
    choices: tuple[str, ...] = ()
    repeatable: bool = False

    @property
    def name(self) -> str:
        """The attribute that holds the value."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def usage(self) -> str:
        """The option as a user writes it."""
        value = f"{{{','.join(self.choices)}}}" if self.choices else self.metavar
        return f"{self.flag} {value}".strip()


@dataclass(frozen=True)
class Verb:
    """What one call does, and the options it uses; any other is an error.

    Attributes
    ----------
    flag : str
    help : str
    options : tuple of Option
    takes_images : bool
        Whether image files and folders follow.
    """

    flag: str
    help: str
    options: tuple[Option, ...]
    takes_images: bool = False

    @property
    def name(self) -> str:
        """The verb without its dashes, as the name of its module."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def usage(self) -> str:
        """The verb as a user writes it."""
        return f"{self.flag} PATH..." if self.takes_images else self.flag


_MODEL = Option("--model", f"folder of the trained model (default: {DEFAULT_MODEL})", "DIR", values.named)
_DEVICE = Option(
    "--device",
    "what runs the embedding network; auto takes CUDA where the machine has it (default: auto)",
    "NAME",
    choices=("auto", "cpu", "cuda"),
)
_QUIET = Option("--quiet", "no progress and no remarks on stderr; errors are still printed")
_JSON = Option("--json", "print JSON, one object per line")
_DATA = Option("--data", "folder of images", "DIR", values.named)
_PART_TYPE = Option(
    "--part-type",
    "what parts the images show, by a name that training knew; takes the threshold of that type where it has one of "
    "its own (default: not known, the common threshold)",
    "NAME",
    values.named,
)
_CSV = Option("--csv", "also write the rows to FILE; it appears when all are done, or not at all", "FILE", values.named)
_CONFIG = Option("--config", "settings as TOML (default: those of configs/default.toml)", "FILE", values.named)
_SET = Option(
    "--set",
    "change settings, such as geometry.size=512 bank.turns=24; after --config, may be repeated",
    "SECTION.NAME=VALUE",
    values.setting,
    repeatable=True,
)
_SEED = Option("--seed", "short for --set seed=N", "N", values.whole)
_WORK = Option("--work", f"folder of recorded results and experiments (default: {DEFAULT_WORK})", "DIR", values.named)

TRAIN = Verb(
    "--train",
    "learn what undamaged parts look like, calibrate the threshold, test it, save the trained model",
    (
        replace(
            _DATA,
            help="labelled images: two folders (good/, defect/), labels.csv, the MVTec AD layout, or undamaged images "
            "alone (default: the bundled data/parts)",
        ),
        _CONFIG,
        _SET,
        _SEED,
        Option("--backbone", "short for --set embedding.backbone=NAME", "NAME", values.named),
        Option("--weights", "short for --set embedding.weights=FILE", "FILE", values.named),
        Option("--from-experiment", "take the settings that the newest --experiment on these photographs chose"),
        replace(_WORK, help=f"folder that --experiment wrote to (default: {DEFAULT_WORK})"),
        Option(
            "--ray",
            "embed the images of the memory on a Ray cluster: its address, or local for workers on this machine; the "
            "trained model is the same as without",
            "ADDRESS",
            values.named,
        ),
        _MODEL,
        _DEVICE,
        _JSON,
        _QUIET,
    ),
)
PREDICT = Verb(
    "--predict",
    "say for every image whether it is damaged; folders are searched for images, subfolders included",
    (
        _PART_TYPE,
        _CSV,
        Option(
            "--journal",
            "also append a row per judged image to this SQLite file, before its verdict is printed",
            "FILE",
            values.named,
        ),
        Option(
            "--ray",
            "judge on a Ray cluster: its address, or local for workers on this machine; rows come in any order, --csv "
            "may end in .parquet, and the same call after a kill goes on where that one stopped",
            "ADDRESS",
            values.named,
        ),
        Option("--no-capture-check", "label every picture, however unlike those of training it is"),
        Option(
            "--exit-code",
            "exit with 3 when an image is damaged, to be reinspected or too odd to judge (1 when one cannot be read)",
        ),
        _MODEL,
        _DEVICE,
        _JSON,
        _QUIET,
    ),
    takes_images=True,
)
HEATMAP = Verb(
    "--heatmap",
    "draw for every image where it is strange and what a good part looks like there",
    (
        Option(
            "--output",
            f"picture to write for a single image, or folder for the pictures (default: {DEFAULT_HEATMAPS})",
            "PATH",
            values.named,
        ),
        Option("--open", "show the picture, or the folder when there are several"),
        _PART_TYPE,
        _MODEL,
        _DEVICE,
        _JSON,
        _QUIET,
    ),
    takes_images=True,
)
RECALIBRATE = Verb(
    "--recalibrate",
    "choose the threshold anew, without training, from the stored validation scores and newly labelled images",
    (
        replace(_DATA, help="newly labelled images, in a layout that --train accepts; none of the memory bank"),
        Option(
            "--from-journal",
            "also use the images in this journal that have an operator's --verdict, with the scores recorded there",
            "FILE",
            values.named,
        ),
        Option(
            "--objective",
            "what the threshold is chosen for (default: what the standing calibration was chosen for)",
            "NAME",
            choices=OBJECTIVES,
        ),
        Option("--target", "the rate of an objective that has one", "RATE", values.rate),
        Option(
            "--max-miss-rate",
            "short for --objective max-miss-rate --target RATE; with --max-false-alarm-rate both rates are promised, "
            "and what keeps neither promise is labelled reinspect (--objective both-rates)",
            "RATE",
            values.rate,
        ),
        Option(
            "--max-false-alarm-rate",
            "short for --objective max-false-alarm-rate --target RATE; see --max-miss-rate for both",
            "RATE",
            values.rate,
        ),
        Option("--miss-cost", "price of a miss in false alarms; alone short for --objective cost", "COST", values.cost),
        Option("--confidence", "confidence of a promised rate (default: 0.95)", "SHARE", values.rate),
        Option("--reason", "why, for the record", "TEXT", values.named),
        Option("--history", "list every calibration and change nothing"),
        Option("--rollback", "let calibration N stand again", "N", values.whole),
        _MODEL,
        _DEVICE,
        _JSON,
        _QUIET,
    ),
)
EVALUATE = Verb(
    "--evaluate",
    "compare verdicts, by score alone, with labels: misses, false alarms and areas with intervals",
    (
        replace(_DATA, help="labelled images, in a layout that --train accepts; none of the memory bank (required)"),
        Option(
            "--split",
            "only the images that training put into this split, known by their content",
            "NAME",
            choices=("validation", "test"),
        ),
        replace(_CSV, help="also write one row per image to FILE; it appears when all are done, or not at all"),
        Option(
            "--confusion",
            "also draw verdicts against truth, with the images behind each count, to FILE (.png)",
            "FILE",
            values.named,
        ),
        _MODEL,
        _DEVICE,
        _JSON,
        _QUIET,
    ),
)
MONITOR = Verb(
    "--monitor",
    "say from a journal whether pictures still come as they did in training, and the likely cause; changes nothing",
    (
        Option("--journal", "what --predict --journal wrote (required)", "FILE", values.named),
        Option(
            "--since", "only rows after this time (UTC), such as 2026-03-01 or 2026-03-01T08:00", "TIME", values.time
        ),
        Option(
            "--usual-share",
            "share of pictures labelled damaged while all is well (default: 0.05, more where validation says so)",
            "SHARE",
            values.rate,
        ),
        Option("--chart", "also draw a chart (PNG)", "FILE", values.named),
        Option("--exit-code", "exit with 3 when something changed"),
        _MODEL,
        _JSON,
    ),
)
EXPERIMENT = Verb(
    "--experiment",
    "compare many settings by cross-validation on the photographs of memory and validation; Ctrl-C keeps what is done, "
    "and the same command goes on",
    (
        replace(_DATA, help="labelled photographs, as for --train (default: the bundled data/parts)"),
        Option(
            "--space",
            "what to compare, as TOML (default: the same as configs/experiments.toml)",
            "FILE",
            values.named,
        ),
        _CONFIG,
        replace(
            _SET,
            help="fix settings, such as geometry.size=512 bank.turns=24; they are not varied then, may be repeated",
        ),
        _SEED,
        _WORK,
        _DEVICE,
        _JSON,
        _QUIET,
    ),
)
REPORT = Verb(
    "--report",
    "write a PDF for people who decide: how often the trained model errs, why, and what to do; from recorded results",
    (
        Option("--output", f"PDF to write (default: {DEFAULT_REPORT})", "FILE", values.named),
        replace(
            _DATA,
            help="the photographs that it was trained on, judged anew (default: the recorded result; where there is "
            "none, the folder on record)",
        ),
        _WORK,
        _MODEL,
        _DEVICE,
        _JSON,
        _QUIET,
    ),
)
VERDICT = Verb(
    "--verdict",
    "record in the journal what people found when they looked at judged images; --recalibrate --from-journal uses it",
    (
        Option("--truth", "what the images show (required)", "LABEL", choices=("undamaged", "damaged")),
        Option("--journal", "what --predict --journal wrote (required)", "FILE", values.named),
        replace(_PART_TYPE, help="what parts the images show, for thresholds by part type"),
        Option("--reason", "a remark, for the record", "TEXT", values.named),
        replace(
            _MODEL,
            help="folder of the trained model that judged the images, which has to know the --part-type (default: "
            f"{DEFAULT_MODEL}; where that is not there, the type is not checked)",
        ),
        _JSON,
    ),
    takes_images=True,
)
_CHANGE = (
    replace(_DATA, help="folder with the validation images (default: the folder that it was trained on)"),
    Option("--yes", "keep the change without asking, for scripts"),
    Option("--reason", "why, for the record", "TEXT", values.named),
    _MODEL,
    _DEVICE,
    _JSON,
    _QUIET,
)
LEARN_GOOD = Verb(
    "--learn-good",
    "add undamaged images to the memory bank, show what that does to the validation images, and ask whether to keep it",
    _CHANGE,
    takes_images=True,
)
FORGET = Verb(
    "--forget",
    "take images out of the memory bank, by file or by name, in the same way",
    _CHANGE,
    takes_images=True,
)
INFO = Verb(
    "--info",
    "say what a trained model is, was trained on and promises",
    (_MODEL, _JSON),
)

VERBS = (
    TRAIN,
    PREDICT,
    HEATMAP,
    RECALIBRATE,
    EVALUATE,
    EXPERIMENT,
    REPORT,
    MONITOR,
    VERDICT,
    LEARN_GOOD,
    FORGET,
    INFO,
)

DONE, FAILED, MISUSED, FLAGGED, INTERRUPTED, READER_GONE = 0, 1, 2, 3, 130, 141
EXIT_STATUSES = (
    (DONE, "done"),
    (FAILED, "a known error, told in one line on stderr; or an image could not be read, told in its row"),
    (MISUSED, "the command line is not understood"),
    (
        FLAGGED,
        "with --exit-code: an image is damaged, to be reinspected or too odd to judge, and every image could be read; "
        "or --monitor found a change",
    ),
    (INTERRUPTED, "interrupted (Ctrl-C)"),
    (READER_GONE, "whoever read the output stopped reading (as in `| head`)"),
)
