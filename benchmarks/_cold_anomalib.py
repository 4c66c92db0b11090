"""One cold prediction by anomalib: ``python _cold_anomalib.py engine|torch|openvino MODEL IMAGE [NORMALISATION]``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import _anomalib_side


def main() -> None:
    """Print the score."""
    route, model, image, *rest = sys.argv[1:]
    if route == "engine":
        score = _anomalib_side.predict_engine(model, image, normalisation=rest[0])
    elif route == "torch":
        score = _anomalib_side.predict_torch(model, image)
    else:
        score = _anomalib_side.predict_openvino(model, image)
    print(f"score {score:.6g}")


if __name__ == "__main__":
    main()
