"""Which numbers an objective takes; any other is an error, never ignored."""

from __future__ import annotations

from anomaly.calibration._scores import checked_cost, checked_fraction
from anomaly.errors import CalibrationError

PROMISED = ("both-rates", "max-false-alarm-rate", "max-miss-rate")
WITH_TARGET = ("false-alarm-target", "max-false-alarm-rate", "max-miss-rate")


def check_parameters(
    objective: str,
    *,
    target: float | None,
    confidence: float | None,
    miss_cost: float | None,
    max_miss_rate: float | None,
    max_false_alarm_rate: float | None,
) -> None:
    """Compare the numbers given with those that the objective has; None: not given.

    Raises
    ------
    CalibrationError
        One is missing, one does not belong, or one is no share or price.
    """
    with_target = objective in WITH_TARGET
    if with_target and target is None:
        raise CalibrationError(f"objective {objective!r} needs a target; pass e.g. target=0.05 for 5 %")
    if not with_target and target is not None:
        raise CalibrationError(f"objective {objective!r} has no target, got {target}; leave it out")
    rates = {"max_miss_rate": max_miss_rate, "max_false_alarm_rate": max_false_alarm_rate}
    for name, rate in rates.items():
        if objective == "both-rates" and rate is None:
            raise CalibrationError(f"objective 'both-rates' needs {name}; pass e.g. {name}=0.05 for 5 %")
        if objective != "both-rates" and rate is not None:
            raise CalibrationError(
                f"{name} belongs to objective 'both-rates', got it with {objective!r}; pass target=, or both rates"
            )
    for name, share in {"target": target, "confidence": confidence, **rates}.items():
        if share is not None:
            checked_fraction(share, name=name)
    if objective not in PROMISED and confidence is not None:
        raise CalibrationError(f"objective {objective!r} has no confidence, got {confidence}; leave it out")
    if (objective == "cost") != (miss_cost is not None):
        raise CalibrationError(
            f"miss_cost belongs to objective 'cost' alone, got {objective!r} with miss_cost {miss_cost}; "
            "give both or neither"
        )
    if miss_cost is not None:
        checked_cost(miss_cost)
