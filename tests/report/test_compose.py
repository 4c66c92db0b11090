"""A whole report: what users have written stands in it as they wrote it."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

from anomaly.calibration import CalibrationRecord, calibrate
from anomaly.dataset import SplitEntry
from anomaly.detector.origin import Provenance
from anomaly.experiment import Experiment, TrialRow
from anomaly.report import compose
from anomaly.report.document import to_plain
from anomaly.report.evidence import Evidence
from anomaly.report.results import Example
from anomaly.types import DAMAGED, UNDAMAGED
from tests.report.samples import capture, evidence, examined, found, missed, passed, scores

PLAIN, ODD = "An odd name", "An `o`*d**d** \\`name"


def named(name: str) -> Evidence:
    """Evidence with a name wherever a user may have written one."""
    wrong = missed(8, part_type=name, defect=name, group=name)
    right = (*found(20, part_type="gears", defect="rust"), *passed(20, part_type="gears"))
    rows = [*capture(name, brightness=0.2, sharpness=0.01), *capture("z", brightness=0.9, sharpness=0.9)]
    results = dataclasses.replace(
        examined((*wrong, *right), capture=rows, missing=1),
        data=name,
        examples=(Example("example-1.jpg", f"damaged/{name}", DAMAGED, UNDAMAGED, 1.0, name),),
    )
    good, bad = [1.0, 1.1, 1.2], [2.0, 2.1, 2.2]
    record = CalibrationRecord(
        1, "2026-11-22T10:00:00+00:00", name, "training", calibrate(good, bad),
        (*scores(UNDAMAGED, good), *scores(DAMAGED, bad)),
    )  # fmt: skip
    known = evidence(results, test=(*wrong, *right), data=name, model=name)
    bank = SplitEntry("bank.png", "0" * 64, UNDAMAGED, "bank", part_type=name, group=name)
    settings = dataclasses.replace(known.config, embedding=dataclasses.replace(known.config.embedding, weights=name))
    return dataclasses.replace(
        known,
        config=settings,
        provenance=Provenance(
            data=name, layout=name, splits=(*known.provenance.splits, bank), notes=(name,), selection=(name,)
        ),
        backbone={"name": "any", "origin": "", "sha256": "", "licence": ""},
        record=record,
        data_licence=name,
        experiment=experiment(name),
        work=name,
    )


def experiment(name: str) -> Experiment:
    rows = tuple(TrialRow(n, {"embedding.taps": (name,)}, 0.1 + n, 0.01, 0.9, 0.8, 0.95, 3, 1.0) for n in range(2))
    return Experiment(
        identity="e", created="", data="parts/", dataset="d", images="i", config={}, space={"repeats": 2, "folds": 3},
        undamaged=20, damaged=9, units=29, kept_together=True, trials=rows, best=0, chosen=0, reason=name,
        importance={}, memory_curve=(), label_curve=(),
    )  # fmt: skip


def composed(name: str) -> Any:
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    document, _ = compose(named(name), moment=moment, examples={"example-1.jpg": b""})
    return to_plain(document)


def test_no_name_of_a_user_becomes_markup() -> None:
    odd = json.dumps(composed(ODD)).replace(json.dumps(ODD)[1:-1], PLAIN)
    assert json.loads(odd) == composed(PLAIN)
    assert odd.count(PLAIN) > 20
