"""One threshold for all part types, or one for each where the validation scores support it.

Why the rules are what they are: ``docs/decisions/0018-thresholds-by-part-type.md``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from anomaly.calibration.calibration import Calibration
from anomaly.calibration.scored import ScoredImage, scores_by_label
from anomaly.calibration.threshold import false_alarm_threshold
from anomaly.errors import CalibrationError
from anomaly.types import DAMAGED, UNDAMAGED, Float64Array

LEAST_IMAGES = 5
"""Validation images of either label below which a part type gets no threshold for fewest errors of its own."""
_FOLDS = 5
_MARGIN = "more than one standard error"
_NOTHING_HELD_OUT = "the images are of too few groups to hold some out and choose thresholds by the rest"

Choose: TypeAlias = Callable[[Float64Array, Float64Array], Calibration]
"""`anomaly.calibration.calibrate` with the objective filled in: undamaged and damaged scores to a calibration."""


def calibrate_by_type(scores: Sequence[ScoredImage], choose: Choose) -> Calibration:
    """Calibrate on all images, and besides on each part type that is better off with a threshold of its own.

    Parameters
    ----------
    scores : sequence of ScoredImage
        Those without a part type count for the common threshold only.
    choose : callable
        Undamaged scores (n0,) and damaged scores (n1,) to a calibration.

    Returns
    -------
    Calibration
        The common one; ``by_part_type`` holds the others, and the notes say why there are some or none. As
        `choose` returns it where fewer than two part types are named.

    Raises
    ------
    CalibrationError, PromiseNotPossibleError
        The common threshold cannot be chosen.

    Notes
    -----
    An objective with a rate: each type whose images carry the rate alone. That depends on numbers of images and on no
    score, so the promise, or the target, holds for each such type as it holds for all (Mondrian conformal prediction:
    Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005, section 4.5).

    Fewest errors, or least cost: all types with `LEAST_IMAGES` of either label, if the errors of thresholds that have
    not seen the image are fewer by more than one standard error of the difference (the rule of Breiman et al. 1984,
    Classification and Regression Trees, section 3.4.3). Images of one group count as one there, whatever their types.
    """
    common = choose(*scores_by_label(scores))
    of_type = {
        name: [i for i in scores if i.part_type == name] for name in sorted({i.part_type for i in scores} - {""})
    }
    if len(of_type) < 2:
        return common
    if common.target is not None or common.objective == "both-rates":
        return _with_rates(common, of_type, choose)
    able = {name: images for name, images in of_type.items() if _fewest(images) >= LEAST_IMAGES}
    if not able:
        return _with(common, {}, [f"One threshold for all part types: {_too_few(of_type)}."])
    compared = _compare(scores, able, choose)
    left = {name: images for name, images in of_type.items() if name not in able}
    untried = [f"For some none was tried: {_too_few(left)}."] if left else []
    if not compared.images:
        return _with(common, {}, [f"One threshold for all part types: {_NOTHING_HELD_OUT}.", *untried])
    errors = "error" if compared.own == 1 else "errors"
    unit = errors if common.miss_cost is None else "as cost in false alarms"
    figures = f"{compared.own:.4g} {unit} in cross-validation, {compared.common:.4g} with one threshold for all"
    # The figures are of the images whose type could have one: where another could not, they are not of one each.
    those = f"of its own for {', '.join(able)}"
    if not compared.gain > compared.error:
        one = f"one {those if left else 'each'}"
        said = f"One threshold for all part types: {one} has {figures}; {_MARGIN} is asked for."
        return _with(common, {}, [said, *untried])
    notes = [f"One threshold {those if left else 'for each part type'}: {figures}, better by {_MARGIN}."]
    notes += [f"The common threshold holds for some: {_too_few(left)}."] if left else []
    return _with(common, {name: choose(*scores_by_label(images)) for name, images in able.items()}, notes)


def _with_rates(common: Calibration, of_type: dict[str, list[ScoredImage]], choose: Choose) -> Calibration:
    """Give each type its own threshold whose images carry the rate."""
    own, left = {}, []
    for name, images in of_type.items():
        undamaged, damaged = scores_by_label(images)
        try:
            found = choose(undamaged, damaged)
            if found.objective == "false-alarm-target":
                assert found.target is not None
                if not false_alarm_threshold(undamaged, target=found.target).supported:
                    raise CalibrationError("too few")
        except CalibrationError:
            left.append(f"{name} ({undamaged.size} undamaged, {damaged.size} damaged)")
        else:
            own[name] = found
    kept = f"too few validation images to keep the rate alone: {', '.join(left)}"
    if not own:
        return _with(common, {}, [f"One threshold for all part types: {kept}."])
    whose = f"of its own for {', '.join(own)}" if left else "for each part type"
    notes = [f"One threshold {whose}: the rate is kept for {'each of them' if len(own) > 1 else 'it'} alone."]
    notes += [f"The common threshold holds for some, {kept}; it keeps the rate for all types together."] if left else []
    return _with(common, own, notes)


def _with(common: Calibration, own: dict[str, Calibration], notes: list[str]) -> Calibration:
    more = ["Where the part type is not given, the common threshold holds."] if own else []
    return dataclasses.replace(common, by_part_type=own, notes=(*common.notes, *notes, *more))


@dataclass(frozen=True)
class _Compared:
    """Cost of validation images under thresholds that have not seen them; ``error`` is that of the gain."""

    images: int
    common: float
    own: float
    gain: float
    error: float


def _compare(images: Sequence[ScoredImage], able: dict[str, list[ScoredImage]], choose: Choose) -> _Compared:
    """Cross-validate one threshold against one for each type, on the images of the types that could have one.

    The others are learnt from in every fold, unless they belong to a group that is held out: the common threshold that
    would be kept rests on them too, and it is that one which has to be compared.
    """
    fold = _folds([image for of_type in able.values() for image in of_type])
    costs: dict[str, list[tuple[float, float]]] = {}
    for held in range(_FOLDS):
        learn = [image for image in images if fold.get(_unit(image)) != held]
        if _fewest(learn) == 0:
            continue
        common = choose(*scores_by_label(learn))
        for name, of_type in able.items():
            seen = [image for image in learn if image.part_type == name]
            own = choose(*scores_by_label(seen)) if _fewest(seen) else common
            for image in of_type:
                if fold[_unit(image)] == held:
                    costs.setdefault(_unit(image), []).append((_cost(common, image), _cost(own, image)))
    sums = np.array([np.sum(pairs, axis=0) for pairs in costs.values()]).reshape(-1, 2)
    gains = sums[:, 0] - sums[:, 1]
    n = len(gains)
    error = float(np.sqrt(n / (n - 1) * np.sum((gains - gains.mean()) ** 2))) if n > 1 else float("inf")
    compared = sum(len(pairs) for pairs in costs.values())
    return _Compared(compared, float(sums[:, 0].sum()), float(sums[:, 1].sum()), float(gains.sum()), error)


def _folds(images: Sequence[ScoredImage]) -> dict[str, int]:
    """Deal the units to the folds, those of the same types and label evenly and from low scores to high ones."""
    units: dict[str, list[ScoredImage]] = {}
    for image in images:
        units.setdefault(_unit(image), []).append(image)

    def place(unit: str) -> tuple[tuple[str, ...], bool, float, str]:
        members = units[unit]
        damaged = any(image.label == DAMAGED for image in members)
        types = tuple(sorted({image.part_type for image in members}))  # a session may show parts of several types
        return types, damaged, float(np.mean([image.score for image in members])), unit

    return {unit: number % _FOLDS for number, unit in enumerate(sorted(units, key=place))}


def _unit(image: ScoredImage) -> str:
    """Return what the image shares with those that are no independent evidence, of whatever part type."""
    return f"group {image.group}" if image.group else image.sha256


def _cost(calibration: Calibration, image: ScoredImage) -> float:
    if image.label == DAMAGED:
        price = 1.0 if calibration.miss_cost is None else calibration.miss_cost
        return price * (image.score <= calibration.threshold)
    return float(image.score > calibration.threshold)


def _fewest(images: Sequence[ScoredImage]) -> int:
    return min(sum(image.label == label for image in images) for label in (UNDAMAGED, DAMAGED))


def _too_few(of_type: dict[str, list[ScoredImage]]) -> str:
    have = [
        f"{name} {sum(i.label == UNDAMAGED for i in images)} and {sum(i.label == DAMAGED for i in images)}"
        for name, images in of_type.items()
    ]
    return f"one of its own takes {LEAST_IMAGES} undamaged and {LEAST_IMAGES} damaged images, {', '.join(have)}"
