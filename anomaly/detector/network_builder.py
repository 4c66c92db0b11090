"""The embedding network of a configuration: loaded once, exported and run with or without whitening."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from anomaly.config import Config
from anomaly.detector.features import Extractor
from anomaly.detector.origin import EmbeddingFiles
from anomaly.embedding.openvino_runtime import OpenVINORuntime, export
from anomaly.embedding.registry import backbone
from anomaly.embedding.runtime import Device, Runtime, cuda_present
from anomaly.embedding.weights import load_weights
from anomaly.embedding.whitening import Whitening
from anomaly.errors import ConfigError
from anomaly.imaging.geometry import Geometry

if TYPE_CHECKING:
    from anomaly.embedding.network import EmbeddingNetwork


class NetworkBuilder:
    """Builds the embedding network of a configuration.

    Parameters
    ----------
    config : Config
    device : {"auto", "cpu", "cuda"}

    Attributes
    ----------
    config : Config
        The same with the taps by name, so that it says the same when the registry's default changes.

    Raises
    ------
    BackboneError
        Unknown, or its weights are not to be had.
    ConfigError
        The backbone has no such tap, or the network image is too small for it.
    """

    def __init__(self, config: Config, device: Device) -> None:
        self._backbone = backbone(config.embedding.backbone)
        taps = tuple(tap.name for tap in self._backbone.select_taps(config.embedding.taps))
        self._config = replace(config.embedding, taps=taps)
        self.config = replace(config, embedding=self._config)
        least = self._backbone.least_multiples
        if config.geometry.size < least * self._backbone.multiple:
            raise ConfigError(
                f"geometry.size is {config.geometry.size}: {self._backbone.name} needs at least "
                f"{least * self._backbone.multiple}"
            )
        self._geometry = Geometry(config.geometry.size, self._backbone.multiple, least)
        self._weights, self._weights_sha256 = load_weights(self._backbone, config.embedding.weights)
        self._plain: tuple[Extractor, EmbeddingFiles] | None = None
        self._cuda = device == "cuda" or (device == "auto" and cuda_present())

    def build(self, whitening: Sequence[Whitening] = ()) -> tuple[Extractor, EmbeddingFiles]:
        """Export the network and make it run; without whitening once and for all.

        Parameters
        ----------
        whitening : sequence of Whitening
            One per tap, or none.
        """
        if whitening:
            return self._export(whitening)
        if self._plain is None:
            self._plain = self._export(())
        return self._plain

    def _export(self, whitening: Sequence[Whitening]) -> tuple[Extractor, EmbeddingFiles]:
        network = self._network(whitening)
        xml, weights = export(network)
        files = EmbeddingFiles(xml, weights, self._weights_sha256, tuple(whitening))
        return Extractor(self._geometry, self._runtime(network, files)), files

    def _runtime(self, network: EmbeddingNetwork, files: EmbeddingFiles) -> Runtime:
        if self._cuda:
            from anomaly.embedding.torch_runtime import TorchRuntime

            return TorchRuntime(network)
        return OpenVINORuntime(files.xml, files.weights)

    def _network(self, whitening: Sequence[Whitening]) -> EmbeddingNetwork:
        from anomaly.embedding.network import EmbeddingNetwork

        return EmbeddingNetwork(self._backbone, self._config, weights=self._weights, whitening=whitening)
