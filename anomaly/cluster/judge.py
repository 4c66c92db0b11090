"""What a worker that judges is told, and what it does: one image at a time, on one core."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from anomaly.detector.trained_model import load_detector
from anomaly.embedding.runtime import Device
from anomaly.errors import ImageError, TrainedModelError
from anomaly.types import Prediction
from memory_bank import use_threads

Judgement: TypeAlias = Prediction | ImageError
"""A verdict, or what is wrong with the file."""


@dataclass(frozen=True)
class Order:
    """What every worker needs to know.

    Attributes
    ----------
    model : str
        Folder of the trained model, under the same name on every machine.
    folder : str
        What relative names of images are meant from, where a machine has it.
    device : Device
    part_type : str
    check_capture : bool
    manifest_sha256 : str
        What the folder holds, since each worker reads it when it starts, even long after the others; empty: whatever
        it holds.
    """

    model: str
    folder: str
    device: Device = "auto"
    part_type: str = ""
    check_capture: bool = True
    manifest_sha256: str = ""


class Judge:
    """What a worker holds: a detector that uses one core.

    Raises
    ------
    TrainedModelError
        The trained model cannot be used, or is not the one that was ordered.
    """

    def __init__(self, order: Order) -> None:
        use_threads(1)
        with suppress(OSError):
            os.chdir(order.folder)
        detector = load_detector(order.model, device=order.device)
        source = detector.source
        if order.manifest_sha256 and source is not None and source.manifest_sha256 != order.manifest_sha256:
            raise TrainedModelError(
                f"the trained model in {order.model} has changed since this call began, or is another one on a machine "
                "of the cluster: repeat the command",
                path=order.model,
            )
        extractor = replace(detector.extractor, runtime=detector.extractor.runtime.on_one_core())
        self._detector = replace(
            detector, extractor=extractor, capture=detector.capture if order.check_capture else None
        )
        self._part_type = order.part_type

    def work(self, path: str) -> Judgement:
        """Return the verdict without its map, which no row needs and which is larger than the photograph."""
        try:
            found = self._detector.predict(path, part_type=self._part_type)
        except ImageError as error:
            return error
        return replace(found, anomaly_map=np.zeros((0, 0), np.float32))
