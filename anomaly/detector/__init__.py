"""Fit, score, calibrate, keep: ``PatchCore(config).fit(images) -> Detector`` and the trained-model folder.

What fits (:mod:`~anomaly.detector.patchcore`, :mod:`~anomaly.detector.training`) is imported by name: predicting
needs none of it.
"""

from anomaly.detector.detector import Detector
from anomaly.detector.features import BankImage, Extractor
from anomaly.detector.progress import Progress, silent
from anomaly.detector.trained_model import (
    fingerprint,
    load_detector,
    read_manifest,
    save_bank_change,
    save_calibration,
    save_detector,
    training_fingerprint,
)

__all__ = [
    "BankImage",
    "Detector",
    "Extractor",
    "Progress",
    "fingerprint",
    "load_detector",
    "read_manifest",
    "save_bank_change",
    "save_calibration",
    "save_detector",
    "silent",
    "training_fingerprint",
]
