"""Photographs embedded by the workers of a Ray cluster, for a fit that happens here."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from anomaly.cluster.hand_out import hand_out, in_order
from anomaly.cluster.ray_workers import RayWorkers, session
from anomaly.config import Config
from anomaly.detector.embedded import EmbedAll, Embedded, Wanted, embed_one
from anomaly.detector.features import Extractor
from anomaly.detector.origin import EmbeddingFiles
from anomaly.embedding.openvino_runtime import OpenVINORuntime
from anomaly.errors import ImageError
from anomaly.imaging.geometry import Geometry


@dataclass(frozen=True)
class EmbeddingOrder:
    """What every worker needs to know.

    Attributes
    ----------
    xml, weights : bytes
        The embedding network, as the driver exported it.
    geometry : Geometry
    config : Config
    wanted : mapping of str to Wanted
        The photographs, by the names that are handed out.
    folder : str
        What relative names of photographs are meant from, where a machine has it.
    """

    xml: bytes
    weights: bytes
    geometry: Geometry
    config: Config
    wanted: Mapping[str, Wanted]
    folder: str


class Embedder:
    """What an actor holds: an embedding network that uses one core."""

    def __init__(self, order: EmbeddingOrder) -> None:
        with suppress(OSError):
            os.chdir(order.folder)
        runtime = OpenVINORuntime(order.xml, order.weights, one_core=True)
        self._extractor = Extractor(order.geometry, runtime)
        self._order = order

    def work(self, name: str) -> Embedded | ImageError:
        """Return what a fit takes from a photograph, or what is wrong with it."""
        try:
            return embed_one(self._extractor, self._order.wanted[name], self._order.config)
        except ImageError as error:
            return error


@contextmanager
def embedding_on_cluster(address: str) -> Iterator[EmbedAll]:
    """Have photographs embedded by a cluster, connected until the block ends.

    Parameters
    ----------
    address : str
        Of a Ray cluster, as ``ray.init`` takes it; ``local``: workers on this machine, gone when it is done.

    Yields
    ------
    EmbedAll
        For :class:`anomaly.PatchCore`. The photographs must be different files, readable under the same name on every
        machine. It raises ``RuntimeUnavailableError`` where no worker could begin.

    Raises
    ------
    RuntimeUnavailableError
        Ray is not installed, or the cluster does not answer.
    """
    with session(address) as (ray, cores):

        def embed_all(
            extractor: Extractor, files: EmbeddingFiles, wanted: Sequence[Wanted], config: Config
        ) -> Generator[Embedded, None, None]:
            by_name = {str(one.path): one for one in wanted}
            order = ray.put(
                EmbeddingOrder(files.xml, files.weights, extractor.geometry, config, by_name, str(Path.cwd()))
            )
            names = list(by_name)
            answers = hand_out(RayWorkers(ray, Embedder, order), names, count=min(cores, len(names)))
            with closing(answers):
                for found in in_order(answers, names):
                    if isinstance(found, ImageError):
                        raise found
                    yield found

        yield embed_all
