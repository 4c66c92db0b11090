"""The first page: for the reader in a hurry."""

from __future__ import annotations

from collections.abc import Sequence

from anomaly.dataset.wording import counted
from anomaly.evaluation import Rate, Undefined
from anomaly.report.advice import Advice
from anomaly.report.document import Block, Bullets, Cards, Missing, Paragraph, Part, Section, literal
from anomaly.report.evidence import Evidence
from anomaly.report.section_results import left_out, not_judged, where_marked
from anomaly.report.wording import count_of, day, listing, percent, plural, span, were, whole
from anomaly.types import DAMAGED, REINSPECT

GOOD_MISSES = 0.05
"""Upper end of the range of the miss rate up to which the program may decide alone about batches that pass."""
USEFUL_MISSES = 0.25
"""Upper end of the range up to which it is of use beside people; with the lower end above it, it is not."""
MANY_ALARMS = 0.2
"""False-alarm rate from which it is mentioned."""
_ACTIONS = 4


def summarise(evidence: Evidence, advice: Sequence[Advice]) -> Part:
    """Say what it does, how often it errs and what to do next.

    Parameters
    ----------
    evidence : Evidence
    advice : sequence of Advice
        Of all sections.
    """
    blocks: list[Block] = [Paragraph(_purpose(evidence)), *_errors(evidence)]
    actions = list(dict.fromkeys(item.headline for item in sorted(advice, key=lambda a: a.priority) if item.headline))
    if actions:
        blocks.append(Paragraph("**What to do next**, most urgent first; sections 5 to 7 give the reasons:"))
        blocks.append(Bullets(tuple(f"{action[0].upper()}{action[1:]}." for action in actions[:_ACTIONS])))
    return Part(Section("Summary", tuple(blocks)))


def readiness(misses: Rate | None, false_alarms: Rate | None) -> tuple[str, str]:
    """Judge what the program is fit for, by its errors on photographs that it had never seen.

    Parameters
    ----------
    misses, false_alarms : Rate or None
        Of the damaged and the undamaged test photographs; None: there were none.

    Returns
    -------
    tone : {"good", "plain", "bad"}
    sentence : str
    """
    if misses is None:
        return "plain", "**What it is fit for is not known**, because no damaged test batch was judged."
    if misses.high <= GOOD_MISSES:
        tone, fit = "good", "**Fit to pass batches without a second look**, as long as the checks of section 6 are kept"
    elif misses.high <= USEFUL_MISSES:
        tone = "plain"
        fit = (
            "**Fit as a second pair of eyes, not as the only one**: what it flags deserves a look, and what it passes "
            "still needs today's inspection"
        )
    elif misses.low <= USEFUL_MISSES:
        return "plain", (
            f"**Too few damaged batches were tested to say what it is fit for**: with {count_of(misses)} missed, "
            f"anything from {whole(misses.low)} to {whole(misses.high)} is possible. Until more are tested, people "
            "inspect as before."
        )
    else:
        tone, fit = "bad", "**Not fit to replace inspection by people**: too many damaged batches would pass"
    alarms = ""
    if false_alarms is not None and false_alarms.value > MANY_ALARMS:
        alarms = f", and {percent(false_alarms.value)} of the good batches would be sent to a person in vain"
    return tone, f"{fit}{alarms}."


def _purpose(evidence: Evidence) -> str:
    parts = sorted({entry.part_type for entry in evidence.provenance.splits} - {""})
    shown = f" of {literal(listing(parts))}" if parts else ""
    return (
        "The program looks at a photograph of a batch and says whether anything in it is damaged; a damaged batch goes "
        "to a person. (In this report a batch is what one photograph shows: one part or several. One damaged "
        "part makes "
        f"the batch damaged.) It has learnt how undamaged parts look from {counted(evidence.bank_images, 'photograph')}"
        f"{shown}, trained {day(evidence.provenance.created)}, and points out what differs."
    )


def _errors(evidence: Evidence) -> list[Block]:
    test, calibration = evidence.test, evidence.calibration
    if calibration is None:
        return [
            Missing(
                "The trained model has no threshold yet, so it gives scores and no verdicts.",
                f"python model.py --recalibrate --data labelled/{evidence.option()}",
            )
        ]
    if test is None:
        return [_untested(evidence)]
    misses, alarms = test.overall.miss_rate, test.overall.false_alarm_rate
    lost = misses if isinstance(misses, Rate) else None
    flagged = alarms if isinstance(alarms, Rate) else None
    tone, sentence = readiness(lost, flagged)
    cards = [
        (count_of(misses), f"damaged batches missed: {span(misses)}", tone) if lost else _no_damaged_card(misses),
        (
            count_of(alarms) if flagged else "unknown",
            f"undamaged batches flagged in vain: {span(alarms)}",
            "plain",
        ),
    ]
    judged = len(evidence.results.images) if evidence.results else 0
    without = left_out(evidence)
    blocks: list[Block] = [
        Paragraph(
            f"**How often it errs.** On {plural(judged, 'batch', 'batches')} "
            f"that it had never seen before{f' ({without})' if without else ''}:"
        ),
        Cards(tuple(cards)),
        Paragraph(sentence),
    ]
    if lost and flagged:
        blocks.append(Paragraph(_expected(lost, flagged, evidence)))
    if evidence.results and (where := where_marked(evidence.results.images)):
        blocks.append(Paragraph(where))
    return blocks


def _no_damaged_card(found: Rate | Undefined) -> tuple[str, str, str]:
    reason = found.reason if isinstance(found, Undefined) else ""
    return ("unknown", f"damaged batches missed: {reason}", "plain")


def _expected(misses: Rate, alarms: Rate, evidence: Evidence) -> str:
    images = evidence.results.images if evidence.results else ()
    flagged = [image for image in images if image.verdict == DAMAGED]
    truly = sum(image.label == DAMAGED for image in flagged)
    undecided = sum(image.verdict == REINSPECT for image in images)
    refused = sum(image.refused for image in images)
    of_flagged = f" Of {len(flagged)} batches that it flagged, {truly} were damaged." if flagged else ""
    left = f" {undecided} {were(undecided)} left to a person as undecided." if undecided else ""
    if refused:
        left += f" {refused} {were(refused)} photographed so differently that the program would not have judged them."
    return (
        f"The ranges in brackets are what these counts can support at 95 % confidence: of 100 damaged batches between "
        f"{100 * misses.low:.0f} and {100 * misses.high:.0f} would be missed, of 100 good ones between "
        f"{100 * alarms.low:.0f} and {100 * alarms.high:.0f} flagged." + of_flagged + left
    )


def _untested(evidence: Evidence) -> Missing:
    if evidence.planned:
        return Missing(
            f"How often it errs is not known here: {not_judged(evidence)}.",
            f"python model.py --report --data DIR{evidence.report_options()}",
        )
    return Missing(
        "How often it errs is not known: no photograph was kept for a test.",
        f"python model.py --evaluate --data labelled/{evidence.option()}",
    )
