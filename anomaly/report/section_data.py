"""Sections 1 and 2: how the data were divided, and what happens to a photograph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import get_args

from anomaly.dataset.wording import counted
from anomaly.report.document import Block, Bullets, Missing, Paragraph, Part, Section, Table, literal
from anomaly.report.evidence import Evidence
from anomaly.report.facts import as_given
from anomaly.report.wording import plural, were
from anomaly.types import DAMAGED, UNDAMAGED, Split

_SERVES = {
    "bank": "memory",
    "validation": "validation",
    "test": "test",
}


def split_section(evidence: Evidence) -> Part:
    """Section 1: the split and its reasons."""
    entries = evidence.provenance.splits
    if not entries:
        missing = Missing(
            "The trained model does not record which photograph served for what: it was fitted on bare images.",
            "python model.py --train --data DIR",
        )
        return Part(Section("1  How the data were divided, and why", (missing,)))
    layout = f" ({literal(evidence.provenance.layout)})" if evidence.provenance.layout else ""
    selection = evidence.provenance.selection
    # A single sentence says why they are as given; a second one tells of turned copies, compared or not.
    settings = "" if not selection or (as_given(selection) and len(selection) == 1) else "the settings and "
    blocks: list[Block] = [
        Paragraph(
            f"{counted(len(entries), 'photograph')} from `{literal(evidence.provenance.data)}`{layout} were "
            "divided into three parts by the program, file by file on record:"
        ),
        Bullets(
            (
                "**memory**: undamaged photographs only; they are what the program knows of good parts;",
                f"**validation**: labelled photographs that chose {settings}the threshold;",
                "**test**: labelled photographs on which nothing was chosen, neither memory nor settings nor "
                "threshold. Only these say how often the program errs on parts that it has not seen, and only as long "
                "as nobody trains again until they come out well.",
            )
        ),
        _split_table(evidence),
        Bullets(tuple(_reasons(evidence))),
    ]
    return Part(Section("1  How the data were divided, and why", tuple(blocks)))


def straddling(evidence: Evidence) -> int:
    """Count the groups that serve in more than one split."""
    places: dict[str, set[str]] = {}
    for entry in evidence.provenance.splits:
        if entry.group:
            places.setdefault(entry.group, set()).add(entry.split)
    return sum(len(splits) > 1 for splits in places.values())


def _split_table(evidence: Evidence) -> Table:
    entries = evidence.provenance.splits
    counts = Counter((entry.split, entry.part_type, entry.label) for entry in entries)
    rows = []
    for split in get_args(Split):
        for part_type in sorted({entry.part_type for entry in entries if entry.split == split}):
            groups = {e.group for e in entries if e.split == split and e.part_type == part_type and e.group}
            rows.append(
                (
                    _SERVES[split],
                    literal(part_type) or "all",
                    str(counts[split, part_type, UNDAMAGED]),
                    str(counts[split, part_type, DAMAGED]),
                    str(len(groups)) if groups else "not recorded",
                )
            )
    return Table(
        "Photographs in each part of the data.",
        ("part of the data", "part type", "undamaged", "damaged", "sessions"),
        tuple(rows),
    )


def _reasons(evidence: Evidence) -> list[str]:
    entries = evidence.provenance.splits
    groups = {entry.group for entry in entries if entry.group}
    in_memory = _in_memory(evidence)
    apart = straddling(evidence)
    found = [
        *([in_memory] if in_memory else []),
        "Damaged photographs never enter the memory: the program must not learn that damage is normal.",
        "Exact copies and near-duplicates of a photograph stay together; otherwise the test would ask about pictures "
        "that the memory holds.",
    ]
    if groups:
        found.append(
            f"Photographs of one session (same day, lamps and set-up) look alike for reasons that have nothing to do "
            f"with damage. The {counted(len(groups), 'session')} therefore stay whole; {apart or 'none'} of them "
            f"{'serve' if apart > 1 else 'serves'} in more than one part of the data."
        )
    else:
        found.append(
            "The data name no sessions (`group`), so photographs of one day may be in the memory and in the test: the "
            "test may look better than another day will be."
        )
    found += [f"{note[:1].upper()}{note[1:]}." for note in map(_note, evidence.provenance.notes)]
    return found


def _in_memory(evidence: Evidence) -> str:
    """Say why the memory holds another number of photographs than were divided to it; empty: it does not."""
    divided = [entry.sha256 for entry in evidence.provenance.splits if entry.split == "bank"]
    planned, held = set(divided), evidence.bank_hashes
    copies, out, added = len(divided) - len(planned), len(planned - held), len(held - planned)
    differences = [
        f"{n} {words}"
        for n, words in (
            (copies, "exact copies of others count once" if copies > 1 else "exact copy of another counts once"),
            (out, f"{were(out)} left out or taken out since"),
            (added, f"{were(added)} added since"),
        )
        if n
    ]
    if not held or not differences:
        return ""
    return (
        f"The memory holds {counted(len(held), 'photograph')}, of {len(divided)} that were divided to it: "
        f"{', '.join(differences)}."
    )


def _note(note: str) -> str:
    return literal(note.rstrip("."))


def preprocessing_section(evidence: Evidence) -> Part:
    """Section 2: what happens to a photograph before it is judged, and why."""
    config = evidence.config
    taps = ", ".join(f"{name} (every {stride} pixels)" for name, stride in evidence.taps)
    rows = [
        ("reading", "turned upright by its EXIF note, 8 bits, three colours", "cameras store these in different ways"),
        ("resizing", _resizing(evidence), "the network needs a bounded size; the shape of the parts must not change"),
        (
            "borders",
            f"reflected by {plural(config.embedding.margin, 'patch', 'patches')}",
            "the frame of a picture otherwise looks strange to the network",
        ),
        (
            "description",
            f"{evidence.backbone['name']}, frozen, read at {taps}",
            "a network that knows millions of everyday pictures describes patches well without being trained here",
        ),
        (
            "neighbourhood",
            f"mean over {config.embedding.neighbourhood} x {config.embedding.neighbourhood} patches, "
            + ("whitened" if config.embedding.whitening else "not whitened"),
            "a patch is judged with its surroundings; whitening keeps loud textures from drowning faint ones",
        ),
        (
            "memory",
            f"{evidence.bank_rows} patches chosen from {counted(evidence.bank_images, 'photograph')}",
            "the patches that cover the variety of good parts best, so that a search stays quick",
        ),
        (
            "score",
            f"mean of the strangest {100 * config.scoring.top_share:g} % of the map, smoothed by "
            f"{config.scoring.smoothing:g} patches",
            "steadier than the single strangest point",
        ),
        ("picture check", _check(evidence), "a picture taken differently must not be mistaken for damage"),
    ]
    blocks: list[Block] = [
        Paragraph(
            "Every photograph goes through the same steps, in training and afterwards. Nothing is tuned by hand to a "
            "single picture."
        ),
        Table(
            "Steps from the photograph to the score.", ("step", "this model", "why"), tuple(rows), False, (1, 2.7, 3)
        ),
    ]
    return Part(Section("2  What happens to a photograph, and why", tuple(blocks)))


def _resizing(evidence: Evidence) -> str:
    size = evidence.config.geometry.size
    if not evidence.photo_sizes:
        return f"to about {size} x {size} pixels, aspect ratio kept"
    (width, height), times = _usual(evidence.photo_sizes)
    factor = (width * height) ** 0.5 / size
    kept = "reduced" if factor > 1.02 else "enlarged" if factor < 0.98 else "kept"
    photographs = len(evidence.photo_sizes)
    some = f" ({times} of {photographs} photographs)" if times < photographs else ""
    return (
        f"typically {width} x {height} pixels{some}, {kept} to about {size} x {size}, aspect ratio kept; one "
        f"pixel of the network is {factor:.2g} of the photograph"
    )


def _usual(sizes: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], int]:
    """Return the most frequent (width, height) and how often it occurs; of several, the middle one by area.

    A median width beside a median height may be a size that no photograph has.
    """
    counts = Counter(sizes)
    most = max(counts.values())
    often = sorted((size for size, times in counts.items() if times == most), key=lambda size: (math.prod(size), size))
    return often[(len(often) - 1) // 2], most


def _check(evidence: Evidence) -> str:
    if not evidence.config.capture.check:
        return "switched off"
    if not evidence.ordinary:
        return "no limits could be learnt"
    light, sharp = evidence.ordinary["brightness"], evidence.ordinary["sharpness"]
    return f"ordinary: brightness {light[0]:.2f} to {light[1]:.2f}, sharpness {sharp[0]:.2g} to {sharp[1]:.2g}"
