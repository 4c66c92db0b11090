"""Rules of section 7: how to collect better photographs."""

from __future__ import annotations

from statistics import median

from anomaly.commands import data_option
from anomaly.dataset.wording import counted
from anomaly.report.advice import Advice, Rule
from anomaly.report.document import literal
from anomaly.report.facts import Facts, by_session, spread
from anomaly.report.rules_improve import PATCHES
from anomaly.report.wording import ends, percent, whole
from anomaly.types import DAMAGED, UNDAMAGED

FOCUS_VARIES = 0.3
LIGHT_VARIES = 0.15
WHITE = 0.01
"""Share of white pixels from which metal is over-exposed."""
BLACK = 0.05
FLAT = 0.08
"""Standard deviation of the brightness below which a photograph has little contrast."""
FEW_UNDAMAGED = 50
FEW_MASKS = 20
"""Masks below which a quarter of them is a handful."""
PAYS = 0.01
"""Gain in accuracy over the last step of a learning curve from which more photographs pay."""
LARGER = 1.1
"""Width or height of the largest photograph over that of the smallest, from which their sizes differ."""
UNSURE = 0.2
"""Width of the range from which a learning curve says little."""


def focus_varies(facts: Facts) -> Advice | None:
    """Apply when sharpness differs between sessions."""
    found = _variation(facts, "sharpness", FOCUS_VARIES)
    if found is None:
        return None
    (low, least), (high, most), share = found
    return Advice(
        "focus-varies",
        2,
        f"Focus: sharpness varies by {whole(share)} between sessions (lowest in "
        f"{literal(low)}, highest in {literal(high)}; medians {least:.2g} and {most:.2g}).",
        "Fix lens and distance: focus by hand, lock the ring with its screw, close the aperture by two steps for more "
        "depth of field, and mount camera and tray on one frame.",
    )


def light_varies(facts: Facts) -> Advice | None:
    """Apply when brightness differs between sessions."""
    found = _variation(facts, "brightness", LIGHT_VARIES)
    if found is None:
        return None
    (low, least), (high, most), share = found
    return Advice(
        "light-varies",
        2,
        f"Lighting: mean brightness varies by {whole(share)} between sessions ({literal(low)}: {least:.2f}, "
        f"{literal(high)}: {most:.2f}).",
        "Use lamps that do not change, keep daylight out with a hood, set exposure, gain and white balance by "
        "hand, and check them with a grey card at the start of each shift.",
    )


def _variation(facts: Facts, measure: str, limit: float) -> tuple[tuple[str, float], tuple[str, float], float] | None:
    """Return the sessions with the least and the largest median, and how far apart they are; None below the limit."""
    sessions = by_session(facts.capture, measure)
    share = spread(list(sessions.values()))
    if len(sessions) < 2 or share < limit:
        return None
    low, high = min(sessions, key=sessions.__getitem__), max(sessions, key=sessions.__getitem__)
    return (low, sessions[low]), (high, sessions[high]), share


def over_exposed(facts: Facts) -> Advice | None:
    """Apply when many pixels are white."""
    white = _median(facts, "clipped_bright")
    if white is None or white < WHITE:
        return None
    return Advice(
        "over-exposed",
        3,
        f"Exposure: in a typical photograph {percent(white)} of the pixels are white, and scratches or rust "
        "there cannot be seen.",
        "Shorten the exposure, and light bright metal through a diffuser or a dome instead of by a bare lamp.",
    )


def under_exposed(facts: Facts) -> Advice | None:
    """Apply when many pixels are black."""
    black = _median(facts, "clipped_dark")
    if black is None or black < BLACK:
        return None
    return Advice(
        "under-exposed",
        3,
        f"Exposure: in a typical photograph {percent(black)} of the pixels are black, and nothing can be seen there.",
        "Add light from the other side, or expose longer.",
    )


def low_contrast(facts: Facts) -> Advice | None:
    """Apply when photographs have little contrast."""
    contrast = _median(facts, "contrast")
    if contrast is None or contrast >= FLAT:
        return None
    return Advice(
        "low-contrast",
        4,
        f"Contrast: the brightness of a typical photograph varies by {contrast:.2f} only (0 to 1).",
        "Choose a background that differs from the parts, and light from a low angle, so that edges and dents cast "
        "shadows.",
    )


def mixed_sizes(facts: Facts) -> Advice | None:
    """Apply when photographs have different sizes."""
    sizes = sorted({(row.width, row.height) for row in facts.capture}, key=lambda size: (size[0] * size[1], size))
    sides = [[size[axis] for size in sizes] for axis in (0, 1)]
    if not sizes or all(max(side) <= LARGER * min(side) for side in sides):
        return None
    (width, height), (wide, high) = sizes[0], sizes[-1]
    return Advice(
        "mixed-sizes",
        3,
        f"Format: the photographs come in {len(sizes)} sizes, from {width} x {height} to {wide} x {high} pixels, so "
        "equal parts may not be equally large.",
        "One camera, one resolution, one distance, and the same crop for all.",
    )


def magnification(facts: Facts) -> Advice | None:
    """Apply when the smallest labelled damage is small beside a patch at full resolution."""
    areas = sorted(image.damaged_px for image in facts.damaged if image.damaged_px)
    if len(areas) < 4 or not facts.patch:
        return None
    side = areas[len(areas) // 4] ** 0.5
    needed = PATCHES * facts.patch
    few = ", which so few show roughly" if len(areas) < FEW_MASKS else ""
    if side >= needed:
        return None
    return Advice(
        "magnification",
        1,
        f"Lens and distance: in a quarter of the {len(areas)} damaged test photographs with a mask the largest damaged "
        f"area is smaller than {side:.0f} x {side:.0f} pixels{few}. To stand out it should cover about {PATCHES} "
        f"patches of the network, {needed} x {needed} pixels, even when no resolution is lost on the way.",
        f"Photograph parts {needed / side:.1f} times larger: a longer lens, a shorter distance, fewer parts in one "
        "picture, or a camera with more pixels.",
    )


def no_sessions(facts: Facts) -> Advice | None:
    """Apply when the data name no groups."""
    if facts.grouped:
        return None
    return Advice(
        "no-sessions",
        3,
        "Labels: the data do not say which photographs belong together (same day, lot or set-up), so a test "
        "cannot show how the program does on another day.",
        "Record the session of each photograph in the column `group` of labels.csv.",
    )


def no_masks(facts: Facts) -> Advice | None:
    """Apply when damaged photographs have no mask or no kind of damage."""
    if not facts.damaged:
        return None
    unmarked = sum(image.damaged_px is None for image in facts.damaged)
    unnamed = sum(not image.defect for image in facts.damaged)
    if not max(unmarked, unnamed):
        return None
    return Advice(
        "no-masks",
        5,
        f"Labels: of {counted(len(facts.damaged), 'damaged test photograph')}, {unmarked} do not say where the "
        f"damage is and {unnamed} do not say of which kind it is.",
        "Mark the damage roughly in a mask and name its kind (columns `mask` and `defect`): then misses can be told "
        "apart by size and kind.",
    )


def few_undamaged(facts: Facts) -> Advice | None:
    """Apply when the memory bank rests on few photographs."""
    if facts.bank_images >= FEW_UNDAMAGED:
        return None
    return Advice(
        "few-undamaged",
        1,
        f"Number: the memory holds {counted(facts.bank_images, 'undamaged photograph')}.",
        f"Collect at least {FEW_UNDAMAGED}, from several days, lots and orientations; undamaged ones cost little.",
        f"python model.py --train{data_option(facts.data, always=True)}{facts.model}",
    )


def count_per_label(facts: Facts) -> Advice | None:
    """Say how many more photographs narrow the intervals by half."""
    n = len(facts.damaged) or sum(image.label == DAMAGED for image in facts.validation)
    if not n:
        return None
    return Advice(
        "count-per-label",
        6,
        f"Number: the share of missed batches is known from {counted(n, 'damaged photograph')}; "
        f"{sum(image.label == UNDAMAGED for image in facts.test)} undamaged ones were tested.",
        f"Four times as many ({4 * n}) make the range of a rate half as wide. Label batches as they come: "
        "choosing clear cases makes every figure too good.",
    )


def memory_pays(facts: Facts) -> Advice | None:
    """Apply when the learning curve of undamaged photographs was recorded: say whether more of them pay."""
    if len(facts.memory_curve) < 2:
        return None
    before, last = facts.memory_curve[-2:]
    told = (
        f"Number: with {before.n} undamaged photographs in the memory a damaged photograph gets the higher score in "
        f"{percent(before.value)} of the cases, with {last.n} in {percent(last.value)} ({ends(last)})"
    )
    unsure = last.high - last.low > UNSURE
    if last.value - before.value < PAYS:
        return Advice(
            "memory-pays",
            7,
            f"{told}: no longer rising{', as far as such wide ranges let one say' if unsure else ''}.",
            "More undamaged photographs of the same kind buy little; new sessions, lots and orientations may.",
        )
    return Advice(
        "memory-pays",
        6 if unsure else 4,
        f"{told}: still rising{', as far as such wide ranges let one say' if unsure else ''}.",
        "Collect more undamaged photographs, twice as many if you can; they cost little and need no damage.",
        headline="" if unsure else "collect more undamaged photographs: they still pay",
    )


def labels_pay(facts: Facts) -> Advice | None:
    """Apply when the learning curve of labelled photographs was recorded: say whether more labels pay."""
    if len(facts.label_curve) < 2:
        return None
    before, last = facts.label_curve[-2:]
    pays = last.value - before.value >= PAYS
    unsure = last.high - last.low > UNSURE
    if unsure:
        action = (
            "Ranges so wide do not say whether more labels move the threshold. They narrow what is known about its "
            "errors in any case."
        )
    elif pays:
        action = "Label more damaged batches: the threshold still gets better."
    else:
        action = "More labels hardly move the threshold itself; they narrow what is known about its errors."
    return Advice(
        "labels-pay",
        6 if unsure else 4 if pays else 7,
        f"Labels: with {counted(before.n, 'damaged photograph')} to choose the threshold, "
        f"{percent(before.value)} of the "
        f"batches are judged rightly on average; with {last.n} it is {percent(last.value)} ({ends(last)} from draw to "
        "draw).",
        action,
        f"python model.py --recalibrate --data newly_labelled/{facts.model}" if pays or unsure else "",
    )


RULES: tuple[Rule, ...] = (
    magnification,
    few_undamaged,
    focus_varies,
    light_varies,
    over_exposed,
    under_exposed,
    low_contrast,
    mixed_sizes,
    no_sessions,
    no_masks,
    memory_pays,
    labels_pay,
    count_per_label,
)


def _median(facts: Facts, measure: str) -> float | None:
    values = [float(getattr(row, measure)) for row in facts.capture]
    return median(values) if values else None
