"""The embedding network of a configuration: loaded once, exported and run with or without whitening."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from anomaly.config import Config, EmbeddingConfig
from anomaly.detector.features import Extractor
from anomaly.detector.origin import EmbeddingFiles
from anomaly.embedding.openvino_runtime import OpenVINORuntime, export
from anomaly.embedding.registry import backbone
from anomaly.embedding.runtime import Device, Runtime, runtime_for
from anomaly.embedding.weights import StateDict, load_weights
from anomaly.embedding.whitening import Whitening
from anomaly.errors import ConfigError
from anomaly.imaging.geometry import Geometry

if TYPE_CHECKING:
    from anomaly.embedding.network import EmbeddingNetwork


@dataclass(frozen=True)
class _Ingredients:
    """What a network is made of, but for whitening; equal to any other with the same settings and weights."""

    config: EmbeddingConfig
    weights_sha256: str
    weights: StateDict = field(compare=False, repr=False)

    def network(self, whitening: Sequence[Whitening] = ()) -> EmbeddingNetwork:
        """Make it in torch, with some whitening as the last step or as it is."""
        from anomaly.embedding.network import EmbeddingNetwork

        return EmbeddingNetwork(backbone(self.config.backbone), self.config, weights=self.weights, whitening=whitening)


@lru_cache(maxsize=2)
def _exported_plain(ingredients: _Ingredients) -> tuple[bytes, bytes]:
    """Export without whitening, once for all that a process tries and fills with the same network."""
    return export(ingredients.network())


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
        chosen = backbone(config.embedding.backbone)
        taps = tuple(tap.name for tap in chosen.select_taps(config.embedding.taps))
        embedding = replace(config.embedding, taps=taps)
        self.config = replace(config, embedding=embedding)
        least = chosen.least_multiples
        if config.geometry.size < least * chosen.multiple:
            raise ConfigError(
                f"geometry.size is {config.geometry.size}: {chosen.name} needs at least {least * chosen.multiple}"
            )
        self._geometry = Geometry(config.geometry.size, chosen.multiple, least)
        weights, sha256 = load_weights(chosen, config.embedding.weights)
        self._ingredients = _Ingredients(embedding, sha256, weights)
        self._built: tuple[Extractor, EmbeddingFiles] | None = None
        self._device = device

    def build(self, whitening: Sequence[Whitening] = ()) -> tuple[Extractor, EmbeddingFiles]:
        """Export the network and make it run; without whitening once and for all.

        Parameters
        ----------
        whitening : sequence of Whitening
            One per tap, or none.
        """
        if whitening:
            return self._build(whitening)
        if self._built is None:
            self._built = self._build(())
        return self._built

    def _build(self, whitening: Sequence[Whitening]) -> tuple[Extractor, EmbeddingFiles]:
        xml, weights = export(self._ingredients.network(whitening)) if whitening else _exported_plain(self._ingredients)
        files = EmbeddingFiles(xml, weights, self._ingredients.weights_sha256, tuple(whitening))
        return Extractor(self._geometry, self._runtime(files)), files

    def _runtime(self, files: EmbeddingFiles) -> Runtime:
        def on_cuda() -> Runtime:
            from anomaly.embedding.torch_runtime import TorchRuntime

            return TorchRuntime(self._ingredients.network(files.whitening))

        return runtime_for(self._device, on_cpu=lambda: OpenVINORuntime(files.xml, files.weights), on_cuda=on_cuda)
