"""Judged photographs and capture rows out of nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from anomaly.calibration import ScoredImage
from anomaly.config import Config
from anomaly.dataset import SplitEntry
from anomaly.detector.origin import Provenance
from anomaly.evaluation import evaluate_scores
from anomaly.report.evidence import Evidence
from anomaly.report.results import CaptureRow, ExaminedImage, TestResults
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
    met: bool | None = None,
) -> ExaminedImage:
    """One photograph of the test split."""
    name = f"{label}-{number}.png"
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return ExaminedImage(name, sha256, label, score, verdict, part_type, group, defect, damaged_px, 10_000, met=met)


def found(n: int, *, first: int = 0, **facts: object) -> list[ExaminedImage]:
    """Damaged photographs that were found."""
    return [judged(first + i, DAMAGED, DAMAGED, **facts) for i in range(n)]  # type: ignore[arg-type]


def missed(n: int, *, first: int = 100, **facts: object) -> list[ExaminedImage]:
    """Damaged photographs that were missed."""
    return [judged(first + i, DAMAGED, UNDAMAGED, **facts) for i in range(n)]  # type: ignore[arg-type]


def passed(n: int, *, first: int = 200, **facts: object) -> list[ExaminedImage]:
    """Undamaged photographs that passed."""
    return [judged(first + i, UNDAMAGED, UNDAMAGED, **facts) for i in range(n)]  # type: ignore[arg-type]


def flagged(n: int, *, first: int = 300, **facts: object) -> list[ExaminedImage]:
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


def examined(
    images: Sequence[ExaminedImage] = (),
    *,
    failed: Sequence[str] = (),
    missing: int = 0,
    capture: Sequence[CaptureRow] = (),
) -> TestResults:
    """What an examination found."""
    return TestResults(
        training="abc",
        calibration=1,
        created="2026-11-22T10:00:00+00:00",
        data="here/",
        seconds_per_image=None,
        images=tuple(images),
        failed=tuple((name, "empty") for name in failed),
        pixels={},
        capture=tuple(capture),
        missing=missing,
    )


def evidence(
    results: TestResults | None = None,
    *,
    test: Sequence[ExaminedImage] = (),
    bank: int = 0,
    data: str = "parts/",
    model: str = "trained",
) -> Evidence:
    """A trained model that was to be tested on these photographs."""
    splits = [SplitEntry(image.name, image.sha256, image.label, "test") for image in test]
    splits += [SplitEntry(f"bank-{i}", f"{i:064x}", UNDAMAGED, "bank") for i in range(bank)]
    images = results.images if results else ()
    return Evidence(
        model=model,
        fingerprint="f",
        training="abc",
        config=Config(),
        provenance=Provenance(data=data, splits=tuple(splits)),
        backbone={},
        libraries={},
        taps=(),
        bank_images=bank,
        bank_rows=0,
        photo_sizes=(),
        ordinary={},
        record=None,
        calibrations=0,
        left_out_scores=(),
        results=results,
        test=evaluate_scores([image.scored() for image in images], None) if images else None,
    )
