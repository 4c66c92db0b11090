"""goodparts: visual quality inspection that learns from undamaged parts only.

    detector = PatchCore(config).fit(images)                          # undamaged images -> Detector, uncalibrated
    detector = detector.calibrate("labelled/", objective="accuracy")  # labelled images -> threshold
    prediction = detector.predict("image.png")                        # .label .score .anomaly_map .regions

The public names below are imported when they are first used, so that ``import anomaly`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anomaly.calibration import Calibration, calibrate
    from anomaly.config import Config, load_config
    from anomaly.detector.detector import Detector
    from anomaly.detector.patchcore import PatchCore
    from anomaly.errors import AnomalyError
    from anomaly.evaluation import EvaluationReport, evaluate
    from anomaly.imaging.heatmap import render_heatmap
    from anomaly.types import Prediction, Region

_HOMES = {
    "AnomalyError": "anomaly.errors",
    "Calibration": "anomaly.calibration",
    "Config": "anomaly.config",
    "Detector": "anomaly.detector.detector",
    "EvaluationReport": "anomaly.evaluation",
    "PatchCore": "anomaly.detector.patchcore",
    "Prediction": "anomaly.types",
    "Region": "anomaly.types",
    "calibrate": "anomaly.calibration",
    "evaluate": "anomaly.evaluation",
    "load_config": "anomaly.config",
    "render_heatmap": "anomaly.imaging.heatmap",
}

__all__ = [
    "AnomalyError",
    "Calibration",
    "Config",
    "Detector",
    "EvaluationReport",
    "PatchCore",
    "Prediction",
    "Region",
    "calibrate",
    "evaluate",
    "load_config",
    "render_heatmap",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'anomaly' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
