"""Predictions to the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from anomaly.journal import Journal, JournalEntry, time_text
from anomaly.types import Prediction


@dataclass(frozen=True)
class Recorder:
    """Appends what one trained model said.

    Attributes
    ----------
    journal : Journal
    model : str
        See :func:`anomaly.detector.training_fingerprint`.
    """

    journal: Journal
    model: str

    def append(self, prediction: Prediction) -> None:
        """Add one row; when this returns, it is on the disk.

        Raises
        ------
        JournalError
        """
        sample = prediction.capture
        assert sample is not None
        self.journal.append(
            JournalEntry(
                time=time_text(datetime.now(UTC)),
                path=prediction.path,
                sha256=prediction.sha256,
                model=self.model,
                calibration_version=prediction.calibration_version,
                label=prediction.label,
                score=prediction.score,
                threshold=prediction.threshold,
                probability=prediction.probability,
                measures=sample.measures,
                warnings=prediction.quality.warnings,
                strangeness=sample.strangeness,
                embedding=sample.embedding,
            )
        )
