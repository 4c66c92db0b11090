"""Write the golden trained model: ``python -m tests.golden.make FOLDER``, once for each format version.

A model of an old format is never written again: that it still loads is what the test is for.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from anomaly.config import config_from_dict
from anomaly.dataset import read_dataset
from anomaly.detector import save_detector
from anomaly.detector.training import train
from tests.parts import draw_part, write_dataset

CONFIG = {
    "geometry": {"size": 64},
    "embedding": {"taps": ["block1", "block2"], "whitening": True},
    "bank": {"max_rows": 60},
}


def main(folder: Path) -> None:
    """Train on drawn parts and record what the model says of two more."""
    with tempfile.TemporaryDirectory() as data:
        dataset = read_dataset(write_dataset(Path(data), undamaged=10, damaged=4))
        detector = train(dataset, config_from_dict(CONFIG), data="drawn parts", device="cpu").detector
    save_detector(detector, folder / "trained")
    said = {}
    for name, damaged in (("good", False), ("bad", True)):
        prediction = detector.predict(draw_part(800, damaged=damaged))
        said[name] = {"label": prediction.label, "score": prediction.score, "threshold": prediction.threshold}
    (folder / "expected.json").write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
