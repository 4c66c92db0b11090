"""Whether pictures still come as they did in training: a sequential test over the journal, and the likely cause.

Changes nothing: what to do is said, never done.
"""

from anomaly.drift.causes import CAUSES, Cause
from anomaly.drift.evidence import SequentialTest
from anomaly.drift.monitor import DriftReport, monitor, usual_share

__all__ = ["CAUSES", "Cause", "DriftReport", "SequentialTest", "monitor", "usual_share"]
