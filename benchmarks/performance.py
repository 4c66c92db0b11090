"""The speed and scale results as a page: ``python -m benchmarks.performance`` prints docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks._machine import machine_line
from benchmarks._results import read_results
from benchmarks.performance_plots import plots
from benchmarks.tables import RESULTS

HEAD = """# Performance

Made by `python tools/update_readme.py` from `benchmarks/results/speed.json` and `scale.json`, which
`benchmarks/speed.py` and `benchmarks/scale.py` write ([how](../benchmarks/README.md)). What is compared ran in turn;
figures are medians, and a ratio is the median of the rounds' own ratios. Each part says on what, when and under which
load it was measured: with a load above the number of cores other programs took part of them, so times are upper bounds
and only ratios say something, with care."""
NOTHING = "No result file is here yet."
OTHER_TABLE = """The [README](../README.md#results) has such a table beside anomalib, measured
at another time. The line below each says on which machine: where they differ, compare the ratios, not the seconds."""


def page(results: Path = RESULTS) -> str:
    """Return the page.

    Parameters
    ----------
    results : Path
        Folder of ``speed.json`` and ``scale.json``; either may be missing, and any part of each.

    Raises
    ------
    OutputError
        One of them is no result file.
    """
    speed, scale = (read_results(results / name) for name in ("speed.json", "scale.json"))
    pictures = {name: f"![{plot.alt}](images/{plot.name})\n\n" for name, plot in plots(results).items()}
    parts = [
        *(f"{write(speed[name])}\n\n{pictures.get(name, '') if name == 'stages' else ''}{_measured(speed[name])}"
          for name, write in SPEED.items() if name in speed),
        *(f"{write(scale[name])}\n\n{pictures.get(name, '')}{_measured(scale[name])}"
          for name, write in SCALE.items() if name in scale),
    ]  # fmt: skip
    return "\n\n".join([HEAD, *(parts or [NOTHING])]) + "\n"


def stages(found: Mapping[str, Any]) -> str:
    """Write the table of warm predictions."""
    rows = [
        (
            f"{size['side']} px", " / ".join(f"{rows:,}" for rows in size["rows"]),
            *(f"{size['ms'][name]:.0f} ms" for name in ("decode", "network", "search", "whole")),
            f"{size['whole_to_decode_and_network']:.2f}",
        )
        for size in found["sizes"]
    ]  # fmt: skip
    header = ("image", "rows of the taps", "decode", "network", "search", "prediction", "to decode + network")
    return f"## One warm prediction\n\n{_table(header, rows)}"


def folder(found: Mapping[str, Any]) -> str:
    """Write the table of folders."""
    rows = [
        (
            f"{size['side']} px", str(size["images"]),
            *(f"{size['images'] / seconds:.1f} / s" for seconds in size["seconds"].values()), f"{size['ratio']:.2f}",
        )
        for size in found["sizes"]
    ]  # fmt: skip
    header = ("image", "images", "one at a time", "a process for each core", "times faster")
    return f"## A folder\n\n{_table(header, rows)}"


def cold(found: Mapping[str, Any]) -> str:
    """Write the table of whole processes."""
    rows = [
        (f"`{row['process']}`", f"{row['seconds']:.2f} s", f"{row['peak_mib']} MiB", f"{row['ours_to_this_time']:.2f}")
        for row in found["processes"]
    ]
    header = ("process", "wall time", "peak memory", "goodparts' time to this")
    return (
        f"## One prediction as a whole process\n\nMedians of {found['runs']} rounds. {OTHER_TABLE}\n\n"
        f"{_table(header, rows)}"
    )


def coreset(found: Mapping[str, Any]) -> str:
    """Write the table of coresets beside anomalib's."""
    rows = [
        (
            f"{size['rows']:,} x {size['d']}", f"{100 * size['ratio']:g} %",
            *(f"{size['seconds'][side]:.1f} s" for side in ("goodparts", "anomalib")), f"{size['times_faster']:.1f}",
            *(f"{size['covering_radius'][side]:.3f}" for side in ("goodparts", "anomalib")),
        )
        for size in found["sizes"]
    ]  # fmt: skip
    header = ("rows", "kept", "goodparts", "anomalib", "times faster", "covering radius", "anomalib's")
    return f"## Coreset, beside anomalib's `KCenterGreedy`\n\n{_table(header, rows)}"


def fit(found: Mapping[str, Any]) -> str:
    """Write the table of fits beside anomalib's."""
    rows = [
        (name, f"{found['seconds'][name]:.0f} s", f"{found['peak_mib'][name]:.0f} MiB")
        for name in ("goodparts", "anomalib")
    ]
    return (
        f"## Fit of {found['images']} images at 256 px to a tenth of their patches\n\n"
        f"From the start of the process to the saved model, {found['rounds']} of each: {found['times_faster']:.1f} "
        f"times faster in {100 * found['memory_ratio']:.0f} % of the memory.\n\n"
        f"{_table(('', 'wall time', 'peak memory'), rows)}"
    )


def fits(found: Mapping[str, Any]) -> str:
    """Write the table of fits of more and more images."""
    rows = [
        (str(one["images"]), f"{one['seconds']:.0f} s", f"{1000 * one['seconds'] / one['images']:.0f} ms",
         f"{one['peak_mib']} MiB")
        for one in found["fits"]
    ]  # fmt: skip
    return (
        f"## More images\n\nFits at {found['side']} px to at most {found['most_rows']:,} rows for each tap.\n\n"
        f"{_table(('images', 'fit', 'for each image', 'peak memory'), rows)}"
    )


def search(found: Mapping[str, Any]) -> str:
    """Write the table of larger and larger banks."""
    rows = [
        (
            f"{bank['rows']:,}", f"`{bank['kind']}`", f"{1000 * bank['seconds']['this']:.0f} ms",
            f"{bank['ratio']:.1f}",
            f"{bank['building_seconds']:.1f} s", f"{100 * (bank['largest_to_nearest'] - 1):.2f} %",
        )
        for bank in found["banks"]
    ]  # fmt: skip
    header = ("rows", "index", "search", "to the first", "cells made, saved, loaded", "nearest row at most further by")
    return f"## Larger banks\n\n{found['queries']:,} made-up patches of 80 numbers.\n\n{_table(header, rows)}"


SPEED = {"stages": stages, "folder": folder, "cold": cold, "coreset": coreset, "fit": fit}
SCALE = {"fit": fits, "search": search}


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def _measured(found: Mapping[str, Any]) -> str:
    return f"Measured {found['date'][:10]}, {machine_line(found['machine'])}; load before: {found['load_before']:g}."


if __name__ == "__main__":
    print(page(), end="")
