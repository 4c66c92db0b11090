"""The chart of a drift report."""

from __future__ import annotations

import io

import numpy as np

from anomaly.drift.monitor import DriftReport
from anomaly.drift.streams import STREAMS
from anomaly.errors import RuntimeUnavailableError
from anomaly.types import Float64Array

_ROWS = (
    ("brightness up", "brightness"),
    ("log_sharpness up", "sharpness (log)"),
    ("log_novelty up", "embedding: distance (log)"),
    ("flagged", "flagged"),
)
_GREY, _BLUE, _RED = "#8a8a8a", "#0072b2", "#d55e00"


def draw_chart(report: DriftReport) -> bytes:
    """Draw the evidence and the values that tell most, picture by picture, above what is ordinary.

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    RuntimeUnavailableError
        matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise RuntimeUnavailableError(
            "a chart needs matplotlib, not installed here: pip install 'goodparts[train]', or leave --chart out"
        ) from None
    figure = Figure(figsize=(9, 10), layout="constrained")
    axes = figure.subplots(1 + len(_ROWS), 1, sharex=True)
    number = np.arange(1, report.pictures + 1)
    axes[0].semilogy(number, np.maximum(report.evidence, 1e-3), color=_BLUE)
    axes[0].axhline(report.level, color=_RED, linestyle="--")
    axes[0].set_ylabel("evidence of change")
    names = [name for _, name in STREAMS]
    for axis, (name, words) in zip(axes[1:], _shown(report), strict=True):
        if name == "flagged":
            axis.plot(number, np.cumsum(report.flagged) / number, color=_BLUE)
            axis.set_ylabel("share flagged so far")
            continue
        column = names.index(name)
        low, high = _ordinary(report.reference[:, column])
        axis.axhspan(low, high, color=_GREY, alpha=0.25, linewidth=0)
        axis.plot(number, report.values[:, column], ".", color=_BLUE, markersize=4)
        axis.set_ylabel(words)
    if report.start is not None:
        for axis in axes:
            axis.axvline(report.start + 1, color=_RED, linewidth=1)
    axes[0].set_title("no change" if report.cause is None else report.cause.words, wrap=True)
    axes[-1].set_xlabel("picture (grey: ordinary; red: change)")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _shown(report: DriftReport) -> tuple[tuple[str, str], ...]:
    """Return the usual rows, the last but one replaced by the value that gave the change away."""
    if report.stream is None or report.stream in [STREAMS[-1][1], *(name for name, _ in _ROWS)]:
        return _ROWS
    return (*_ROWS[:-2], (report.stream, report.stream), _ROWS[-1])


def _ordinary(values: Float64Array) -> tuple[float, float]:
    return float(np.quantile(values, 0.005)), float(np.quantile(values, 0.995))
