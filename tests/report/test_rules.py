"""Each rule speaks when its measurement says so, and is silent otherwise."""

from __future__ import annotations

import dataclasses

from anomaly.calibration import calibrate
from anomaly.config import Config, SelectionConfig
from anomaly.detector.selection import select_settings
from anomaly.evaluation import Interval
from anomaly.experiment import CurvePoint
from anomaly.report import rules_capture, rules_improve, rules_upkeep
from anomaly.report.advice import Advice, advise
from anomaly.report.facts import Facts
from anomaly.types import DAMAGED, UNDAMAGED
from tests.docs.pages import read
from tests.report.samples import capture, flagged, found, missed, passed, scores

ALL = (*rules_improve.RULES, *rules_upkeep.RULES, *rules_capture.RULES)


def said(advice: Advice | None) -> Advice:
    assert advice is not None
    return advice


def test_nothing_known_gives_advice_and_no_error() -> None:
    rules = [advice.rule for advice in advise(ALL, Facts())]
    assert {"no-test", "no-damaged", "few-undamaged", "no-sessions"} <= set(rules)


def test_damaged_photographs_that_nobody_has_judged_yet_are_labelled_all_the_same() -> None:
    assert said(rules_improve.no_damaged(Facts())).rule == "no-damaged"
    assert rules_improve.no_damaged(Facts(damage_labelled=True)) is None
    assert rules_improve.no_damaged(Facts(validation=tuple(scores(DAMAGED, [2.0])))) is None


def test_the_most_urgent_comes_first() -> None:
    priorities = [advice.priority for advice in advise(ALL, Facts())]
    assert priorities == sorted(priorities)


def test_every_rule_is_in_the_docs_and_no_other() -> None:
    names = [function.__name__.replace("_", "-") for function in ALL]
    listed = [line.split("`")[1] for line in read("docs/report.md").splitlines() if line.startswith("| `")]
    assert listed == names


def test_a_rule_carries_its_own_name() -> None:
    for function in ALL:
        advice = function(Facts())
        assert advice is None or advice.rule == function.__name__.replace("_", "-")


# --- section 5 ------------------------------------------------------------------------------------------------------


def test_no_test_and_no_damaged() -> None:
    tested = Facts(test=(*passed(3), *found(1)))
    assert rules_improve.no_test(tested) is None
    assert rules_improve.no_damaged(tested) is None
    assert "59" in said(rules_improve.no_damaged(Facts(test=tuple(passed(3))))).action


def test_weak_ranking_needs_even_the_upper_end_to_be_low() -> None:
    assert rules_improve.weak_ranking(Facts(auroc=Interval(0.9, 0.6, 0.98))) is None
    told = said(rules_improve.weak_ranking(Facts(auroc=Interval(0.66, 0.56, 0.75), photo_side=640, network_side=320)))
    assert "66.0 %" in told.finding
    assert "56.0 to 75.0 %" in told.finding
    assert "50 % of its width" in told.action
    sharp = said(rules_improve.weak_ranking(Facts(auroc=Interval(0.6, 0.5, 0.7), photo_side=320, network_side=320)))
    assert "photograph the parts larger" in sharp.action


def test_small_damage() -> None:
    test = (*missed(9, damaged_px=25), *found(1, damaged_px=36), *found(10, first=20, damaged_px=900))
    told = said(rules_improve.small_damage(Facts(test=test, photo_side=640, network_side=320, patch=8)))
    assert "9 of 10 missed" in told.finding
    assert "0 of 10 above" in told.finding
    assert "16 x 16 pixels" in told.finding
    assert told.command.endswith("geometry.size=480")
    for side in (475, 320):  # the next multiple of 32 is the size that stands, or the photograph is smaller
        told = said(rules_improve.small_damage(Facts(test=test, photo_side=side, network_side=448, patch=8)))
        assert not told.command
    even = (*missed(5, damaged_px=25), *found(5, damaged_px=36), *missed(5, first=50, damaged_px=900))
    assert rules_improve.small_damage(Facts(test=(*even, *found(5, first=30, damaged_px=900)))) is None
    assert rules_improve.small_damage(Facts(test=(*missed(9), *found(9)))) is None  # no masks


def test_marked_elsewhere_needs_most_of_at_least_three() -> None:
    elsewhere, there = found(3, damaged_px=9, met=False), found(2, first=20, damaged_px=9, met=True)
    told = said(rules_improve.marked_elsewhere(Facts(test=(*elsewhere, *there))))
    assert "Of 5 damaged test photographs that were found, 3 are marked" in told.finding
    assert told.command.endswith("--split test --confusion compared.png")
    assert rules_improve.marked_elsewhere(Facts(test=(*elsewhere[:2], *there))) is None
    assert rules_improve.marked_elsewhere(Facts(test=tuple(elsewhere[:2]))) is None
    assert rules_improve.marked_elsewhere(Facts(test=tuple(found(5, damaged_px=9)))) is None  # not recorded


def test_label_by_session() -> None:
    sided = (*found(6, group="tuesday"), *passed(1, group="tuesday"))
    rest = (*passed(4, first=210, group="monday"), *missed(1, group="monday"))
    told = said(rules_improve.label_by_session(Facts(test=(*sided, *rest))))
    assert "6 of 7 damaged test photographs" in told.finding
    assert "(tuesday: 6 damaged, 1 undamaged)" in told.finding
    assert rules_improve.label_by_session(Facts(test=sided)) is None  # there is no other session to tell it from
    assert rules_improve.label_by_session(Facts(test=rest)) is None
    mixed = (*sided, *passed(2, first=230, group="tuesday"))
    assert rules_improve.label_by_session(Facts(test=(*mixed, *rest))) is None
    singles = [image for i in range(6) for image in found(1, first=i, group=f"day {i}")]
    assert rules_improve.label_by_session(Facts(test=(*singles, *rest))) is None  # one photograph tells nothing


def test_missed_kinds() -> None:
    test = (*missed(6, defect="bent_tooth"), *found(10, defect="rust"), *missed(1, first=50, defect="rust"))
    told = said(rules_improve.missed_kinds(Facts(test=test)))
    assert "bent tooth: 6 of 6 missed (all other damaged batches: 1 of 11)" in told.finding
    assert "rust:" not in told.finding
    assert rules_improve.missed_kinds(Facts(test=tuple(missed(6, defect="rust")))) is None


def test_worse_part_type() -> None:
    test = (*missed(8, part_type="springs"), *passed(10, part_type="springs"), *found(20, part_type="gears"))
    told = said(rules_improve.worse_part_type(Facts(test=test)))
    assert "springs: 8 of 18 test batches judged wrongly, against 0 of 20" in told.finding
    assert not told.command  # no folder need hold the photographs of one part type alone
    assert rules_improve.worse_part_type(Facts(test=tuple(missed(8, part_type="springs")))) is None


def test_other_threshold() -> None:
    good = [1.0 + i / 100 for i in range(20)]
    bad = [1.15, 1.165, 1.175, 2.0, 2.1, 2.2]
    standing = calibrate(good, bad)
    facts = Facts(validation=(*scores(UNDAMAGED, good), *scores(DAMAGED, bad)), calibration=standing)
    costly = calibrate(good, bad, objective="cost", miss_cost=rules_improve.COST)
    assert costly.misses < standing.misses
    told = said(rules_improve.other_threshold(facts))
    assert f"{standing.misses} of 6 damaged missed" in told.finding
    assert f"{costly.misses} missed and {costly.false_alarms} flagged" in told.finding
    apart = calibrate(good, [2.0, 2.1])
    clear = Facts(validation=(*scores(UNDAMAGED, good), *scores(DAMAGED, [2.0, 2.1])), calibration=apart)
    assert rules_improve.other_threshold(clear) is None


def test_optimistic_validation() -> None:
    standing = calibrate([1.0] * 40, [2.0] * 10)
    validation = (*scores(UNDAMAGED, [1.0] * 40), *scores(DAMAGED, [2.0] * 10))
    worse = Facts(test=(*missed(8), *passed(40)), calibration=standing, validation=validation)
    told = said(rules_improve.optimistic_validation(worse))
    assert "8 of 48 test batches were judged wrongly, against 0 of 50" in told.finding
    assert rules_improve.optimistic_validation(dataclasses.replace(worse, test=tuple(passed(40)))) is None


def test_few_damaged() -> None:
    told = said(rules_improve.few_damaged(Facts(validation=tuple(scores(DAMAGED, [2.0] * 50)))))
    assert "at least 9 more" in told.action
    assert rules_improve.few_damaged(Facts(validation=tuple(scores(DAMAGED, [2.0] * 59)))) is None
    assert rules_improve.few_damaged(Facts()) is None


def test_a_promise_is_no_headline_for_a_model_that_cannot_tell_the_labels_apart() -> None:
    few = Facts(validation=tuple(scores(DAMAGED, [2.0] * 50)))
    assert said(rules_improve.few_damaged(few)).headline == "label 9 more damaged batches"
    weak = dataclasses.replace(few, auroc=Interval(0.66, 0.56, 0.75))
    assert said(rules_improve.few_damaged(weak)).headline == ""
    assert said(rules_improve.few_damaged(weak)).finding == said(rules_improve.few_damaged(few)).finding


def test_no_experiment() -> None:
    assert "--data shop/" in said(rules_improve.no_experiment(Facts(data="shop/"))).command
    assert said(rules_improve.no_experiment(Facts(data="our shop/"))).command.endswith("--data 'our shop/'")
    assert rules_improve.no_experiment(Facts(experiment=True)) is None


def test_how_the_settings_came_about_is_what_the_trained_model_records() -> None:
    def told(*selection: str) -> str:
        return said(rules_improve.no_experiment(Facts(selection=selection))).finding

    off = dataclasses.replace(Config(), selection=SelectionConfig(automatic=False))
    by_hand = select_settings(off, bank=(), validation=()).reasons
    assert told(*by_hand) == "Settings as given: automatic selection is off; no experiment is on record."
    few = select_settings(Config(), bank=(), validation=()).reasons
    assert told(*few).startswith("Settings as given: choosing others needs 5 undamaged and 5 damaged")
    turned = ("settings as given: every one of them was fixed.", "turned copies are not clearly better than 1.")
    assert "fixed. Turned copies are not clearly better than 1; no experiment" in told(*turned)
    assert "quick comparison" not in told(*by_hand) + told(*few) + told(*turned) + told()
    assert "does not record how its settings were chosen" in told()
    compared = (
        "96 combinations of settings compared on 9 undamaged and 9 damaged validation images.",
        "settings as ...",
    )
    assert "chosen by the quick comparison" in told(*compared)


# --- section 6 ------------------------------------------------------------------------------------------------------


def test_watch_drift_names_the_limits_of_this_model() -> None:
    told = said(rules_upkeep.watch_drift(Facts(ordinary={"brightness": (0.41, 0.56), "sharpness": (0.001, 0.02)})))
    assert "0.41 to 0.56" in told.finding
    assert "without limits" in said(rules_upkeep.watch_drift(Facts())).finding


def test_watch_drift_names_the_setting_where_that_is_why_pictures_are_not_checked() -> None:
    told = said(rules_upkeep.watch_drift(Facts(checked=False, data="our shop/")))
    assert "switched off" in told.finding
    assert "few dozen" not in told.action
    assert told.command == "python model.py --train --data 'our shop/' --set capture.check=true"


def test_alarm_limit_is_a_number_that_chance_hardly_exceeds() -> None:
    told = said(rules_upkeep.alarm_limit(Facts(test=(*passed(79), *flagged(1)))))
    limit = rules_upkeep.surprising_count(0.0677, n=100)
    assert "1 of 80 undamaged" in told.finding
    assert f"more than {limit} of 100" in told.action
    few = said(rules_upkeep.alarm_limit(Facts(test=tuple(passed(7)), data="our shop/", test_share=0.25)))
    assert "too few" in few.finding
    assert "of about 120, 25 % kept for the test are 30" in few.action
    assert few.command == "python model.py --train --data 'our shop/' --model trained_new"
    none = said(rules_upkeep.alarm_limit(Facts(test=tuple(passed(7)), data="shop", test_share=0.0)))
    assert none.command == "python model.py --train --data shop --set split.test=0.2 --model trained_new"
    assert rules_upkeep.alarm_limit(Facts()) is None


def test_alarm_limit_says_which_photographs_it_counts() -> None:
    tested = said(rules_upkeep.alarm_limit(Facts(test=(*passed(79), *flagged(1)))))
    assert tested.finding.startswith("1 of 80 undamaged batches that tested the threshold were flagged")
    validation = tuple(scores(UNDAMAGED, [1.0] * 80))
    chosen = Facts(validation=validation, calibration=calibrate([1.0] * 80, [2.0]))
    assert said(rules_upkeep.alarm_limit(chosen)).finding.startswith(
        "0 of 80 undamaged batches that chose the threshold were flagged"
    )
    few = dataclasses.replace(chosen, validation=validation[:7])
    assert "Only 7 undamaged batches chose the threshold" in said(rules_upkeep.alarm_limit(few)).finding


def test_surprising_count_by_hand() -> None:
    assert rules_upkeep.surprising_count(0.5, n=1) == 1  # even 1 of 1 has a chance of 1/2
    assert rules_upkeep.surprising_count(0.0, n=100) == 0


def test_session_share() -> None:
    apart = Facts(test=(*passed(5, score=1.0, group="a"), *passed(5, first=210, score=2.0, group="b")))
    assert rules_upkeep.session_share(apart) == 1.0
    assert said(rules_upkeep.session_sensitive(apart)).finding.startswith("100 %")
    mixed = [
        image
        for session, first in (("a", 200), ("b", 210))
        for i, score in enumerate((1.0, 1.5, 2.0))
        for image in passed(1, first=first + i, score=score, group=session)
    ]
    assert rules_upkeep.session_share(Facts(test=tuple(mixed))) == 0.0
    assert rules_upkeep.session_sensitive(Facts(test=tuple(mixed))) is None
    assert rules_upkeep.session_share(Facts(test=tuple(passed(5)))) is None


def test_recalibrate_and_audit_hold_the_numbers() -> None:
    facts = Facts(
        validation=(*scores(DAMAGED, [2.0] * 4), *scores(UNDAMAGED, [1.0] * 6)),
        test=(*missed(2), *found(3)),
    )
    assert "6 undamaged and 4 damaged" in said(rules_upkeep.recalibrate(facts)).finding
    assert "55 more" in said(rules_upkeep.recalibrate(facts)).finding
    assert said(rules_upkeep.audit(facts)).finding.startswith("2 of 5 damaged")


def test_an_audit_is_the_one_that_this_model_can_pass() -> None:
    unknown = said(rules_upkeep.audit(Facts()))
    assert "never measured" in unknown.finding
    assert "29 of them, all found" in unknown.action
    none = said(rules_upkeep.audit(Facts(test=tuple(found(8)))))
    assert none.finding.startswith("None of 8 damaged test batches passed as undamaged, yet up to 37 % may")
    assert "29 of them, all found" in none.action
    few = said(rules_upkeep.audit(Facts(test=(*missed(2), *found(38)))))
    assert few.finding.startswith("2 of 40 damaged")
    assert "At the measured rate of 5 %, about 1 of 29 pass" in few.action
    most = said(rules_upkeep.audit(Facts(test=(*missed(42), *found(8)))))
    assert "At the measured rate of 84 %, about 24 of 29 pass" in most.action
    assert "follow section 5 first" in most.action
    assert "29 of them, all found" not in most.action


def test_retrain_holds_the_numbers_and_names_the_photographs() -> None:
    facts = Facts(bank_images=30, part_types=("gears", "springs"), data="our shop/")
    assert said(rules_upkeep.retrain(facts)).command.endswith("--train --data 'our shop/' --model trained_new")
    assert "30 undamaged photographs of gears and springs" in said(rules_upkeep.retrain(facts)).finding


# --- section 7 ------------------------------------------------------------------------------------------------------


def test_focus_and_light_are_compared_within_a_part_type() -> None:
    alike = (
        *capture("g1", part_type="gears", sharpness=0.01),
        *capture("g2", part_type="gears", sharpness=0.011),
        *capture("s1", part_type="springs", sharpness=0.1, brightness=0.2),
        *capture("s2", part_type="springs", sharpness=0.1, brightness=0.2),
    )
    assert rules_capture.focus_varies(Facts(capture=alike)) is None
    assert rules_capture.light_varies(Facts(capture=alike)) is None
    worse = (*alike, *capture("g3", part_type="gears", sharpness=0.005, brightness=0.4))
    told = said(rules_capture.focus_varies(Facts(capture=worse)))
    assert "varies by 60 %" in told.finding
    assert "lowest in g3, highest in g2" in told.finding
    assert "varies by 20 %" in said(rules_capture.light_varies(Facts(capture=worse))).finding


def test_a_session_of_two_photographs_is_no_session() -> None:
    rows = (*capture("a", sharpness=0.01), *capture("b", 2, sharpness=0.1))
    assert rules_capture.focus_varies(Facts(capture=rows)) is None


def test_exposure_contrast_and_size() -> None:
    fine = Facts(capture=tuple(capture("a")))
    for rule in (
        rules_capture.over_exposed,
        rules_capture.under_exposed,
        rules_capture.low_contrast,
        rules_capture.mixed_sizes,
    ):
        assert rule(fine) is None
        assert rule(Facts()) is None
    assert "2.0 %" in said(rules_capture.over_exposed(Facts(capture=tuple(capture("a", clipped_bright=0.02))))).finding
    assert "9.0 %" in said(rules_capture.under_exposed(Facts(capture=tuple(capture("a", clipped_dark=0.09))))).finding
    assert "0.05" in said(rules_capture.low_contrast(Facts(capture=tuple(capture("a", contrast=0.05))))).finding
    sizes = (*capture("a"), *capture("b", width=120))
    told = said(rules_capture.mixed_sizes(Facts(capture=sizes))).finding
    assert "2 sizes, from 100 x 100 to 120 x 100 pixels" in told
    alike = (*capture("a", width=500), *capture("b", width=510))
    assert rules_capture.mixed_sizes(Facts(capture=alike)) is None


def test_magnification() -> None:
    test = tuple(found(8, damaged_px=144))
    told = said(rules_capture.magnification(Facts(test=test, patch=8)))
    assert "in a quarter of the 8 damaged test photographs with a mask" in told.finding
    assert "12 x 12 pixels, which so few show roughly" in told.finding
    many = said(rules_capture.magnification(Facts(test=tuple(found(20, damaged_px=144)), patch=8)))
    assert "roughly" not in many.finding
    assert "24 x 24 pixels" in told.finding
    assert "2.0 times larger" in told.action
    assert rules_capture.magnification(Facts(test=tuple(found(8, damaged_px=900)), patch=8)) is None


def test_labels() -> None:
    assert rules_capture.no_sessions(Facts(grouped=True)) is None
    assert "`group`" in said(rules_capture.no_sessions(Facts())).action
    assert rules_capture.no_masks(Facts()) is None
    assert rules_capture.no_masks(Facts(test=tuple(found(2, damaged_px=9, defect="rust")))) is None
    told = said(rules_capture.no_masks(Facts(test=(*found(2, defect="rust"), *missed(1, damaged_px=9)))))
    assert "3 damaged test photographs, 2 do not say where" in told.finding


def test_learning_curves() -> None:
    rising = (CurvePoint(5, 0.8, 0.7, 0.9), CurvePoint(10, 0.9, 0.8, 0.95))
    flat = (CurvePoint(20, 0.900, 0.8, 0.95), CurvePoint(40, 0.905, 0.8, 0.95))
    told = said(rules_capture.memory_pays(Facts(memory_curve=rising))).finding
    assert told.endswith("still rising.")
    assert "with 5 undamaged photographs in the memory" in told
    assert "80.0 % of the cases, with 10 in 90.0 % (80.0 to 95.0 %)" in told
    wide = (rising[0], CurvePoint(10, 0.9, 0.6, 1.0))
    assert "wide ranges" in said(rules_capture.memory_pays(Facts(memory_curve=wide))).finding
    assert said(rules_capture.memory_pays(Facts(memory_curve=flat))).finding.endswith("no longer rising.")
    assert rules_capture.memory_pays(Facts(memory_curve=rising[:1])) is None
    assert said(rules_capture.labels_pay(Facts(label_curve=rising))).command
    assert said(rules_capture.labels_pay(Facts(label_curve=rising))).action.endswith("still gets better.")
    assert not said(rules_capture.labels_pay(Facts(label_curve=flat))).command
    for first in (0.882, 0.7):
        unsure = (CurvePoint(2, first, 0.83, 0.98), CurvePoint(5, 0.873, 0.667, 1.0))
        assert "do not say whether more labels" in said(rules_capture.labels_pay(Facts(label_curve=unsure))).action
    level = (CurvePoint(5, 0.9, 0.6, 1.0), CurvePoint(10, 0.9, 0.6, 1.0))
    assert "wide ranges" in said(rules_capture.memory_pays(Facts(memory_curve=level))).finding
    assert rules_capture.labels_pay(Facts()) is None


def test_numbers() -> None:
    assert rules_capture.few_undamaged(Facts(bank_images=50)) is None
    few = said(rules_capture.few_undamaged(Facts(bank_images=10, data="our shop/", model=" --model m")))
    assert "10 undamaged photographs" in few.finding
    assert few.command == "python model.py --train --data 'our shop/' --model m"
    assert "Four times as many (20)" in said(rules_capture.count_per_label(Facts(test=tuple(found(5))))).action
    assert rules_capture.count_per_label(Facts()) is None
