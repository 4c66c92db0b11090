"""Many images, several at a time: one is decoded or embedded while others are searched or measured.

Each image is judged by one thread from the file to the verdict, and every stage uses that thread alone: the network
runs in as many streams as there are cores, a search uses one core. So no stage waits for another, none divides its
work and collects it again, and what comes out is the same, bit by bit, as judging one image at a time
(docs/decisions/0023-several-images-at-a-time.md).
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from anomaly.detector.crew import Crew
from anomaly.detector.detector import Detector
from anomaly.errors import ImageError
from anomaly.types import Prediction
from memory_bank import use_threads

FEW = 4
"""Images that are judged one after the other, since making the network ready for streams takes longer than it saves."""
_AHEAD = 2
"""Images in hand for each worker: what bounds the memory, and how far the fastest may run ahead of the slowest."""


def predict_all(
    detector: Detector, paths: Sequence[Path | str], *, part_type: str = "", workers: int | None = None
) -> Generator[Prediction | ImageError, None, None]:
    """Judge images, several at a time, and hand over each verdict in the order of the images.

    Close the iterator, or use it up: images that were begun are finished then, and no other is begun. An interrupt
    (Ctrl-C) at any moment does the same (:mod:`anomaly.detector.crew`).

    Parameters
    ----------
    detector : Detector
    paths : sequence of path
    part_type : str
        Of all of them; see :meth:`Detector.predict`.
    workers : int, optional
        Images judged at a time; by default one more than this process has cores, so that reading a file leaves no core
        idle. With 1, or with few images, they are judged one after the other.

    Yields
    ------
    Prediction or ImageError
        One for each path: the verdict, or what is wrong with the file. At most twice as many images as there are
        workers are held at any time, however many there are in all.
    """
    workers = cores() + 1 if workers is None else workers
    if workers < 2 or cores() < 2 or len(paths) <= FEW:
        for path in paths:
            yield _predict(detector, path, part_type)
        return
    prepared = _prepared(detector)
    crew = Crew[Path | str, Prediction | ImageError](
        lambda path: _predict(prepared, path, part_type), workers=workers, ahead=_AHEAD, prepare=lambda: use_threads(1)
    )
    ahead = iter(paths)
    for path in ahead:
        # Alone until one was judged: what libraries prepare at their first use, not all prepare safely for two threads.
        first = _predict(prepared, path, part_type)
        yield first
        if not isinstance(first, ImageError):
            break
    with closing(crew.run(ahead)) as found:
        yield from found


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _prepared(detector: Detector) -> Detector:
    """Return the same detector with a network that threads can share and banks ready to be searched."""
    for bank in detector.banks:
        bank.search(bank.vectors[:1])  # the index is made by all cores, not by the one thread that comes first
    runtime = detector.extractor.runtime.in_streams(cores())
    return replace(detector, extractor=replace(detector.extractor, runtime=runtime))


def _predict(detector: Detector, path: Path | str, part_type: str) -> Prediction | ImageError:
    try:
        return detector.predict(path, part_type=part_type)
    except ImageError as error:
        return error
