"""Rules of section 6: how to keep it from degrading."""

from __future__ import annotations

import math
from statistics import mean

from anomaly.calibration import images_needed
from anomaly.commands import data_option
from anomaly.config import SplitConfig
from anomaly.dataset.wording import counted
from anomaly.evaluation import Rate, rate_interval
from anomaly.report.advice import Advice, Rule
from anomaly.report.document import literal
from anomaly.report.facts import Facts, false_alarm, missed
from anomaly.report.wording import listing, percent, plural, whole
from anomaly.types import DAMAGED, UNDAMAGED

WATCHED = 100
"""Undamaged batches after which the flagged ones are counted."""
FEWEST = 30
"""Undamaged test photographs from which a limit on flagged ones is named."""
SURPRISE = 0.001
"""Chance that so many are flagged while nothing has changed."""
SESSION_SHARE = 0.3
"""Share of the variance of undamaged scores between sessions, from which sessions matter."""
AUDIT = 0.1
"""Miss rate that a yearly audit should be able to exclude."""


def watch_drift(facts: Facts) -> Advice | None:
    """Say how to watch pictures with the journal, and the limits of this model."""
    if not facts.checked:
        return Advice(
            "watch-drift",
            1,
            "The check of pictures is switched off in the settings of this model, so a picture that is dark or out of "
            "focus is judged like any other.",
            "Train with `capture.check = true`, which learns what an ordinary picture is and warns of others.",
            f"python model.py --train{data_option(facts.data)} --set capture.check=true{facts.model}",
        )
    if not facts.ordinary:
        return Advice(
            "watch-drift",
            1,
            "This model was trained without limits for ordinary pictures, so a picture that is dark or out of focus is "
            "judged like any other.",
            "Train with at least a few dozen undamaged photographs, which sets such limits.",
            f"python model.py --train{data_option(facts.data)}{facts.model}",
        )
    light, sharp = facts.ordinary["brightness"], facts.ordinary["sharpness"]
    return Advice(
        "watch-drift",
        1,
        f"Ordinary pictures of this model have a mean brightness from {light[0]:.2f} to {light[1]:.2f} (0 black, 1 "
        f"white) and a sharpness from {sharp[0]:.2g} to {sharp[1]:.2g}. Outside, the program warns; far outside "
        "it does not judge.",
        "Keep a journal of all verdicts and let the monitor read it every day; it names the likely cause of a change "
        "(light, focus, part, tray), with at most one false alarm in 10,000 pictures on average.",
        "python model.py --monitor --journal judged.sqlite --chart drift.png" + facts.model,
    )


def alarm_limit(facts: Facts) -> Advice | None:
    """Say how many flagged batches among good ones mean that something changed."""
    found = false_alarm_rate(facts)
    if found is None:
        return None
    did = "tested" if facts.undamaged else "chose"  # as false_alarm_rate picks them
    if found.n < FEWEST:
        share = facts.test_share or SplitConfig().test
        photographs = math.ceil(round(FEWEST / share, 6))
        split = "" if facts.test_share else f" --set split.test={share:g}"
        return Advice(
            "alarm-limit",
            2,
            f"Only {plural(found.n, 'undamaged batch', 'undamaged batches')} {did} the threshold, {found.count} of "
            "them flagged: too few to say how many false alarms are normal.",
            f"Photograph more undamaged batches and train anew: of about {photographs}, {whole(share)} kept for the "
            f"test are {FEWEST}, and a report on that model names the number of flagged good batches that is no "
            "accident any more.",
            f"python model.py --train{data_option(facts.data, always=True)}{split} --model trained_new",
        )
    limit = surprising_count(found.high, n=WATCHED)
    return Advice(
        "alarm-limit",
        2,
        f"{found.count} of {found.n} undamaged batches that {did} the threshold were flagged "
        f"({percent(found.value)}; up to {percent(found.high)} is compatible with that).",
        f"When a person finds nothing wrong with more than {limit} of {WATCHED} batches in a row that should be good, "
        "yet the program flags them, something has changed: run the monitor, mend the cause, and only then "
        "recalibrate.",
    )


def session_sensitive(facts: Facts) -> Advice | None:
    """Apply when scores of undamaged photographs depend on the session."""
    share = session_share(facts)
    if share is None or share < SESSION_SHARE:
        return None
    return Advice(
        "session-sensitive",
        3,
        f"{whole(share)} of the variation among the scores of undamaged photographs lies between sessions, not within "
        "them: a new session can shift all scores.",
        "After every change of lamps, camera, tray or supplier, photograph and label twenty undamaged and some damaged "
        "batches and recalibrate.",
        f"python model.py --recalibrate --data newly_labelled/{facts.model}",
    )


def recalibrate(facts: Facts) -> Advice | None:
    """Say when to recalibrate, and what for."""
    bad = len(facts.scores(DAMAGED))
    good = len(facts.scores(UNDAMAGED))
    needed = images_needed(0.05, confidence=0.95)
    more = (
        f"{needed - bad} more damaged ones make a promise of at most 5 % misses possible."
        if bad < needed
        else "they are enough for a promise of at most 5 % misses, if the scores allow it."
    )
    return Advice(
        "recalibrate",
        4,
        f"The threshold rests on {good} undamaged and {bad} damaged validation photographs; {more}",
        "Keep what inspectors find: label the batches that were sent to a person, and some that passed, and "
        "recalibrate once a month or after 20 new labels. This needs no training, and can be taken back.",
        f"python model.py --recalibrate --data newly_labelled/{facts.model}",
    )


def audit(facts: Facts) -> Advice | None:
    """Say how many damaged batches an audit takes."""
    needed = images_needed(AUDIT, confidence=0.95)
    lost, n = sum(map(missed, facts.damaged)), len(facts.damaged)
    rate = rate_interval(lost, n) if n else None
    send = "Send some known damaged batches through the line without notice."
    enough = (
        f"{needed} of them, all found, say with 95 % confidence that fewer than {whole(AUDIT)} of the damaged are "
        "missed."
    )
    if not isinstance(rate, Rate):
        told = "How many damaged batches pass as undamaged was never measured; in production nobody sees these."
    elif not lost:
        told = (
            f"None of {plural(n, 'damaged test batch', 'damaged test batches')} passed as undamaged, yet up to "
            f"{whole(rate.high)} may; in production nobody would see these."
        )
    else:
        told = f"{lost} of {n} damaged test batches passed as undamaged; in production nobody sees these."
        expected = f"At the measured rate of {whole(rate.value)}, about {rate.value * needed:.0f} of {needed} pass"
        if rate.value > AUDIT:
            return Advice(
                "audit",
                5,
                told,
                f"{expected}, so an audit that wants all {needed} found, which would exclude {whole(AUDIT)} misses, is "
                "not for this model: follow section 5 first, and let people inspect what it passes. Audit the better "
                "model.",
            )
        enough = f"{enough} {expected}: then count more batches before you conclude anything."
    return Advice("audit", 5, told, f"{send} {enough}")


def retrain(facts: Facts) -> Advice | None:
    """Say when to train anew."""
    parts = f"of {literal(listing(facts.part_types))}" if facts.part_types else "of one kind of part"
    return Advice(
        "retrain",
        6,
        f"The memory holds {counted(facts.bank_images, 'undamaged photograph')} {parts}.",
        "Train anew when a part, its material or surface, the camera, lens or tray changes, or when the "
        "monitor names a "
        "lasting change that is intended. Add the new photographs to the old ones, compare both models on the same "
        "labelled photographs, and keep the old folder until the new one is better.",
        f"python model.py --train{data_option(facts.data, always=True)} --model trained_new",
    )


RULES: tuple[Rule, ...] = (watch_drift, alarm_limit, session_sensitive, recalibrate, audit, retrain)


def false_alarm_rate(facts: Facts) -> Rate | None:
    """Undamaged photographs that were flagged, on the test split; without one, on the validation split."""
    if facts.undamaged:
        counts = sum(map(false_alarm, facts.undamaged)), len(facts.undamaged)
    elif facts.calibration is not None and facts.scores(UNDAMAGED):
        counts = facts.validation_errors(facts.calibration)[1], len(facts.scores(UNDAMAGED))
    else:
        return None
    found = rate_interval(*counts)
    return found if isinstance(found, Rate) else None


def surprising_count(rate: float, *, n: int) -> int:
    """Return the largest count of n that is still no surprise: more have a chance below ``SURPRISE``.

    Parameters
    ----------
    rate : float
        Share of flagged ones while nothing has changed, in [0, 1].
    n : int
    """
    from scipy.stats import binom

    return int(binom.isf(SURPRISE, n, rate))


def session_share(facts: Facts) -> float | None:
    """Share of the variance of the logarithm of undamaged scores that lies between sessions, bias removed.

    Each part type for itself. One-way random effects (intraclass correlation, Shrout & Fleiss 1979, https://doi.org/10.1037/0033-2909.86.2.420)
    over validation and test photographs.

    Returns
    -------
    float or None
        In [0, 1]; None with fewer than two sessions of at least three undamaged photographs.
    """
    values: dict[str, dict[str, list[float]]] = {}
    for image in (*facts.validation, *(image.scored() for image in facts.test)):
        if image.group and image.label == UNDAMAGED and image.score > 0:
            values.setdefault(image.part_type, {}).setdefault(image.group, []).append(math.log(image.score))
    # Part types differ for other reasons than sessions do: each is taken from its own mean.
    types = [[v for v in sessions.values() if len(v) >= 3] for sessions in values.values()]
    types = [groups for groups in types if len(groups) > 1]
    groups = [found for sessions in types for found in sessions]
    n, k, t = sum(map(len, groups)), len(groups), len(types)
    if not groups:
        return None
    between = sum(
        len(found) * (mean(found) - mean(v for other in sessions for v in other)) ** 2
        for sessions in types
        for found in sessions
    ) / (k - t)
    within = sum((value - mean(found)) ** 2 for found in groups for value in found) / (n - k)
    size = (n - sum(len(values) ** 2 for values in groups) / n) / (k - t)
    variance = max(0.0, (between - within) / size)
    return variance / (variance + within) if variance + within > 0 else 0.0
