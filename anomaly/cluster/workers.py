"""Images to workers and answers back, whatever happens to a worker. The only importer of ray.

A worker is a Ray actor: one that judges loads the trained model once and judges one image at a time on one core. What
was given to a worker that was lost is given to another; an answer is handed over once, when it arrives
(docs/decisions/0023-several-images-at-a-time.md).
"""

from __future__ import annotations

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from anomaly.detector.pipeline import cores
from anomaly.detector.trained_model import load_detector
from anomaly.embedding.runtime import Device
from anomaly.errors import ImageError, RuntimeUnavailableError
from anomaly.types import Prediction
from memory_bank import use_threads

Judgement: TypeAlias = tuple[str, Prediction | ImageError]

LOCAL = "local"
"""The address that stands for workers on this machine alone."""
ATTEMPTS = 4
"""Workers that may be lost over one image before it is given up."""


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
    """

    model: str
    folder: str
    device: Device = "auto"
    part_type: str = ""
    check_capture: bool = True


class Judge:
    """What an actor holds: a detector that uses one core."""

    def __init__(self, order: Order) -> None:
        use_threads(1)
        with suppress(OSError):
            os.chdir(order.folder)
        detector = load_detector(order.model, device=order.device)
        # Two streams share two threads; only one of them is used here.
        extractor = replace(detector.extractor, runtime=detector.extractor.runtime.in_streams(2))
        self._detector = replace(
            detector, extractor=extractor, capture=detector.capture if order.check_capture else None
        )
        self._part_type = order.part_type

    def work(self, path: str) -> Prediction | ImageError:
        """Return the verdict without its map, which nobody needs and which is larger than the photograph."""
        try:
            found = self._detector.predict(path, part_type=self._part_type)
        except ImageError as error:
            return error
        return replace(found, anomaly_map=np.zeros((0, 0), np.float32))


def judge_on_cluster(
    address: str, order: Order, paths: Sequence[str], *, workers: int | None = None
) -> Generator[Judgement, None, None]:
    """Judge images on a cluster.

    Parameters
    ----------
    address : str
        Of a Ray cluster, as ``ray.init`` takes it; ``local``: workers on this machine, gone when it is done.
    order : Order
    paths : sequence of str
        All different; readable under the same name on every machine.
    workers : int, optional
        As many as the cluster has free cores, by default.

    Yields
    ------
    Judgement
        Path and verdict, or what is wrong with the file; each path once, in the order in which they are done.

    Raises
    ------
    RuntimeUnavailableError
        Ray is not installed, the cluster does not answer, or no worker could load the trained model.
    """
    with session(address) as (ray, free):
        actor = ray.remote(Judge).options(num_cpus=1)
        yield from hand_out(ray, lambda: actor.remote(order), paths, workers=min(workers or free, len(paths)))


@contextmanager
def session(address: str) -> Iterator[tuple[Any, int]]:
    """Connect to a cluster until the block ends.

    Yields
    ------
    tuple of (module, int)
        ray, and how many cores the cluster has free, at least 1.

    Raises
    ------
    RuntimeUnavailableError
        Ray is not installed, or the cluster does not answer.
    """
    ray = _started(address)
    try:
        yield ray, max(1, int(ray.available_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


def _started(address: str) -> Any:
    """Return the ray module, connected."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported over the network
    # Ray prints what happens to a worker on stdout, among the verdicts, unless it may skip it; read at its import.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    try:
        import ray
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"--ray needs Ray, which cannot be imported ({error}): pip install 'goodparts[cluster]'"
        ) from error
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if address == LOCAL:
            ray.init(address=LOCAL, num_cpus=cores(), include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RuntimeUnavailableError(
            f"--ray {address}: expected a Ray cluster that answers, got {reason}; start one with ray start --head, "
            "or use --ray local"
        ) from error
    return ray


def hand_out(
    ray: Any, make: Callable[[], Any], paths: Sequence[str], *, workers: int
) -> Generator[tuple[str, Any], None, None]:
    """Give each idle worker an image; replace the workers that are lost.

    Parameters
    ----------
    ray : module
    make : callable
        Makes a worker: a Ray actor whose method ``work`` takes a path.
    paths : sequence of str
        All different.
    workers : int

    Yields
    ------
    tuple of (str, object)
        A path and the answer, or an ``ImageError`` where several workers were lost over it; each path once, in the
        order in which they are done.

    Raises
    ------
    RuntimeUnavailableError
        Every worker was lost before its first answer.
    """
    todo, lost = deque(paths), Counter[str]()
    idle, running = [make() for _ in range(workers)], dict[Any, tuple[Any, str]]()
    answered = False
    while todo or running:
        while todo and idle:
            worker, path = idle.pop(), todo.popleft()
            running[worker.work.remote(path)] = (worker, path)
        for ref in ray.wait(list(running), num_returns=1)[0]:
            worker, path = running.pop(ref)
            try:
                found = ray.get(ref)
            except ray.exceptions.RayTaskError:  # a fault of the program, not of a machine
                raise
            except ray.exceptions.RayError as error:
                lost[path] += 1
                if not answered and lost.total() >= max(ATTEMPTS, workers):
                    raise _useless(error) from error
                idle.append(make())
                if lost[path] < ATTEMPTS:
                    todo.appendleft(path)
                    continue
                found = ImageError(f"expected an answer, got {ATTEMPTS} lost workers; try it alone", path=path)
            else:
                answered = True
                idle.append(worker)
            yield path, found


def _useless(error: Exception) -> RuntimeUnavailableError:
    last = next((line for line in reversed(str(error).splitlines()) if line.strip()), "no reason told").strip()
    return RuntimeUnavailableError(
        f"--ray: every worker was lost before its first answer, the last with: {last}; trained model and images must "
        "be readable under the same names on every machine, and goodparts installed"
    )
