"""The speed and scale results as pictures: time and peak memory against images, pixels and rows, as small SVG files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._results import read_results
from benchmarks.tables import RESULTS


@dataclass(frozen=True)
class Plot:
    """One picture: panels of figures against one size, which is drawn on a logarithmic axis.

    Attributes
    ----------
    part : str
        Part of the page that it belongs to.
    size : str
        What grows.
    x : tuple of float
    panels : mapping of str to mapping of str to tuple of float
        Label of the vertical axis -> name of a line -> its figures.
    """

    part: str
    size: str
    x: tuple[float, ...]
    panels: Mapping[str, Mapping[str, tuple[float, ...]]]

    @property
    def name(self) -> str:
        """File name in docs/images."""
        return f"performance-{self.part}.svg"

    @property
    def alt(self) -> str:
        """What stands in the place of the picture."""
        return f"{' and '.join(self.panels)} against {self.size}"


def plots(results: Path = RESULTS) -> dict[str, Plot]:
    """Return the plots whose figures have been measured at two sizes or more, by the part of the page.

    Raises
    ------
    OutputError
        One of the files is no result file.
    """
    speed, scale = (read_results(results / name) for name in ("speed.json", "scale.json"))
    found = [
        *([_pixels(speed["stages"]["sizes"])] if "stages" in speed else []),
        *([_images(scale["fit"]["fits"])] if "fit" in scale else []),
        *([_rows(scale["search"]["banks"])] if "search" in scale else []),
    ]
    return {plot.part: plot for plot in found if len(plot.x) > 1}


def draw(plot: Plot) -> bytes:
    """Draw an SVG; the same plot gives the same bytes with the same matplotlib."""
    import matplotlib
    from matplotlib.figure import Figure

    settings = {"svg.fonttype": "none", "svg.hashsalt": plot.part, "font.size": 9, "axes.grid": True}
    with matplotlib.rc_context({**settings, "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(3.6 * len(plot.panels), 2.6), layout="constrained")
        for axes, (label, lines) in zip(
            figure.subplots(1, len(plot.panels), squeeze=False)[0], plot.panels.items(), strict=True
        ):
            for name, values in lines.items():
                axes.plot(plot.x, values, marker="o", markersize=4, linewidth=1.2, label=name)
            largest, least = (limit(v for values in lines.values() for v in values) for limit in (max, min))
            axes.set(xscale="log", xlabel=plot.size, ylabel=label)
            axes.minorticks_off()
            axes.set_xticks(plot.x, [f"{size:,.0f}" for size in plot.x])
            if largest > 30 * least:
                axes.set_yscale("log")
                axes.minorticks_off()
            else:
                axes.set_ylim(0, 1.1 * largest)
            if len(lines) > 1:
                axes.legend(frameon=False, fontsize=8)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _pixels(sizes: Sequence[Mapping[str, Any]]) -> Plot:
    lines = {
        name: tuple(size["ms"][key] / 1000 for size in sizes)
        for name, key in (("prediction", "whole"), ("network", "network"), ("search", "search"))
    }
    return Plot("stages", "pixels", tuple(float(size["side"] ** 2) for size in sizes), {"seconds": lines})


def _images(fits: Sequence[Mapping[str, Any]]) -> Plot:
    columns = {"seconds of a fit": "seconds", "peak memory in MiB": "peak_mib"}
    panels = {label: {"fit": tuple(float(one[key]) for one in fits)} for label, key in columns.items()}
    return Plot("fit", "images", tuple(float(one["images"]) for one in fits), panels)


def _rows(banks: Sequence[Mapping[str, Any]]) -> Plot:
    lines = {
        "search": tuple(bank["seconds"]["this"] for bank in banks),
        "making the cells": tuple(bank["building_seconds"] for bank in banks),
    }
    panels = {"seconds": lines}
    if all("peak_mib" in bank for bank in banks):
        panels["peak memory in MiB"] = {"search": tuple(float(bank["peak_mib"]) for bank in banks)}
    return Plot("search", "rows of the bank", tuple(float(bank["rows"]) for bank in banks), panels)
