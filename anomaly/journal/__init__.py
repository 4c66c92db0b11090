"""What was judged, one row per image, in an SQLite file that survives kills and several writers."""

from anomaly.journal.entry import JournalEntry, time_text
from anomaly.journal.store import Journal
from anomaly.journal.verdicts import OperatorVerdict

__all__ = ["Journal", "JournalEntry", "OperatorVerdict", "time_text"]
