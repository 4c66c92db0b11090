"""Rules of section 5: how to make fewer mistakes."""

from __future__ import annotations

from functools import partial
from statistics import median

from anomaly.calibration import calibrate, calibrate_by_type, images_needed
from anomaly.commands import data_option
from anomaly.dataset.wording import counted
from anomaly.errors import CalibrationError
from anomaly.report.advice import Advice, Rule
from anomaly.report.document import literal
from anomaly.report.facts import (
    Facts,
    as_given,
    by_experiment,
    false_alarm,
    kinds,
    marked,
    missed,
    more_often,
    one_sided_sessions,
)
from anomaly.report.wording import ends, kind, percent, whole
from anomaly.types import DAMAGED, UNDAMAGED

CHANCE = 0.05
"""A difference that chance makes more often than this is not reported as one."""
WEAK_AUROC = 0.95
"""Below it no threshold is a good one; the upper end of its range counts."""
PATCHES = 3
"""Patches across that a damage should cover to stand out."""
COST = 10.0
"""Price of a miss, in false alarms, of the alternative that is looked at."""
FEWEST_MARKED = 3
"""Found photographs with a mask from which it is said that most of them are marked elsewhere."""
_MANY_LARGER = 1.15


def no_test(facts: Facts) -> Advice | None:
    """Apply when no test photograph was judged, so nothing is known about errors."""
    if facts.test:
        return None
    return Advice(
        "no-test",
        1,
        "No photograph of a test split was judged, so nothing is known about how often the program errs.",
        "Judge photographs that it has not learnt from, or train on a folder that holds enough of them for a test.",
        f"python model.py --evaluate --data labelled/{facts.model}",
        "judge labelled photographs that it has never seen",
    )


def no_damaged(facts: Facts) -> Advice | None:
    """Apply when no damaged photograph was labelled."""
    if facts.damage_labelled or facts.damaged or any(image.label == DAMAGED for image in facts.validation):
        return None
    return Advice(
        "no-damaged",
        1,
        "Not one damaged batch was photographed and labelled. How many damaged ones would be missed is unknown.",
        "Photograph damaged batches in the same way as the undamaged ones and label them; ten change the picture, "
        f"{images_needed(0.05, confidence=0.95)} allow a promise of at most 5 % misses.",
        f"python model.py --recalibrate --data newly_labelled/{facts.model}",
        "photograph and label damaged batches",
    )


def weak_ranking(facts: Facts) -> Advice | None:
    """Apply when the scores of damaged and undamaged photographs overlap so much that no threshold helps."""
    if facts.auroc is None or facts.auroc.high >= WEAK_AUROC:
        return None
    enlarge = facts.scale > _MANY_LARGER
    return Advice(
        "weak-ranking",
        1,
        f"Of a damaged and an undamaged test batch picked at random, the damaged one gets the higher score in "
        f"{percent(facts.auroc.value)} of the cases ({ends(facts.auroc)}; 50 % would be chance). Moving the threshold "
        "only trades misses for false alarms.",
        "Let the program see more: "
        + (
            f"it looks at the photograph reduced to {whole(1 / facts.scale)} of its width, so raise the resolution; "
            if enlarge
            else "it sees the photographs at their full resolution already, so photograph the parts larger; "
        )
        + "then compare settings and backbones in an experiment.",
        f"python model.py --experiment{data_option(facts.data)}{facts.work}",
        "raise what the program can see (resolution, lens), then compare settings",
    )


def marked_elsewhere(facts: Facts) -> Advice | None:
    """Apply when most damaged photographs that were found are marked where their damage is not."""
    met, n = marked(facts.damaged)
    if n < FEWEST_MARKED or met * 2 >= n:
        return None
    return Advice(
        "marked-elsewhere",
        1,
        f"Of {n} damaged test photographs that were found, {n - met} are marked at a place that does not meet their "
        "damage. The program may tell them apart by something else that damaged photographs have in common here, such "
        "as the session, the light or the border of the picture; where that is missing, it will miss them.",
        "Look at the marked places. If they show the background, the border or the light, crop the photographs or take "
        "damaged and undamaged ones in the same sessions, and train anew; until then trust no figure of section 4.",
        f"python model.py --evaluate{data_option(facts.data, always=True)} --split test --confusion compared.png"
        f"{facts.model}",
        "look at what it marks: most damage that it found is marked at another place",
    )


def label_by_session(facts: Facts) -> Advice | None:
    """Apply when most damaged test photographs are of sessions that have hardly an undamaged one."""
    named = [image for image in facts.test if image.group]
    damaged, sided = sum(image.label == DAMAGED for image in named), one_sided_sessions(named)
    within = sum(n for _, n, _ in sided)
    if not sided or within * 2 <= damaged or all(image.group in {name for name, _, _ in sided} for image in named):
        return None
    told = "; ".join(f"{literal(name)}: {bad} damaged, {good} undamaged" for name, bad, good in sided[:3])
    return Advice(
        "label-by-session",
        2,
        f"{within} of {damaged} damaged test photographs are of sessions with hardly an undamaged one ({told}). "
        "Whoever knew the session alone would know the label of most of them, so the figures of section 4 may tell how "
        "well sessions are told apart, not damage.",
        "Photograph damaged and undamaged batches in the same sessions, under the same lamps, and add them.",
        f"python model.py --train{data_option(facts.data, always=True)}{facts.model}",
        "photograph damaged and undamaged batches in the same sessions",
    )


def small_damage(facts: Facts) -> Advice | None:
    """Apply when misses concentrate in small damage."""
    sized = [(image.damaged_px, image) for image in facts.damaged if image.damaged_px]
    if len(sized) < 8:
        return None
    middle = median(area for area, _ in sized)
    small = [image for area, image in sized if area < middle]
    large = [image for area, image in sized if area >= middle]
    a, b = (sum(map(missed, small)), len(small)), (sum(map(missed, large)), len(large))
    if more_often(a, b) > CHANCE:
        return None
    side = middle**0.5
    patch = facts.patch * facts.scale
    larger = _larger(facts)
    return Advice(
        "small-damage",
        2,
        f"Misses concentrate in small damage: {a[0]} of {a[1]} missed where the largest damaged area is below "
        f"{side:.0f} x {side:.0f} pixels of the photograph, {b[0]} of {b[1]} above. One patch of the network covers "
        f"{patch:.0f} x {patch:.0f} pixels.",
        f"Raise the resolution, so that the smallest damage that matters covers {PATCHES} patches "
        f"({PATCHES * patch:.0f} pixels now) across: first in the program as far as the photograph allows, then with a "
        "longer lens, a shorter distance or more camera pixels.",
        f"python model.py --train{data_option(facts.data)} --set geometry.size={larger}{facts.model}"
        if facts.scale > 1.05 and larger > facts.network_side
        else "",
        "raise the resolution: small damage is what is missed",
    )


def missed_kinds(facts: Facts) -> Advice | None:
    """Apply when some kinds of damage are missed more often than the others."""
    groups = kinds(facts.damaged)
    total = sum(map(missed, facts.damaged)), len(facts.damaged)
    worse = []
    for name, images in groups.items():
        own = sum(map(missed, images)), len(images)
        others = total[0] - own[0], total[1] - own[1]
        if own[1] >= 3 and own[0] * 2 > own[1] and more_often(own, others) <= CHANCE:
            worse.append((name, own, others))
    if not worse:
        return None
    told = "; ".join(
        f"{literal(kind(name))}: {own[0]} of {own[1]} missed (all other damaged batches: {others[0]} of {others[1]})"
        for name, own, others in worse
    )
    return Advice(
        "missed-kinds",
        3,
        f"Some kinds of damage are missed more often than the others: {told}.",
        "Look at these photographs at full size. If a person cannot see the damage on them either, change camera, "
        "lens or lighting; if a person can, raise the resolution.",
        f"python model.py --evaluate{data_option(facts.data, always=True)} --split test --confusion compared.png"
        f"{facts.model}",
        f"look at the missed kinds: {', '.join(literal(kind(name)) for name, *_ in worse[:3])}",
    )


def worse_part_type(facts: Facts) -> Advice | None:
    """Apply when one part type has more errors than the others."""
    types = sorted({image.part_type for image in facts.test} - {""})
    if len(types) < 2:
        return None
    total = sum(missed(image) or false_alarm(image) for image in facts.test), len(facts.test)
    for name in types:
        images = [image for image in facts.test if image.part_type == name]
        own = sum(missed(image) or false_alarm(image) for image in images), len(images)
        others = total[0] - own[0], total[1] - own[1]
        if more_often(own, others) <= CHANCE:
            return Advice(
                "worse-part-type",
                4,
                f"{literal(name)}: {own[0]} of {own[1]} test batches judged wrongly, against {others[0]} of "
                f"{others[1]} of the other part types.",
                "Train a model for each part type, so that each gets its own memory, settings and threshold: `--train` "
                "once for each, on a folder (or a labels.csv) with its photographs alone and with a `--model` of its "
                "own.",
                "",
                f"train a model of its own for {literal(name)}",
            )
    return None


def other_threshold(facts: Facts) -> Advice | None:
    """Apply when a threshold for costly misses would miss fewer on the validation photographs."""
    current = facts.calibration
    good, bad = facts.scores(UNDAMAGED), facts.scores(DAMAGED)
    if current is None or not bad or not good or current.objective != "accuracy":
        return None
    try:
        choose = partial(calibrate, objective="cost", miss_cost=COST, left_out_scores=facts.left_out_scores)
        other = calibrate_by_type(facts.validation, choose)
    except CalibrationError:
        return None
    misses, alarms = facts.validation_errors(current)
    fewer, more = facts.validation_errors(other)
    if fewer >= misses or more * 2 > len(good):
        return None
    return Advice(
        "other-threshold",
        2,
        f"The threshold makes the fewest errors of both kinds together; on the validation photographs that is "
        f"{misses} of {len(bad)} damaged missed and {alarms} of {len(good)} undamaged flagged. "
        f"Where a miss costs {COST:g} false alarms, the best threshold has {fewer} missed and "
        f"{more} flagged.",
        "Decide what a miss costs against a second look at a good batch, and set the threshold for that price; nothing "
        "has to be trained again.",
        f"python model.py --recalibrate --miss-cost {COST:g}{facts.model}",
        "decide what a miss costs, and set the threshold for it",
    )


def optimistic_validation(facts: Facts) -> Advice | None:
    """Apply when the threshold does worse on the test photographs than on those it was chosen on."""
    current = facts.calibration
    if current is None or not facts.test or not facts.validation:
        return None
    wrong = sum(missed(image) or false_alarm(image) for image in facts.test), len(facts.test)
    before = sum(facts.validation_errors(current)), len(facts.validation)
    if more_often(wrong, before) > CHANCE:
        return None
    return Advice(
        "optimistic-validation",
        3,
        f"{wrong[0]} of {wrong[1]} test batches were judged wrongly, against {before[0]} of {before[1]} on the "
        "validation photographs that chose the threshold.",
        "The validation photographs do not stand for the others. Label photographs from more days and sessions and add "
        "them.",
        f"python model.py --recalibrate --data newly_labelled/{facts.model}",
        "label photographs of more sessions for the threshold",
    )


def few_damaged(facts: Facts) -> Advice | None:
    """Apply when too few damaged photographs are labelled for a promise."""
    n = len(facts.scores(DAMAGED))
    needed = images_needed(0.05, confidence=0.95)
    if not 0 < n < needed:
        return None
    return Advice(
        "few-damaged",
        5,
        f"The threshold rests on {counted(n, 'damaged photograph')}. A promise of at most 5 % misses, kept with 95 % "
        f"confidence, needs at least {needed}, none of them missed.",
        f"Photograph and label at least {needed - n} more damaged batches, as they come, not only clear cases.",
        f"python model.py --recalibrate --data newly_labelled/ --max-miss-rate 0.05{facts.model}",
        # A promise does not help a model that cannot tell the labels apart: that comes first.
        "" if weak_ranking(facts) else f"label {needed - n} more damaged batches",
    )


def no_experiment(facts: Facts) -> Advice | None:
    """Apply when no experiment was recorded."""
    if facts.experiment:
        return None
    return Advice(
        "no-experiment",
        6,
        _settings(facts),
        "Let an experiment compare more settings over repeated splits; it may be interrupted and goes on.",
        f"python model.py --experiment{data_option(facts.data)}{facts.work}",
    )


RULES: tuple[Rule, ...] = (
    no_test,
    no_damaged,
    weak_ranking,
    marked_elsewhere,
    label_by_session,
    small_damage,
    other_threshold,
    missed_kinds,
    optimistic_validation,
    worse_part_type,
    few_damaged,
    no_experiment,
)


def _settings(facts: Facts) -> str:
    """Say how the settings came about where no experiment is on record."""
    if by_experiment(facts.selection):
        return "The settings were chosen by an experiment that is not on record here."
    if as_given(facts.selection):
        how = literal(" ".join(f"{line[:1].upper()}{line[1:]}" for line in facts.selection).rstrip("."))
    elif facts.selection:
        how = "The settings were chosen by the quick comparison that is part of training"
    else:
        how = "The trained model does not record how its settings were chosen"
    return f"{how}; no experiment is on record."


def _larger(facts: Facts) -> int:
    """Return the next larger network size, at most that of the photograph, a multiple of 32."""
    return max(64, int(min(facts.photo_side, 1.5 * facts.network_side)) // 32 * 32)
