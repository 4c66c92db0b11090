"""The result files as Markdown tables: ``python -m benchmarks.tables``.

README.md holds exactly what this prints (``python tools/update_readme.py`` puts it there, a test compares), so every
figure in it comes from a file in ``benchmarks/results/`` that says what it was measured on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks._machine import machine_line
from benchmarks._results import read_results

RESULTS = Path(__file__).parent / "results"
NOTHING = "No result file is here yet; `benchmarks/README.md` says how they are made."


def markdown(results: Path = RESULTS) -> str:
    """Return all tables there are figures for, with a line on what each was measured on.

    Parameters
    ----------
    results : Path
        Folder of ``real_sets.json`` and ``compare_anomalib.json``; either may be missing.

    Raises
    ------
    OutputError
        One of them is no result file.
    """
    alone, beside = (read_results(results / name) for name in ("real_sets.json", "compare_anomalib.json"))
    parts = [real_sets(alone)] if alone else []
    parts += [accuracy(beside["accuracy"])] if "accuracy" in beside else []
    parts += [cold(beside["cold"])] if "cold" in beside else []
    return "\n\n".join(parts or [NOTHING])


def real_sets(content: Mapping[str, Any]) -> str:
    """Return the table of ``real_sets.json``."""
    header = ("set", "train", "test", "image AUROC", "unseen half", "pixel AUROC", "AUPRO", "fit", "per image")
    rows = [
        (
            found["set"],
            str(found["n_train"]),
            f"{found['n_test_undamaged']} + {found['n_test_damaged']}",
            *(_percent(found[name]) for name in ("image_auroc", "image_auroc_unseen_half", "pixel_auroc", "aupro")),
            f"{found['fit_seconds']:.0f} s",
            f"{found['ms_per_image']:.0f} ms",
        )
        for found in content["sets"]
    ]
    return (
        "**goodparts alone.** Memory bank from `train/good`, every test image (undamaged + damaged) scored; the same "
        f"settings for every set ({_settings(content['config'])}, seed {content['seed']}). AUROC and AUPRO in %. "
        "Unseen half: the test images on which no setting was chosen; for bsdata_mini not all of them, since some "
        "are in the validation split of data/ball_screw, on which settings were compared. The sets: [benchmarks/]"
        "(benchmarks/README.md#the-sets).\n\n"
        f"{_table(header, rows)}\n\n{_measured_on(content)}"
    )


def accuracy(content: Mapping[str, Any]) -> str:
    """Return the table of the ``accuracy`` part of ``compare_anomalib.json``."""
    settings = content["settings"]
    side = settings["anomalib"]["image_size"][0]
    header = ("set", "train", "bank rows", "AUROC goodparts", "AUROC anomalib", "fit", "per image", "peak memory")
    rows = []
    for found in content["sets"]:
        ours, theirs = found["goodparts"], found["anomalib"]
        rows.append(
            (
                found["set"],
                str(found["n_train"]),
                _pair(ours, theirs, "bank_rows", ""),
                _mean_and_range(ours),
                _mean_and_range(theirs),
                _pair(ours, theirs, "fit_seconds", " s"),
                _pair(ours, theirs, "ms_per_image", " ms"),
                _pair(ours, theirs, "fit_peak_mib", " MiB"),
            )
        )
    return (
        f"**Beside anomalib {content['versions']['anomalib']}.** Its own PatchCore with the same backbone weights, the "
        f"same training images (at most {settings['max_train']}) and number of bank rows, in the same run; anomalib at "
        f"{side} x {side} pixels, its default, goodparts with {_settings(settings['goodparts'])}. Image AUROC in %: "
        f"mean and range over {len(settings['seeds'])} fits, each with a seed of its own. Other columns: goodparts / "
        "anomalib.\n\n"
        f"{_table(header, rows)}\n\n{_measured_on(content)}"
    )


def cold(content: Mapping[str, Any]) -> str:
    """Return the table of the ``cold`` part of ``compare_anomalib.json``."""
    header = ("process", "wall time", "goodparts takes", "peak memory", "goodparts takes")
    rows = [
        (
            f"`{found['process']}`",
            f"{found['seconds']:.2f} s",
            f"{100 * found['ours_to_this_time']:.0f} %",
            f"{found['peak_mib']} MiB",
            f"{100 * found['ours_to_this_memory']:.0f} %",
        )
        for found in content["processes"]
    ]
    return (
        f"**One prediction as a whole process**, from the start of Python to its end; one image of {content['set']}, "
        f"medians of {content['runs']} rounds. anomalib's bank has {content['anomalib_bank_rows']} rows.\n\n"
        f"{_table(header, rows)}\n\n{_measured_on(content)}"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def _percent(value: float | Mapping[str, str]) -> str:
    """Show a fraction in percent, and what is undefined as a dash."""
    return "-" if isinstance(value, Mapping) else f"{100 * value:.1f}"


def _mean_and_range(fits: Sequence[Mapping[str, Any]]) -> str:
    areas = [fit["image_auroc"] for fit in fits if not isinstance(fit["image_auroc"], Mapping)]
    return f"{_percent(fmean(areas))} ({_percent(min(areas))}-{_percent(max(areas))})" if areas else "-"


def _pair(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]], name: str, unit: str) -> str:
    first, second = (median(fit[name] for fit in fits) for fits in (ours, theirs))
    return f"{first:.0f} / {second:.0f}{unit}"


def _settings(config: Mapping[str, Any]) -> str:
    embedding = config["embedding"]
    taps = f", taps {', '.join(embedding['taps'])}" if embedding["taps"] else ""
    return f"{embedding['backbone']}{taps}, about {config['geometry']['size']}² network pixels"


def _measured_on(content: Mapping[str, Any]) -> str:
    device = f", device {content['device']}" if "device" in content else ""
    return f"Measured {content['date'][:10]}, {machine_line(content['machine'])}{device}."


if __name__ == "__main__":
    print(markdown())
