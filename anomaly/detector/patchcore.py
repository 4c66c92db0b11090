"""Fitting: undamaged images to one memory bank per tap.

PatchCore: Roth et al. 2022, "Towards Total Recall in Industrial Anomaly Detection",
https://arxiv.org/abs/2106.08265. Deviations, each measured (``docs/decisions/``): a bank per tap instead of
concatenated taps, whitening, greedy k-centre over all patches in full dimension instead of a random projection,
borders treated on purpose, the mean of the largest map values as image score instead of the re-weighted maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anomaly.config import Config
from anomaly.detector.detector import Detector, EmbeddingFiles
from anomaly.detector.features import BankImage, Extractor, patch_tags
from anomaly.detector.progress import Progress, silent
from anomaly.detector.thumbnails import Thumbnails, make_thumbnail
from anomaly.embedding.openvino_runtime import OpenVINORuntime, export
from anomaly.embedding.registry import Backbone, backbone
from anomaly.embedding.runtime import Device, Runtime, cuda_present
from anomaly.embedding.weights import StateDict, load_weights
from anomaly.embedding.whitening import Whitening, fit_whitening
from anomaly.errors import ConfigError, TooFewImagesError
from anomaly.imaging.decode import content_hash, load_image
from anomaly.imaging.geometry import Geometry
from anomaly.types import Float32Array
from memory_bank import CoresetBuilder, MemoryBank

if TYPE_CHECKING:
    from anomaly.embedding.network import EmbeddingNetwork

MIN_IMAGES = 2
"""Fewer undamaged images leave nothing to compare one with."""
_SAMPLE_IMAGES = 32
"""Images, evenly spaced, on which whitening and the scale of each tap are estimated."""
_MEMORY_MB = 1500
"""Working memory of the coreset selection of one tap."""


class PatchCore:
    """A detector before it has seen any image.

    Parameters
    ----------
    config : Config, optional
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes CUDA where the machine has a driver for it and OpenVINO on the CPU elsewhere.
    """

    def __init__(self, config: Config | None = None, *, device: Device = "auto") -> None:
        self.config = config or Config()
        self.device = device

    def fit(
        self,
        images: Sequence[Path | str],
        *,
        names: Sequence[str] = (),
        progress: Progress = silent,
    ) -> Detector:
        """Learn what undamaged parts look like.

        Parameters
        ----------
        images : sequence of paths
            Undamaged images, at least two.
        names : sequence of str, optional
            What to call them in answers; the paths themselves by default.
        progress : Progress
            Told about the stages ``embedding``, ``memory bank`` and ``scale``.

        Returns
        -------
        Detector
            Not calibrated yet.

        Raises
        ------
        TooFewImagesError, ImageError, BackboneError, RuntimeUnavailableError, ConfigError
        """
        if len(images) < MIN_IMAGES:
            raise TooFewImagesError(
                f"fitting needs at least {MIN_IMAGES} undamaged images and got {len(images)}: add more",
                n=len(images),
                needed=MIN_IMAGES,
            )
        network = _Builder(self.config, self.device)
        paths = [Path(image) for image in images]
        sample = _evenly(len(paths), _SAMPLE_IMAGES)
        whitening = self._fit_whitening(network, [paths[i] for i in sample], progress)
        files = network.export(whitening)
        extractor = Extractor(network.geometry, network.runtime(files, whitening))
        banks, bank_images, thumbnails = self._fill(extractor, paths, names or [str(p) for p in images], progress)
        scales = self._fit_scales(extractor, banks, paths, sample, progress)
        return Detector(
            config=self.config,
            extractor=extractor,
            embedding=files,
            banks=banks,
            scales=scales,
            bank_images=bank_images,
            thumbnails=Thumbnails(thumbnails),
        )

    def _fit_whitening(self, network: _Builder, paths: Sequence[Path], progress: Progress) -> tuple[Whitening, ...]:
        if not self.config.embedding.whitening:
            return ()
        extractor = Extractor(network.geometry, network.runtime(network.export(()), ()))
        columns: list[list[Float32Array]] = []
        for i, path in enumerate(paths):
            _, grids = extractor.embed(load_image(path, limits=self.config.image))
            columns.append([grid.reshape(-1, grid.shape[-1]) for grid in grids])
            progress("whitening", i + 1, len(paths))
        return tuple(fit_whitening(np.concatenate(column)) for column in zip(*columns, strict=True))

    def _fill(
        self, extractor: Extractor, paths: Sequence[Path], names: Sequence[str], progress: Progress
    ) -> tuple[tuple[MemoryBank, ...], tuple[BankImage, ...], dict[str, bytes]]:
        """Embed every image once and select the coreset of each tap."""
        builders: list[CoresetBuilder] = []
        bank_images: list[BankImage] = []
        thumbnails: dict[str, bytes] = {}
        for number, (path, name) in enumerate(zip(paths, names, strict=True)):
            image = load_image(path, limits=self.config.image)
            view, grids = extractor.embed(image)
            bank_images.append(BankImage(name, content_hash(path), image.shape[1], image.shape[0]))
            thumbnails[name] = make_thumbnail(image)
            if not builders:
                builders = [self._builder(grid.shape[0] * grid.shape[1] * len(paths)) for grid in grids]
            for builder, grid in zip(builders, grids, strict=True):
                shape = grid.shape[:2]
                builder.add(grid.reshape(-1, grid.shape[-1]), group=number, tags=patch_tags(view, shape))
            progress("embedding", number + 1, len(paths))
        banks = []
        for i, builder in enumerate(builders):
            banks.append(builder.build())
            progress("memory bank", i + 1, len(builders))
        return tuple(banks), tuple(bank_images), thumbnails

    def _builder(self, patches: int) -> CoresetBuilder:
        size = max(1, min(self.config.bank.max_rows, round(self.config.bank.coreset_ratio * patches)))
        return CoresetBuilder(size, seed=self.config.seed, memory_mb=_MEMORY_MB)

    def _fit_scales(
        self,
        extractor: Extractor,
        banks: Sequence[MemoryBank],
        paths: Sequence[Path],
        sample: Sequence[int],
        progress: Progress,
    ) -> tuple[float, ...]:
        """Mean distance of undamaged patches for each tap, each image searched without its own rows."""
        sums = np.zeros(len(banks))
        for done, number in enumerate(sample):
            found = extractor.distances(
                load_image(paths[number], limits=self.config.image),
                banks,
                neighbours=self.config.bank.neighbours,
                exclude_group=number,
            )
            sums += [float(grid.mean(dtype=np.float64)) for grid in found.distance]
            progress("scale", done + 1, len(sample))
        scales = sums / len(sample)
        if not (scales > 0).all():
            raise TooFewImagesError(
                "the undamaged images are all the same picture, so there is nothing to compare with: expected at "
                "least two different photographs",
                n=1,
                needed=MIN_IMAGES,
            )
        return tuple(float(scale) for scale in scales)


class _Builder:
    """Builds the embedding network of a configuration, with or without whitening, for a runtime."""

    def __init__(self, config: Config, device: Device) -> None:
        self.config = config
        self.backbone: Backbone = backbone(config.embedding.backbone)
        self.backbone.select_taps(config.embedding.taps)
        least = self.backbone.least_multiples
        if config.geometry.size < least * self.backbone.multiple:
            raise ConfigError(
                f"geometry.size is {config.geometry.size}: {self.backbone.name} needs at least "
                f"{least * self.backbone.multiple}"
            )
        self.geometry = Geometry(config.geometry.size, self.backbone.multiple, least)
        self.weights: StateDict
        self.weights, self.weights_sha256 = load_weights(self.backbone, config.embedding.weights)
        self.cuda = device == "cuda" or (device == "auto" and cuda_present())

    def export(self, whitening: Sequence[Whitening]) -> EmbeddingFiles:
        xml, weights = export(self._network(whitening))
        return EmbeddingFiles(xml, weights, self.weights_sha256, tuple(whitening))

    def runtime(self, files: EmbeddingFiles, whitening: Sequence[Whitening]) -> Runtime:
        if self.cuda:
            from anomaly.embedding.torch_runtime import TorchRuntime

            return TorchRuntime(self._network(whitening))
        return OpenVINORuntime(files.xml, files.weights)

    def _network(self, whitening: Sequence[Whitening]) -> EmbeddingNetwork:
        from anomaly.embedding.network import EmbeddingNetwork

        return EmbeddingNetwork(self.backbone, self.config.embedding, weights=self.weights, whitening=whitening)


def _evenly(n: int, most: int) -> list[int]:
    """At most ``most`` of the numbers 0..n-1, evenly spaced."""
    return sorted({round(position) for position in np.linspace(0, n - 1, min(n, most))})
