"""One fit in a process of its own: ``python -m benchmarks._jobs KIND JOB RESULT``, KIND one of :data:`KINDS`.

A job is a JSON file with ``train``, ``test`` (paths), ``damaged`` (truth of the test images), ``timed`` (numbers of
the test images to time), ``seed``, ``ratio``, ``normalisation``, ``rows``, ``config`` and ``work`` (a folder).
The result file holds ``fit_seconds`` (all libraries imported beforehand), ``fit_peak_mb``, ``scores`` (raw, larger is
stranger), ``ms_per_image``, ``bank_rows`` and ``bank_numbers`` (rows times embedding size, over all banks).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import _anomalib_side


def fit_goodparts(job: Mapping[str, Any]) -> dict[str, Any]:
    """Fit PatchCore of this project with a given total of bank rows, spread evenly over its taps."""
    import timm
    import torch

    from anomaly.config import config_from_dict, replace_setting
    from anomaly.detector.patchcore import PatchCore
    from anomaly.embedding.registry import backbone

    del timm, torch  # imported for the clock's sake
    config = config_from_dict(dict(job["config"]))
    taps = backbone(config.embedding.backbone).select_taps(config.embedding.taps)
    for name, value in (
        ("seed", job["seed"]),
        ("bank.coreset_ratio", 1.0),
        ("bank.max_rows", max(1, job["rows"] // len(taps))),
    ):
        config = replace_setting(config, name, value)
    started = time.perf_counter()
    detector = PatchCore(config, device="cpu").fit(job["train"])
    fit_seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    scores, milliseconds = [], []
    for path in job["test"]:
        started = time.perf_counter()
        scores.append(detector.predict(path).score)
        milliseconds.append(1000 * (time.perf_counter() - started))
    timed = [milliseconds[i] for i in job["timed"]]
    return {
        "fit_seconds": fit_seconds,
        "fit_peak_mb": peak,
        "scores": scores,
        "ms_per_image": median(timed[1:] or timed),
        "bank_rows": sum(len(bank) for bank in detector.banks),
        "bank_numbers": sum(len(bank) * bank.dim for bank in detector.banks),
    }


def save_goodparts(job: Mapping[str, Any]) -> dict[str, Any]:
    """Fit as configured and save into ``model`` below the working folder."""
    from anomaly.config import config_from_dict
    from anomaly.detector.patchcore import PatchCore

    config = config_from_dict(dict(job["config"]))
    detector = PatchCore(config, device="cpu").fit(job["train"])
    detector.save(Path(job["work"]) / "model")
    return {"bank_rows": sum(len(bank) for bank in detector.banks)}


KINDS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "goodparts": fit_goodparts,
    "goodparts-save": save_goodparts,
    "anomalib": _anomalib_side.fit,
    "anomalib-save": _anomalib_side.save,
    "anomalib-models": _anomalib_side.make_models,
}


def main() -> None:
    """Run one job."""
    kind, job, result = sys.argv[1:]
    found = KINDS[kind](json.loads(Path(job).read_text(encoding="utf-8")))
    Path(result).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
