"""What an ordinary picture of the trained parts is like, and which pictures are not.

NumPy on numbers: knows no image and no threshold. Fitting (:mod:`~anomaly.capture.fit`) is imported by
name, since judging needs none of it.
"""

from anomaly.capture.faults import FAULTS
from anomaly.capture.measures import MEASURES, capture_sample
from anomaly.capture.reference import CaptureReference, CaptureVerdict

__all__ = ["FAULTS", "MEASURES", "CaptureReference", "CaptureVerdict", "capture_sample"]
