"""What verbs print with ``--json``, for ``docs/cli.md``: the keys of the object, in their order.

Those of ``--predict`` and ``--heatmap`` are in :mod:`anomaly.cli.rows`. A test holds what is printed against these.
"""

from __future__ import annotations

from anomaly.calibration.calibration import FIELDS

_RECORD = ("version", "created", "reason", "source", *FIELDS)

KEYS: dict[str, tuple[str, ...]] = {
    "--train": (
        "model", "fingerprint", "data", "layout", "notes", "selection", "parts", "splits", "threshold",
        "part_type_thresholds", "objective", "validation", "test", "suspects",
    ),
    "--recalibrate": (*_RECORD, "previous_version", "previous_threshold"),
    "--recalibrate --history": ("event", *_RECORD, "stands"),
    "--evaluate": (
        "overall", "by_part_type", "by_defect", "by_group", "threshold", "reinspect_above", "confidence", "pixels",
        "probabilities", "failed", "part_type_thresholds", "not_judged",
    ),
    "--info": (
        "model", "fingerprint", "format", "bytes", "created", "data", "layout", "notes", "selection", "parts", "splits",
        "bank", "backbone", "config", "calibration", "libraries",
    ),
    "--verdict": ("path", "truth", "label"),
    "--monitor": (
        "pictures", "changed", "cause", "words", "advice", "also", "stream", "stream_words", "start", "alarm", "last",
        "level",
    ),
    "--learn-good, --forget": (
        "images", "bank_images", "labelled", "before", "after", "kept", "version",
    ),
    "--report": ("report", "pages", "results", "test"),
}  # fmt: skip

REMARKS = {
    "--train": "`test` is what `--evaluate` prints, `validation` counts; `suspects` have `image`, `score`, `limit`, "
    "`left_out` and `heatmap`",
    "--recalibrate": "with two promised rates also `max_miss_rate`, `max_false_alarm_rate`, `reinspect_above` and how "
    "many are to be reinspected; `by_part_type` where types have thresholds of their own",
    "--recalibrate --history": "an object a line; a rollback has `event`, `from_version`, `to_version`, `created` and "
    "`reason`",
    "--evaluate": 'a measure that is undefined is `{"undefined": why}`, a rate has its interval; `not_judged` names '
    "the images that `--predict` would not judge, and that count here by their score",
    "--verdict": "an object for each image; `label` is what was judged",
    "--monitor": "`start`, `alarm` and `last` have `number`, of the picture, and `time`",
    "--learn-good, --forget": "see [below](#changing-the-memory-bank)",
    "--report": "`test` has `judged`, `not_found` and `failed`",
}
