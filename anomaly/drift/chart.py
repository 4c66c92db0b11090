"""The chart of a drift report."""

from __future__ import annotations

import io
from textwrap import wrap

import numpy as np

from anomaly.drift.monitor import DriftReport
from anomaly.drift.streams import MEASURE_WORDS, STREAMS, stream_measure
from anomaly.errors import RuntimeUnavailableError
from anomaly.types import Float64Array

_ROWS = ("brightness up", "log_sharpness up", "log_novelty up", STREAMS[-1][1])
_GREY, _BLUE, _RED = "#8a8a8a", "#0072b2", "#d55e00"
_LABEL_WIDTH = 24
"""Letters of a label beside an axis."""


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
    for axis, name in zip(axes[1:], shown_streams(report), strict=True):
        if name == STREAMS[-1][1]:
            axis.plot(number, np.cumsum(report.flagged) / number, color=_BLUE)
            axis.set_ylabel("share flagged so far")
            continue
        column, sign = names.index(name), _sign(name)
        low, high = _ordinary(sign * report.reference[:, column])
        axis.axhspan(low, high, color=_GREY, alpha=0.25, linewidth=0)
        axis.plot(number, sign * report.values[:, column], ".", color=_BLUE, markersize=4)
        axis.set_ylabel(_label(name))
    if report.start is not None:
        for axis in axes:
            axis.axvline(report.start + 1, color=_RED, linewidth=1)
    axes[0].set_title("no change" if report.cause is None else report.cause.words, wrap=True)
    axes[-1].set_xlabel("picture (grey: ordinary; red: change)")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def shown_streams(report: DriftReport) -> tuple[str, ...]:
    """Return the usual rows, the last but one replaced by the value that gave the change away."""
    given_away = report.stream
    if given_away is None or _label(given_away) in {_label(name) for name in _ROWS}:
        return _ROWS
    return (*_ROWS[:-2], given_away, _ROWS[-1])


def _sign(name: str) -> int:
    """Return -1 for a stream that watches a fall: it holds the value negated, and the value itself is shown."""
    measure = stream_measure(name)
    return 1 if measure is None else measure[1]


def _label(name: str) -> str:
    """Name what an axis shows, whichever direction of it is watched."""
    measure = stream_measure(name)
    if measure is None:
        return "\n".join(wrap(f"{name} (log), row and column of 4 x 4", _LABEL_WIDTH))
    log = " (log)" if measure[0].startswith("log_") else ""
    return "\n".join(wrap(f"{MEASURE_WORDS[measure[0]]}{log}", _LABEL_WIDTH))


def _ordinary(values: Float64Array) -> tuple[float, float]:
    return float(np.quantile(values, 0.005)), float(np.quantile(values, 0.995))
