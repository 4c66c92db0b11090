"""What a threshold is to be chosen for, as the options of ``--recalibrate`` say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from anomaly.calibration import Objective

# As anomaly.calibration has them, which takes too long to import for reading a command line; a test compares.
_PROMISED = ("both-rates", "max-false-alarm-rate", "max-miss-rate")
_WITH_TARGET = ("false-alarm-target", "max-false-alarm-rate", "max-miss-rate")


class UsageError(Exception):
    """Options that do not go together; the exit status is 2."""


@dataclass(frozen=True)
class Aim:
    """An objective with the numbers it needs, as :func:`anomaly.calibrate` takes them.

    Attributes
    ----------
    objective : str
    target, confidence, miss_cost, max_miss_rate, max_false_alarm_rate : float or None
        None where the objective has none, or, for the confidence, the default stands.
    """

    objective: Objective
    target: float | None = None
    confidence: float | None = None
    miss_cost: float | None = None
    max_miss_rate: float | None = None
    max_false_alarm_rate: float | None = None


def read_aim(
    *,
    objective: str | None,
    target: float | None,
    max_miss_rate: float | None,
    max_false_alarm_rate: float | None,
    miss_cost: float | None,
    confidence: float | None,
) -> Aim | None:
    """Bring the options together; None: none of them was given.

    Raises
    ------
    UsageError
        Two of them contradict each other, or one is missing.
    """
    if max_miss_rate is not None and max_false_alarm_rate is not None:
        if objective not in (None, "both-rates") or miss_cost is not None or target is not None:
            raise UsageError("--max-miss-rate with --max-false-alarm-rate asks for both rates: no other objective")
        return Aim("both-rates", None, confidence, None, max_miss_rate, max_false_alarm_rate)
    if objective == "both-rates":
        raise UsageError("--objective both-rates needs --max-miss-rate RATE and --max-false-alarm-rate RATE")
    asked = {
        "--objective": objective,
        "--max-miss-rate": "max-miss-rate" if max_miss_rate is not None else None,
        "--max-false-alarm-rate": "max-false-alarm-rate" if max_false_alarm_rate is not None else None,
        "--miss-cost": "cost" if miss_cost is not None else None,
    }
    given = {flag: name for flag, name in asked.items() if name is not None}
    if len(set(given.values())) > 1:
        raise UsageError(f"{' and '.join(given)} ask for different objectives: give one")
    rates = [rate for rate in (target, max_miss_rate, max_false_alarm_rate) if rate is not None]
    if not given:
        if rates or confidence is not None:
            flag = "--target" if rates else "--confidence"
            raise UsageError(f"{flag} belongs to an objective: name it with --objective")
        return None
    chosen = next(iter(given.values()))
    if len(rates) > 1:
        raise UsageError("--target repeats the rate that is already given: leave it out")
    if chosen in _WITH_TARGET and not rates:
        raise UsageError(f"--objective {chosen} needs --target RATE")
    if chosen not in _WITH_TARGET and rates:
        raise UsageError(f"--objective {chosen} has no --target")
    if chosen not in _PROMISED and confidence is not None:
        raise UsageError(f"--confidence belongs to a promised rate ({', '.join(_PROMISED)}), not to {chosen}")
    if chosen == "cost" and miss_cost is None:
        raise UsageError("--objective cost needs --miss-cost COST")
    return Aim(cast("Objective", chosen), next(iter(rates), None), confidence, miss_cost)
