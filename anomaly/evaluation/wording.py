"""An evaluation as plain text, counts first."""

from __future__ import annotations

from anomaly.evaluation.metrics import Interval, Rate, Undefined
from anomaly.evaluation.reliability import Reliability
from anomaly.evaluation.report import EvaluationReport, PixelReport, SliceReport

MOST_GROUPS = 20
"""Groups that are told one by one."""


def report_lines(report: EvaluationReport) -> list[str]:
    """Return one line for each thing to say.

    Parameters
    ----------
    report : EvaluationReport

    Returns
    -------
    list of str
        Groups without an error are only counted; the JSON report has them all.
    """
    found = _slice_lines(report.overall)
    found.append(_reliability(report.probabilities))
    found.append(_pixels(report.pixels))
    found.append(f"intervals at {100 * report.confidence:g} % confidence")
    for part in report.by_part_type:
        own = report.part_type_thresholds.get(part.name)
        threshold = "" if own is None else f", threshold {own:.6g}"
        found.append(f"part type {part.name}: {_short(part)}, image AUROC {_text(part.auroc)}{threshold}")
    found += [f"damage {part.name}: {_missed(part)}" for part in report.by_defect]
    found += _groups(report.by_group)
    return [*found, *(f"not scored: {image.name}: {image.error}" for image in report.failed)]


def _slice_lines(part: SliceReport) -> list[str]:
    decided = "accuracy" if part.reinspected is None else "accuracy of the decided images"
    found = [
        _short(part),
        f"miss rate {_text(part.miss_rate)}",
        f"false-alarm rate {_text(part.false_alarm_rate)}",
        f"{decided} {_text(part.accuracy)}",
    ]
    if part.reinspected is not None:
        found.append(f"to be reinspected {_text(part.reinspected)}")
    return [
        *found,
        f"image AUROC {_text(part.auroc)}",
        f"average precision {_area(part.average_precision, part.average_precision_interval)}",
    ]


def _short(part: SliceReport) -> str:
    if isinstance(part.miss_rate, Undefined) and isinstance(part.false_alarm_rate, Undefined):
        counted = f"{part.n_damaged} damaged, {part.n_undamaged} undamaged; rates undefined: "
        return counted + part.miss_rate.reason
    missed = part.miss_rate.count if isinstance(part.miss_rate, Rate) else 0
    flagged = part.false_alarm_rate.count if isinstance(part.false_alarm_rate, Rate) else 0
    damaged = f"{missed} of {part.n_damaged} damaged missed" if part.n_damaged else "no damaged image"
    undamaged = f"{flagged} of {part.n_undamaged} undamaged flagged" if part.n_undamaged else "no undamaged image"
    looked = f", {part.reinspected.count} to be reinspected" if isinstance(part.reinspected, Rate) else ""
    return f"{damaged}, {undamaged}{looked}"


def _missed(part: SliceReport) -> str:
    """Say no more than what concerns the damaged images."""
    return _short(part).split(",")[0] if isinstance(part.miss_rate, Rate) else _short(part)


def _groups(groups: tuple[SliceReport, ...]) -> list[str]:
    """Tell the groups with errors, those with the most first."""
    if not groups:
        return []
    wrong = sorted((part for part in groups if _errors(part)), key=_errors, reverse=True)
    found = [f"groups: {len(wrong)} of {len(groups)} with an error"]
    found += [f"group {part.name}: {_short(part)}" for part in wrong[:MOST_GROUPS]]
    if len(wrong) > MOST_GROUPS:
        found.append(f"{len(wrong) - MOST_GROUPS} more groups with an error; --json has them all")
    return found


def _errors(part: SliceReport) -> int:
    return sum(rate.count for rate in (part.miss_rate, part.false_alarm_rate) if isinstance(rate, Rate))


def _reliability(found: Reliability | Undefined) -> str:
    if isinstance(found, Undefined):
        return f"probabilities undefined: {found.reason}"
    without = ""
    if found.part_types_without:
        names = ", ".join(found.part_types_without)
        without = f"; without {names}: no damaged image of that type was labelled when the detector was calibrated"
    return (
        f"probabilities: expected calibration error {_area(found.error, found.error_interval)}, "
        f"{100 * found.error_if_perfect:.1f} % would be chance; Brier score {found.brier:.3f}{without}"
    )


def _pixels(found: PixelReport | Undefined) -> str:
    if isinstance(found, Undefined):
        return f"pixel metrics undefined: {found.reason}"
    auroc, aupro = _area(found.auroc, found.auroc_interval), _area(found.aupro, found.aupro_interval)
    return f"pixel AUROC {auroc}, AUPRO {aupro} ({found.n_masks} masks)"


def _text(found: Rate | Interval | Undefined) -> str:
    if isinstance(found, Undefined):
        return f"undefined: {found.reason}"
    return f"{100 * found.value:.1f} % ({100 * found.low:.1f}-{100 * found.high:.1f} %)"


def _area(found: float | Undefined, interval: Interval | Undefined) -> str:
    if isinstance(found, Undefined):
        return f"undefined: {found.reason}"
    if isinstance(interval, Undefined):
        return f"{100 * found:.1f} % (no interval: {interval.reason})"
    return _text(interval)
