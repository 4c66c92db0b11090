"""Evaluation: labelled images and their scores in; counts, rates and areas with intervals out."""

from anomaly.evaluation.bootstrap import average_precision_interval
from anomaly.evaluation.evaluate import EvaluatedDetector, check_installed, evaluate, read_mask
from anomaly.evaluation.metrics import (
    Confusion,
    Interval,
    Rate,
    Undefined,
    auroc_interval,
    average_precision,
    confusion,
    image_auroc,
    rate_interval,
)
from anomaly.evaluation.reliability import Reliability, ReliabilityBin, reliability
from anomaly.evaluation.report import (
    EvaluationReport,
    FailedImage,
    PixelReport,
    SliceReport,
    add_pixel_metrics,
    evaluate_scores,
)

__all__ = [
    "Confusion",
    "EvaluatedDetector",
    "EvaluationReport",
    "FailedImage",
    "Interval",
    "PixelReport",
    "Rate",
    "Reliability",
    "ReliabilityBin",
    "SliceReport",
    "Undefined",
    "add_pixel_metrics",
    "auroc_interval",
    "average_precision",
    "average_precision_interval",
    "check_installed",
    "confusion",
    "evaluate",
    "evaluate_scores",
    "image_auroc",
    "rate_interval",
    "read_mask",
    "reliability",
]
