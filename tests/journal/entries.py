"""Journal rows for tests."""

from __future__ import annotations

import numpy as np

from anomaly.journal import JournalEntry


def entry(number: int = 0, *, path: str = "part.png", model: str = "abc") -> JournalEntry:
    random = np.random.default_rng(number)
    return JournalEntry(
        time="2026-01-02T03:04:05+00:00",
        path=path,
        sha256=f"{number:064x}",
        model=model,
        calibration_version=1,
        label="undamaged",
        score=float(random.uniform(0.5, 1.5)),
        threshold=1.7,
        probability=None,
        measures={"brightness": 0.5, "log_sharpness": -7.0},
        warnings=("out of focus",),
        strangeness=random.normal(size=(4, 4)).astype(np.float32),
        embedding=random.normal(size=232).astype(np.float32),
    )
