"""The chart of a drift report."""

from __future__ import annotations

import io
from textwrap import wrap
from typing import Any

import numpy as np

from anomaly.capture import CaptureReference
from anomaly.drift.monitor import DriftReport
from anomaly.drift.streams import MEASURE_WORDS, STREAMS, stream_measure
from anomaly.errors import RuntimeUnavailableError
from anomaly.types import Float64Array

_ROWS = ("brightness up", "log_sharpness up", "log_novelty up", STREAMS[-1][1])
_GREY, _BLUE, _ORANGE = "#8a8a8a", "#0072b2", "#d55e00"
_LABEL_WIDTH = 24
"""Letters of a label beside an axis."""
_DECADE = 10.0


def draw_chart(report: DriftReport, reference: CaptureReference, *, title: str = "") -> bytes:
    """Draw the evidence and the values that tell most, picture by picture, above what is ordinary.

    Parameters
    ----------
    report : DriftReport
    reference : CaptureReference
        What the report was made with; its limits are those that ``--predict`` warns by.
    title : str
        Stands at the top, above what was found.

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
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise RuntimeUnavailableError(
            "a chart needs matplotlib, not installed here: pip install 'goodparts[train]', or leave --chart out"
        ) from None
    figure = Figure(figsize=(9, 10.4), layout="constrained")
    axes = figure.subplots(1 + len(_ROWS), 1, sharex=True)
    number = np.arange(1, report.pictures + 1)
    _draw_evidence(axes[0], number, report)
    for axis, name in zip(axes[1:], shown_streams(report), strict=True):
        if name == STREAMS[-1][1]:
            axis.plot(number, 100 * np.cumsum(report.flagged) / number, color=_BLUE, clip_on=False)
            axis.set_ylabel("flagged so far, %")
            axis.set_ylim(0, 100)
            continue
        _draw_values(axis, number, report, reference, name)
    if report.start is not None:
        for axis in axes:
            axis.axvline(report.start + 1, color=_ORANGE, linewidth=1)
    found = f"no change found so far ({report.pictures} pictures)" if report.cause is None else report.cause.words
    # A name may hold what this library takes for mathematics, or letters that its font has not.
    above = title.encode("latin-1", "backslashreplace").decode("latin-1")
    axes[0].set_title(f"{above}\n{found}" if above else found, wrap=True, parse_math=False)
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[-1].set_xlim(0.5, report.pictures + 0.5)
    change = "" if report.start is None else "; upright orange line: where the change began"
    axes[-1].set_xlabel(f"picture (grey: ordinary, as for --predict{change})")
    buffer = io.BytesIO()
    # The signature of what is drawn, as in anomaly.imaging.encode: only that tells the chart from a photograph.
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": "goodparts"})
    return buffer.getvalue()


def shown_streams(report: DriftReport) -> tuple[str, ...]:
    """Return the usual rows, the last but one replaced by the value that gave the change away."""
    given_away = report.stream
    if given_away is None or _label(given_away) in {_label(name) for name in _ROWS}:
        return _ROWS
    return (*_ROWS[:-2], given_away, _ROWS[-1])


def shown_values(report: DriftReport, name: str) -> Float64Array:
    """Return the values of a stream as people know them: neither negated nor as logarithms."""
    return _natural(name, report.values[:, _column(name)])


def ordinary_range(report: DriftReport, reference: CaptureReference, name: str) -> tuple[float, float]:
    """Return between which values of a stream pictures are ordinary; below the upper one where only that is watched.

    Those of a measure are the limits of ``--predict``; a single cell has none, and 99 % of the training pictures count.
    """
    measure = stream_measure(name)
    if measure is None:
        low, high = np.quantile(_natural(name, report.reference[:, _column(name)]), [0.005, 0.995])
        return float(low), float(high)
    low, high = reference.ordinary(measure[0])
    return (low if any(stream == f"{measure[0]} down" for _, stream in STREAMS) else 0.0), high


def _draw_evidence(axis: Any, number: Any, report: DriftReport) -> None:
    axis.semilogy(number, np.maximum(report.evidence, 1e-3), color=_BLUE, marker="." if report.pictures == 1 else None)
    axis.axhline(report.level, color=_ORANGE, linestyle="--")
    axis.annotate(
        f"alarm at {report.level:,.0f}", (0.01, report.level), xycoords=("axes fraction", "data"), xytext=(0, -4),
        textcoords="offset points", va="top", color=_ORANGE,
    )  # fmt: skip
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axis.set_ylim(top=10 * max(report.level, float(np.nanmax(report.evidence, initial=1))))
    axis.set_ylabel("evidence of change")
    if report.alarm is not None and report.alarm + 1 < report.pictures:
        axis.annotate(
            f"nothing is reckoned after the alarm at picture {report.alarm + 1}", (0.99, 0.06),
            xycoords="axes fraction", ha="right", color=_GREY,
        )  # fmt: skip


def _draw_values(axis: Any, number: Any, report: DriftReport, reference: CaptureReference, name: str) -> None:
    values = shown_values(report, name)
    low, high = ordinary_range(report, reference, name)
    axis.plot(number, values, ".", color=_BLUE, markersize=4)
    if _logarithmic(name):
        _make_logarithmic(axis, float(min(values.min(), low or high)), float(max(values.max(), high)))
    else:
        axis.set_ylim(min(values.min(), low) - 0.1 * (high - low), max(values.max(), high) + 0.1 * (high - low))
    axis.axhspan(low or axis.get_ylim()[0], high, color=_GREY, alpha=0.25, linewidth=0)
    axis.set_ylabel(_label(name))


def _make_logarithmic(axis: Any, least: float, most: float) -> None:
    """Scale an axis by logarithms and label it by the values themselves."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    room = (most / least) ** 0.1
    axis.set_yscale("log")
    axis.set_ylim(least / room, most * room)
    wide = most / least > _DECADE
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6) if wide else MaxNLocator(4))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")


def _column(name: str) -> int:
    return [stream for _, stream in STREAMS].index(name)


def _logarithmic(name: str) -> bool:
    measure = stream_measure(name)
    return measure is None or measure[0].startswith("log_")


def _natural(name: str, values: Float64Array) -> Float64Array:
    """Undo the sign of a stream that watches a fall, which holds the value negated, and the logarithm."""
    measure = stream_measure(name)
    signed = values if measure is None else measure[1] * values
    return np.exp(signed) if _logarithmic(name) else signed


def _label(name: str) -> str:
    """Name what an axis shows, whichever direction of it is watched."""
    measure = stream_measure(name)
    words = f"{name}, row and column of 4 x 4" if measure is None else MEASURE_WORDS[measure[0]]
    return "\n".join(wrap(words, _LABEL_WIDTH))
