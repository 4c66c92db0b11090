"""Calibration: held-out scores in, a threshold that explains itself out.

Pure NumPy: no files, no images, no tensors. A detector adds the scores and keeps the texts.
"""

from anomaly.calibration.by_type import calibrate_by_type
from anomaly.calibration.calibration import (
    DEFAULT_CONFIDENCE,
    DEFAULT_FALSE_ALARM_TARGET,
    OBJECTIVES,
    Calibration,
    Objective,
)
from anomaly.calibration.choice import both_rates_thresholds, calibrate
from anomaly.calibration.history import CalibrationHistory, CalibrationRecord, Rollback
from anomaly.calibration.promise import (
    best_possible_rate,
    images_needed,
    max_false_alarm_threshold,
    max_miss_threshold,
)
from anomaly.calibration.scored import MergedScores, ScoredImage, ValidationScores, merge_scores, scores_by_label
from anomaly.calibration.threshold import (
    FalseAlarmThreshold,
    accuracy_threshold,
    cost_threshold,
    false_alarm_threshold,
)
from anomaly.calibration.venn_abers import VennAbers

__all__ = [
    "DEFAULT_CONFIDENCE",
    "DEFAULT_FALSE_ALARM_TARGET",
    "OBJECTIVES",
    "Calibration",
    "CalibrationHistory",
    "CalibrationRecord",
    "FalseAlarmThreshold",
    "MergedScores",
    "Objective",
    "Rollback",
    "ScoredImage",
    "ValidationScores",
    "VennAbers",
    "accuracy_threshold",
    "best_possible_rate",
    "both_rates_thresholds",
    "calibrate",
    "calibrate_by_type",
    "cost_threshold",
    "false_alarm_threshold",
    "images_needed",
    "max_false_alarm_threshold",
    "max_miss_threshold",
    "merge_scores",
    "scores_by_label",
]
