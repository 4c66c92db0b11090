"""Judged photographs and capture rows out of nothing."""

from __future__ import annotations

import hashlib

from anomaly.calibration import ScoredImage
from anomaly.report.results import CaptureRow, JudgedImage
from anomaly.types import DAMAGED, UNDAMAGED, Label, Verdict


def judged(
    number: int,
    label: Label,
    verdict: Verdict | None,
    *,
    score: float = 1.0,
    part_type: str = "",
    group: str = "",
    defect: str = "",
    damaged_px: int | None = None,
) -> JudgedImage:
    """One photograph of the test split."""
    name = f"{label}-{number}.png"
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return JudgedImage(name, sha256, label, score, verdict, part_type, group, defect, damaged_px, 10_000)


def found(n: int, *, first: int = 0, **facts: object) -> list[JudgedImage]:
    """Damaged photographs that were found."""
    return [judged(first + i, DAMAGED, DAMAGED, **facts) for i in range(n)]  # type: ignore[arg-type]


def missed(n: int, *, first: int = 100, **facts: object) -> list[JudgedImage]:
    """Damaged photographs that were missed."""
    return [judged(first + i, DAMAGED, UNDAMAGED, **facts) for i in range(n)]  # type: ignore[arg-type]


def passed(n: int, *, first: int = 200, **facts: object) -> list[JudgedImage]:
    """Undamaged photographs that passed."""
    return [judged(first + i, UNDAMAGED, UNDAMAGED, **facts) for i in range(n)]  # type: ignore[arg-type]


def flagged(n: int, *, first: int = 300, **facts: object) -> list[JudgedImage]:
    """Undamaged photographs that were flagged."""
    return [judged(first + i, UNDAMAGED, DAMAGED, **facts) for i in range(n)]  # type: ignore[arg-type]


def capture(
    group: str,
    n: int = 4,
    *,
    part_type: str = "",
    label: Label = UNDAMAGED,
    width: int = 100,
    brightness: float = 0.5,
    contrast: float = 0.2,
    sharpness: float = 0.01,
    clipped_dark: float = 0.0,
    clipped_bright: float = 0.0,
) -> list[CaptureRow]:
    """Photographs of one session."""
    return [
        CaptureRow(
            f"{group}-{i}", "bank", label, part_type, group, width, 100, brightness, contrast, sharpness, clipped_dark,
            clipped_bright,
        )
        for i in range(n)
    ]  # fmt: skip


def scores(label: Label, values: list[float], group: str = "") -> list[ScoredImage]:
    """Validation scores."""
    return [
        ScoredImage(f"{label}{i}", hashlib.sha256(f"{label}{i}".encode()).hexdigest(), label, value, "", group)
        for i, value in enumerate(values)
    ]
