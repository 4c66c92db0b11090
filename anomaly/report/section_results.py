"""Section 4: how this model does on photographs that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anomaly.calibration import Calibration
from anomaly.commands import data_option
from anomaly.dataset.wording import counted
from anomaly.evaluation import EvaluationReport, Rate, SliceReport, Undefined
from anomaly.imaging.numbers import score_text
from anomaly.report.document import Block, Figure, Missing, Paragraph, Part, Pictures, Section, Table, literal
from anomaly.report.evidence import Evidence
from anomaly.report.facts import kinds, marked, missed
from anomaly.report.operating_points import OperatingPoint, operating_points
from anomaly.report.plots import plot_kinds, plot_scores, plot_trade
from anomaly.report.results import ExaminedImage, Example, TestResults
from anomaly.report.wording import count_of, day, kind, listing, percent, span, were
from anomaly.types import DAMAGED, UNDAMAGED

TITLE = "4  How well this model does on parts it has never seen"
SESSIONS = 12
"""Sessions in the table."""


def results_section(evidence: Evidence, examples: Mapping[str, bytes]) -> Part:
    """Build the section.

    Parameters
    ----------
    evidence : Evidence
    examples : mapping of str to bytes
        The recorded pictures by file name.
    """
    results, test = evidence.results, evidence.test
    if results is None or test is None:
        return Part(Section(TITLE, (*_nothing(evidence), *_points(_operating_points(evidence), {}))))
    blocks: list[Block] = [
        Paragraph(_introduction(results, test, left_out(evidence))),
        _table(test),
        *_marks(evidence, results),
        *_sessions(test),
    ]
    pictures: dict[str, bytes] = {}
    if evidence.calibration is not None:
        pictures["scores.svg"] = plot_scores(results.images, _limits(evidence.calibration))
        blocks.append(
            Figure(
                "scores.svg", "Scores of all test photographs. A good model keeps the rows on either side of the line."
            )
        )
    groups = kinds([image for image in results.images if image.label == DAMAGED and image.verdict is not None])
    if len(groups) > 1:
        counts = {name: (sum(map(missed, images)), len(images)) for name, images in groups.items()}
        pictures["kinds.svg"] = plot_kinds(counts)
        blocks.append(
            Figure(
                "kinds.svg",
                "Damaged test batches by kind of damage; a batch with several kinds counts under each.",
                0.86,
            )
        )
    if results.examples:
        shown = [example for example in results.examples if example.file in examples]
        pictures |= {example.file: examples[example.file] for example in shown}
        blocks.append(_gallery(shown, results.images))
    points = _operating_points(evidence)
    trade = _trade(points, results, test)
    pictures |= trade
    blocks += _points(points, trade)
    return Part(Section(TITLE, tuple(blocks)), pictures)


def not_judged(evidence: Evidence) -> str:
    """Say why no photograph of the test split was judged, where training recorded such a split."""
    results = evidence.results
    if results is None:
        return "the photographs of the test split were not found"
    absent, failed = evidence.absent, len(results.failed)
    reasons = [f"{absent} {were(absent)} not found in `{literal(results.data)}`"] if absent else []
    reasons += [f"{failed} could not be read"] if failed else []
    planned = counted(len(evidence.planned), "photograph")
    return f"none of the {planned} of the test split was judged ({', '.join(reasons)})"


def left_out(evidence: Evidence, *, folder: str = "the folder") -> str:
    """Say of which photographs of the test split the figures know nothing; empty: there are none.

    Parameters
    ----------
    evidence : Evidence
    folder : str
        What to call the folder that was looked in.
    """
    if evidence.results is None:
        return ""
    absent, failed = evidence.absent, len(evidence.results.failed)
    saw = f"as training saw {'it' if absent == 1 else 'them'}"
    gaps = ((absent, f"{were(absent)} not found in {folder} {saw}"), (failed, "could not be read"))
    told = [f"{counted(n, 'photograph')} of the test split {why}" for n, why in gaps if n]
    return f"{' and '.join(told)}: the figures are without" if told else ""


def _nothing(evidence: Evidence) -> list[Block]:
    if evidence.planned and evidence.results is not None:
        return [
            Missing(
                f"There is no figure for parts that the model has not seen: {not_judged(evidence)}.",
                f"python model.py --report --data DIR{evidence.report_options()}",
            )
        ]
    if evidence.planned:
        return [
            Missing(
                "The test photographs have not been judged for this report, because their folder "
                f"{literal(evidence.provenance.data) or ''} was not found.",
                f"python model.py --report --data DIR{evidence.report_options()}",
            )
        ]
    return [
        Missing(
            "No photograph is in the test split, so there is no figure for parts that the model has not seen.",
            f"python model.py --evaluate --data labelled/{evidence.option()}",
        )
    ]


def _limits(calibration: Calibration) -> list[tuple[str, float]]:
    """Return the thresholds by which photographs are judged, named."""
    limits = [("threshold", calibration.threshold)]
    if calibration.reinspect_above is not None:
        limits.append(("to be looked at", calibration.reinspect_above))
    return limits + [(name, own.threshold) for name, own in sorted(calibration.by_part_type.items())]


def _introduction(results: TestResults, test: EvaluationReport, gap: str) -> str:
    overall = test.overall
    without = f" {gap}." if gap else ""
    ranking = (
        f" Shown a damaged and an undamaged batch at random, it gives the damaged one the higher score in "
        f"{span(overall.auroc)} of the cases; 50 % would be chance."
        if not isinstance(overall.auroc, Undefined)
        else ""
    )
    return (
        f"{overall.n_damaged} damaged and {overall.n_undamaged} undamaged photographs were judged on "
        f"{day(results.created)}.{without} In brackets stands the range that the true rate lies in with 95 % "
        f"confidence.{ranking}{_where(results)}"
    )


def _where(results: TestResults) -> str:
    found = results.pixels.get("auroc")
    if not isinstance(found, float):
        return ""
    return (
        f" Of a damaged and an undamaged pixel, the map gives the damaged one the higher value in {percent(found)} of "
        "the cases."
    )


def _table(test: EvaluationReport) -> Table:
    rows = [("all", *_cells(test.overall))]
    rows += [(literal(part.name), *_cells(part)) for part in test.by_part_type]
    return Table(
        "Errors on the test photographs.",
        ("part type", "damaged missed", "miss rate", "undamaged flagged", "false-alarm rate"),
        tuple(rows),
    )


def where_marked(images: Sequence[ExaminedImage]) -> str:
    """Say how many of the damaged photographs that were found are marked where their damage is; empty: not known."""
    met, n = marked(images)
    if not n:
        return ""
    found = sum(image.label == DAMAGED and image.verdict == DAMAGED for image in images)
    with_mask = "" if n == found else f", {n} of them with a mask"
    return (
        f"Of {counted(found, 'damaged photograph')} that {were(found)} found{with_mask}, in {met} the place that the "
        "program marks meets the damage."
    )


def _marks(evidence: Evidence, results: TestResults) -> list[Block]:
    """Say whether what was found was found where the damage is."""
    said = where_marked(results.images)
    if said:
        return [
            Paragraph(
                f"**Found for the right reason?** {said} The place is the map above the threshold; it meets the "
                "damage where the two have a pixel in common. A photograph that is marked elsewhere counts as found in "
                "the table, because its batch goes to a person, but the person is shown the wrong place."
            )
        ]
    if any(image.verdict == DAMAGED and image.damaged_px for image in results.images):
        return [
            Missing(
                "Whether the places that it marks meet the damage was not recorded when the test photographs were "
                "judged.",
                f"python model.py --report{data_option(results.data, always=True)}{evidence.report_options()}",
            )
        ]
    return []


def _sessions(test: EvaluationReport) -> list[Block]:
    """Return the errors session by session, those with the most first; nothing for fewer than two."""
    if len(test.by_group) < 2 or isinstance(test.overall.miss_rate, Undefined) or test.threshold is None:
        return []
    ordered = sorted(test.by_group, key=lambda part: (-_errors(part), -part.n_damaged - part.n_undamaged, part.name))
    shown = ordered[:SESSIONS]
    wrong = sum(_errors(part) > 0 for part in test.by_group)
    more = f"; {len(ordered) - len(shown)} more are not shown" if len(ordered) > len(shown) else ""
    return [
        Table(
            f"Errors by session, most errors first: {wrong} of {len(ordered)} sessions with an error{more}.",
            ("session", "damaged missed", "undamaged flagged"),
            tuple((literal(part.name), _of(part.miss_rate), _of(part.false_alarm_rate)) for part in shown),
        )
    ]


def _errors(part: SliceReport) -> int:
    return sum(rate.count for rate in (part.miss_rate, part.false_alarm_rate) if isinstance(rate, Rate))


def _of(rate: Rate | Undefined) -> str:
    return count_of(rate) if isinstance(rate, Rate) else "none tested"


def _cells(part: SliceReport) -> tuple[str, ...]:
    def pair(rate: Rate | Undefined) -> tuple[str, str]:
        return ("unknown", rate.reason) if isinstance(rate, Undefined) else (count_of(rate), span(rate))

    return (*pair(part.miss_rate), *pair(part.false_alarm_rate))


def _gallery(examples: list[Example], images: Sequence[ExaminedImage]) -> Pictures:
    met = {image.name: image.met for image in images}
    return Pictures(
        tuple((example.file, _caption(example, met.get(example.name))) for example in examples),
        f"Verdicts chosen by rule: {_kinds_of(examples)}. Left the photograph, true damage outlined in blue where a "
        "mask exists; right what looks strange to the program, outlined where it exceeds the threshold.",
        2,
    )


def _kinds_of(examples: Sequence[Example]) -> str:
    """Name the kinds of verdicts that are shown, and by which rule, as :func:`choose_examples` takes them."""
    kinds_of = (
        (DAMAGED, DAMAGED, "found", " (the middle score, and the one nearest to being missed)"),
        (UNDAMAGED, UNDAMAGED, "passed", ""),
        (DAMAGED, UNDAMAGED, "missed", " (the middle and the lowest score)"),
        (UNDAMAGED, DAMAGED, "the worst false alarm", ""),
    )
    told = []
    for label, verdict, name, which in kinds_of:
        shown = sum((example.label, example.verdict) == (label, verdict) for example in examples)
        if shown:
            told.append(name + (which if shown > 1 else ""))
    return listing(told)


def _caption(example: Example, met: bool | None) -> str:
    right = {True: "right", False: "**wrong**"}[example.verdict == example.label]
    damage = f" ({literal(kind(example.defect))})" if example.defect else ""
    place = {None: "", True: ", and marked there", False: ", **but marked elsewhere**"}[met]
    return (
        f"{right}: {example.label}{damage}, called {example.verdict or 'nothing'}{place}; "
        f"score {score_text(example.score)}; `{literal(example.name)}`"
    )


def _points(points: Sequence[OperatingPoint], trade: Mapping[str, bytes]) -> list[Block]:
    if len(points) < 2:
        return []
    blocks: list[Block] = [
        Paragraph(
            "**Operating points to choose from.** The threshold can be moved at any time without training; "
            "each row was chosen on the validation photographs and counted on the test photographs. Choose a row by "
            "its aim, by what a miss and a false alarm cost: whoever chooses by the counts chooses on the test "
            "photographs, and the counts of that row are then too good."
        ),
        Table(
            "Operating points: `python model.py --recalibrate` with the options of a row.",
            ("aim", "options", "damaged missed", "undamaged flagged"),
            tuple(_row(point) for point in points),
            False,
            (3, 2.7, 1.7, 1.7),
        ),
    ]
    if trade:
        blocks.append(
            Figure(
                "trade.svg",
                f"What each threshold costs on the test photographs{_bought(points)}.",
                0.62,
            )
        )
    return blocks


def _bought(points: Sequence[OperatingPoint]) -> str:
    """Say that misses are bought with false alarms where two of the points show it."""
    counts = [(point.test.misses, point.test.false_alarms) for point in points if point.test]
    shows = any(a[0] < b[0] and a[1] > b[1] for a in counts for b in counts)
    return ": fewer misses are bought with more false alarms" if shows else ""


def _operating_points(evidence: Evidence) -> tuple[OperatingPoint, ...]:
    return operating_points(
        evidence.calibration,
        evidence.validation,
        evidence.results.images if evidence.results else (),
        left_out_scores=evidence.left_out_scores,
    )


def _row(point: OperatingPoint) -> tuple[str, str, str, str]:
    options = f"`{point.options}`" if point.options else "in use"
    if point.calibration is None:
        return (point.name, options, "not possible", point.refusal)
    found = point.test
    if found is None:
        stated = point.calibration
        return (
            point.name,
            options,
            f"validation: {stated.misses} of {stated.n_damaged}",
            f"validation: {stated.false_alarms} of {stated.n_undamaged}",
        )
    return (
        point.name,
        options,
        f"{found.misses} of {found.n_damaged}" if found.n_damaged else "unknown",
        f"{found.false_alarms} of {found.n_undamaged}" if found.n_undamaged else "unknown",
    )


def _trade(points: Sequence[OperatingPoint], results: TestResults, test: EvaluationReport) -> dict[str, bytes]:
    if not (test.overall.n_damaged and test.overall.n_undamaged):
        return {}
    shown = [(point.name, point.test.misses, point.test.false_alarms) for point in points if point.test]
    return {"trade.svg": plot_trade(results.images, shown)} if shown else {}
