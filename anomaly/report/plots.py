"""Plots as SVG: letters are outlines, so they look the same everywhere, and equal figures give equal bytes."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ParamSpec

import numpy as np

from anomaly.errors import RuntimeUnavailableError
from anomaly.experiment import CurvePoint, Experiment
from anomaly.report.results import CaptureRow, ExaminedImage
from anomaly.report.wording import SETTINGS, kind
from anomaly.types import DAMAGED, UNDAMAGED, Float64Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")

# Okabe and Ito (https://jfly.uni-koeln.de/color/).
BLUE, RED, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#8a8a8a"
_COLOURS = (RED, BLUE, GREEN, "#cc79a7", "black")
_STYLE = {
    "svg.hashsalt": "goodparts",
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#555555",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.frameon": False,
}


def styled(draw: Callable[P, bytes]) -> Callable[P, bytes]:
    """Draw in the style of the report; matplotlib reads it while it draws and while it writes.

    Raises
    ------
    RuntimeUnavailableError
        When drawing: matplotlib is not installed.
    """

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> bytes:
        try:
            import matplotlib as mpl
        except ImportError:
            raise RuntimeUnavailableError(
                "a report needs matplotlib, not installed here: pip install 'goodparts[train]'"
            ) from None
        with mpl.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return drawn


@styled
def plot_scores(images: Sequence[ExaminedImage], thresholds: Sequence[tuple[str, float]]) -> bytes:
    """Draw every test photograph as a dot at its score, by truth; wrong verdicts in red.

    Returns
    -------
    bytes
        SVG.

    Raises
    ------
    RuntimeUnavailableError
        matplotlib is not installed.
    """
    figure = _figure(6.6, 1.75)
    axis = figure.subplots()
    for row, label in enumerate((UNDAMAGED, DAMAGED)):
        chosen = [image for image in images if image.label == label]
        wrong = np.array([image.verdict not in (label, None) for image in chosen], dtype=bool)
        scores = np.array([image.score for image in chosen])
        heights = row + _jitter(len(chosen))
        axis.plot(scores[~wrong], heights[~wrong], "o", markersize=3, color=BLUE, alpha=0.75, markeredgewidth=0)
        axis.plot(scores[wrong], heights[wrong], "X", markersize=4, color=RED, alpha=0.85, markeredgewidth=0)
    for number, (name, threshold) in enumerate(thresholds):
        axis.axvline(threshold, color="black", linewidth=1)
        axis.annotate(
            f"{name} {threshold:.4g}",
            (threshold, 1.55 + 0.3 * number),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},  # lines of other thresholds end behind it
        )
    axis.set_ylim(-0.5, 1.45 + 0.3 * len(thresholds))
    axis.set_yticks([0, 1], ["undamaged", "damaged"])
    axis.set_xlabel("score (larger: stranger);  dots: judged rightly, crosses: wrongly")
    return _svg(figure)


@styled
def plot_kinds(counts: Mapping[str, tuple[int, int]]) -> bytes:
    """Draw found and missed damaged photographs by kind of damage; ``counts`` has (missed, all)."""
    from matplotlib.ticker import MaxNLocator

    names = sorted(counts, key=lambda name: (counts[name][0] / counts[name][1], name))
    figure = _figure(6.6, 0.8 + 0.2 * len(names))
    axis = figure.subplots()
    missed = np.array([counts[name][0] for name in names])
    total = np.array([counts[name][1] for name in names])
    axis.barh(range(len(names)), total - missed, color=BLUE, height=0.7, label="found")
    axis.barh(range(len(names)), missed, left=total - missed, color=RED, height=0.7, label="missed")
    axis.set_yticks(range(len(names)), [kind(name) for name in names])
    for row, (lost, n) in enumerate(zip(missed, total, strict=True)):
        axis.annotate(f"{lost} of {n} missed", (n, row), xytext=(4, 0), textcoords="offset points", va="center")
    axis.set_xlim(0, float(total.max()) * 1.3)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("damaged test batches")
    figure.legend(loc="outside upper right", ncols=2, fontsize=8)
    return _svg(figure)


@styled
def plot_trade(images: Sequence[ExaminedImage], points: Sequence[tuple[str, int, int]]) -> bytes:
    """Draw misses against false alarms for every threshold, and the operating points (name, misses, alarms)."""
    good = np.sort([image.score for image in images if image.label == UNDAMAGED])
    bad = np.sort([image.score for image in images if image.label == DAMAGED])
    cuts = np.concatenate([[-np.inf], np.unique(np.concatenate([good, bad]))])
    alarms = good.size - np.searchsorted(good, cuts, side="right")
    misses = np.searchsorted(bad, cuts, side="right")
    figure = _figure(4.2, 2.5)
    axis = figure.subplots()
    axis.step(alarms, misses, where="post", color=GREY, linewidth=1.2)
    for number, (name, lost, flagged) in enumerate(points):
        axis.plot(
            [flagged],
            [lost],
            "o",
            markerfacecolor="none",
            markeredgewidth=1.6,
            markersize=4 + 2.5 * number,
            color=_COLOURS[number % len(_COLOURS)],
            label=name,
        )
    axis.set_xlabel(f"undamaged batches flagged (of {good.size})")
    axis.set_ylabel(f"damaged missed (of {bad.size})")
    axis.legend(fontsize=7.5)
    return _svg(figure)


@styled
def plot_trials(experiment: Experiment) -> bytes:
    """Draw every trial: its seconds and its AUROC with the interval; the chosen one circled."""
    figure = _figure(6.6, 2.2)
    axis = figure.subplots()
    for row in experiment.trials:
        chosen = row.number == experiment.chosen
        axis.plot([row.seconds] * 2, [100 * row.low, 100 * row.high], color=RED if chosen else GREY, linewidth=0.6,
                  alpha=1.0 if chosen else 0.4)  # fmt: skip
        axis.plot([row.seconds], [100 * row.auroc], "o", color=RED if chosen else BLUE, markersize=3)
        if chosen:
            axis.plot([row.seconds], [100 * row.auroc], "o", color=RED, markersize=9, markerfacecolor="none")
    axis.set_xlabel("seconds for the trial, with its share of the features")
    axis.set_ylabel("ranking (AUROC, %)")
    axis.set_xlim(left=0)
    return _svg(figure)


@styled
def plot_importance(importance: Mapping[str, float]) -> bytes:
    """Draw the share that each setting explains."""
    names = list(importance)[::-1]
    figure = _figure(4.8, 0.5 + 0.2 * len(names))
    axis = figure.subplots()
    axis.barh(range(len(names)), [100 * importance[name] for name in names], color=BLUE, height=0.65)
    axis.set_yticks(range(len(names)), [SETTINGS.get(name, name) for name in names])
    axis.set_xlabel("% of the variance of the loss")
    return _svg(figure)


@styled
def plot_curves(memory: Sequence[CurvePoint], labels: Sequence[CurvePoint]) -> bytes:
    """Draw both learning curves with their intervals."""
    figure = _figure(6.6, 2.2)
    shown = (
        (memory, "undamaged photographs in the memory", "ranking (AUROC, %)"),
        (labels, "damaged photographs for the threshold", "judged rightly (%)"),
    )
    for axis, (points, across, up) in zip(figure.subplots(1, 2), shown, strict=True):
        n = [point.n for point in points]
        axis.fill_between(
            n, [100 * point.low for point in points], [100 * point.high for point in points], color=BLUE, alpha=0.18,
            linewidth=0,
        )  # fmt: skip
        axis.plot(n, [100 * point.value for point in points], "o-", color=BLUE, markersize=3.5)
        axis.set_xlabel(across)
        axis.set_ylabel(up)
        axis.set_xlim(left=0)
        if not points:
            axis.text(0.5, 0.5, "too few photographs", transform=axis.transAxes, ha="center", color=GREY)
    return _svg(figure)


@styled
def plot_sessions(rows: Sequence[CaptureRow]) -> bytes:
    """Draw brightness and sharpness of the undamaged photographs of each session, part type by part type."""
    undamaged = [row for row in rows if row.label == UNDAMAGED]
    sessions = sorted({(row.part_type, row.group) for row in undamaged if row.group})
    part_types = sorted({part_type for part_type, _ in sessions})
    figure = _figure(6.6, 2.0)
    for axis, measure in zip(figure.subplots(1, 2), ("brightness", "sharpness"), strict=True):
        for place, session in enumerate(sessions):
            values = [getattr(row, measure) for row in undamaged if (row.part_type, row.group) == session]
            colour = _COLOURS[1 + part_types.index(session[0]) % (len(_COLOURS) - 1)]
            low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
            axis.plot([place, place], [low, high], color=colour, linewidth=1.2)
            axis.plot([place], [middle], "o", color=colour, markersize=3.5)
        for number, part_type in enumerate(part_types):
            axis.plot([], [], "o-", markersize=3.5, color=_COLOURS[1 + number % (len(_COLOURS) - 1)], label=part_type)
        axis.set_xticks([])
        axis.set_xlabel(f"{len(sessions)} sessions (dot: median; line: 8 of 10 photographs)", fontsize=7.5)
        axis.set_ylabel(measure)
        axis.set_ylim(0, 1.08 * axis.get_ylim()[1])
    if any(part_types):
        figure.legend(*axis.get_legend_handles_labels(), loc="outside upper right", ncols=4, fontsize=8)
    return _svg(figure)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _jitter(n: int) -> Float64Array:
    """Heights in [-0.3, 0.3] that keep neighbours apart, the same every time."""
    golden = (5**0.5 - 1) / 2
    return np.asarray(0.6 * ((np.arange(n) * golden) % 1.0 - 0.5), dtype=np.float64)
