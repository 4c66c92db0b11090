"""What a rule says, and how rules are put to the facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from anomaly.report.facts import Facts


@dataclass(frozen=True)
class Advice:
    """One piece of advice that follows from a measurement.

    Attributes
    ----------
    rule : str
        Name, as docs/report.md lists it.
    priority : int
        1 most urgent to 9.
    finding : str
        What was measured, with its numbers; like action and headline a text with marks, see
        :mod:`anomaly.report.document`.
    action : str
        What to do.
    command : str
        Of the command line; empty: it is no matter of this program.
    headline : str
        The action in a few words, for the summary; empty: not for the summary.
    """

    rule: str
    priority: int
    finding: str
    action: str
    command: str = ""
    headline: str = ""


Rule: TypeAlias = Callable[[Facts], Advice | None]


def advise(rules: Sequence[Rule], facts: Facts) -> tuple[Advice, ...]:
    """Return what the rules have to say, most urgent first."""
    found = [advice for rule in rules if (advice := rule(facts)) is not None]
    return tuple(sorted(found, key=lambda advice: advice.priority))
