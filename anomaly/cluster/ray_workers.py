"""Workers on many machines: Ray actors. The only importer of ray."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from anomaly.cluster.hand_out import WorkerLost, hand_out
from anomaly.cluster.judge import Judge, Judgement, Order
from anomaly.cluster.processes import cores
from anomaly.errors import RuntimeUnavailableError

LOCAL = "local"
"""The address that stands for workers on this machine alone."""


def judge_on_cluster(
    address: str, order: Order, paths: Sequence[str], *, workers: int | None = None
) -> Generator[tuple[str, Judgement], None, None]:
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
    tuple of (str, Judgement)
        Path and verdict, or what is wrong with the file; each path once, in the order in which they are done.

    Raises
    ------
    RuntimeUnavailableError
        Ray is not installed, the cluster does not answer, or no worker could load the trained model.
    """
    with session(address) as (ray, free):
        yield from hand_out(RayWorkers(ray, Judge, order), paths, count=min(workers or free, len(paths)))


class RayWorkers:
    """See :class:`anomaly.cluster.hand_out.Workers`: actors of one core each.

    Parameters
    ----------
    ray : module
        Connected.
    kind : type
        What an actor holds; its method ``work`` takes the name of a task.
    order : object
        What it is made with, or a reference to that.
    """

    def __init__(self, ray: Any, kind: type, order: object) -> None:
        self._ray, self._order = ray, order
        self._actor = ray.remote(kind).options(num_cpus=1)
        self._running: dict[Any, Any] = {}

    def start(self) -> Any:
        """Start an actor."""
        return self._actor.remote(self._order)

    def give(self, worker: Any, name: str) -> None:
        """Give it a task."""
        self._running[worker.work.remote(name)] = worker

    def next_answer(self) -> tuple[Any, Any]:
        """Return the next answer."""
        (ref,), _ = self._ray.wait(list(self._running), num_returns=1)
        worker = self._running.pop(ref)
        try:
            return worker, self._ray.get(ref)
        except self._ray.exceptions.RayTaskError:
            raise
        except self._ray.exceptions.RayError as error:
            told = (line for line in reversed(str(error).splitlines()) if line.strip())
            return worker, WorkerLost(next(told, "no reason told").strip())


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
