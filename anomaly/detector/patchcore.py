"""Fitting: undamaged images to one memory bank per tap.

PatchCore: Roth et al. 2022, "Towards Total Recall in Industrial Anomaly Detection",
https://arxiv.org/abs/2106.08265. Deviations, each measured (``docs/decisions/``): a bank per tap instead of
concatenated taps, whitening, greedy k-centre over all patches in full dimension instead of a random projection,
borders treated on purpose, the mean of the largest map values as image score instead of the re-weighted maximum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anomaly.config import Config, config_from_dict, config_to_dict
from anomaly.dataset.wording import counted
from anomaly.detector.ahead import load_ahead
from anomaly.detector.beside import one_ahead
from anomaly.detector.capture_check import learn_capture
from anomaly.detector.detector import Detector
from anomaly.detector.embedded import EmbedAll, Wanted, embed_here
from anomaly.detector.features import BankImage, Extractor
from anomaly.detector.network_builder import NetworkBuilder
from anomaly.detector.origin import EmbeddingFiles
from anomaly.detector.part_view import learn_parts
from anomaly.detector.progress import Progress, silent
from anomaly.detector.sampling import evenly
from anomaly.detector.scales import tap_scales
from anomaly.detector.thumbnails import Thumbnails
from anomaly.detector.turned import BankRows, bank_turns
from anomaly.embedding.runtime import Device, check_device
from anomaly.embedding.whitening import Whitening, fit_whitening
from anomaly.errors import ConfigError, DatasetError, TooFewImagesError
from anomaly.imaging.names import printable_name
from anomaly.scoring import image_score
from anomaly.types import Float32Array
from memory_bank import CoresetBuilder, MemoryBank

MIN_IMAGES = 2
"""Fewer undamaged images leave nothing to compare one with."""
_SAMPLE_IMAGES = 32
"""Images, evenly spaced, on which whitening and the scale of each tap are estimated."""
_MEMORY_MB = 1600
"""Budget of all coresets together; much less is in use at a time, since they are selected one after the other."""


class PatchCore:
    """A detector before it has seen any image.

    Parameters
    ----------
    config : Config, optional
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes CUDA where the machine has a driver for it and OpenVINO on the CPU elsewhere.
    embed_all : EmbedAll
        Who embeds the images that the memory is made of: this process, by default.

    Raises
    ------
    ConfigError
        A setting is of the wrong type or out of range, or there is no such device.
    """

    def __init__(
        self, config: Config | None = None, *, device: Device = "auto", embed_all: EmbedAll = embed_here
    ) -> None:
        self.config = config_from_dict(config_to_dict(config or Config()))  # checks it
        check_device(device)
        self.device = device
        self._embed_all = embed_all
        self._network: NetworkBuilder | None = None

    def prepare(self) -> NetworkBuilder:
        """Load the backbone; :meth:`fit` does so too, and whoever has other work to do first can fail early.

        Raises
        ------
        BackboneError, ConfigError
        RuntimeUnavailableError
            CUDA was asked for by name and cannot be had.
        """
        if self._network is None:
            self._network = NetworkBuilder(self.config, self.device)
            if self.device == "cuda":
                self._network.build()
        return self._network

    def fit(
        self,
        images: Sequence[Path | str],
        *,
        names: Sequence[str] = (),
        part_types: Sequence[str] = (),
        progress: Progress = silent,
    ) -> Detector:
        """Learn what undamaged parts look like.

        Parameters
        ----------
        images : sequence of paths
            Undamaged images, at least two.
        names : sequence of str, optional
            What to call them in answers, each once; the paths themselves by default.
        part_types : sequence of str, optional
            What parts each of them shows; not known by default.
        progress : Progress
            Told about the stages ``whitening``, ``embedding``, ``memory bank``, ``scale``,
            ``finding parts`` and ``ordinary pictures``.

        Returns
        -------
        Detector
            Not calibrated yet.

        Raises
        ------
        TooFewImagesError, ImageError, BackboneError, RuntimeUnavailableError, ConfigError
        DatasetError
            Two images have one name, there are not as many names or part types as images, or they are no files.
        """
        detector = self.remember(images, names=names, part_types=part_types, progress=progress)
        return complete(detector, images, progress=progress)

    def remember(
        self,
        images: Sequence[Path | str],
        *,
        names: Sequence[str] = (),
        part_types: Sequence[str] = (),
        progress: Progress = silent,
    ) -> Detector:
        """Fill the memory banks, and no more: a detector that scores; for all else see :func:`complete`.

        Parameters and errors are those of :meth:`fit`.
        """
        paths = _paths(images)
        if len(paths) < MIN_IMAGES:
            raise TooFewImagesError(
                f"fitting needs at least {MIN_IMAGES} undamaged images and got {len(paths)}: add more",
                n=len(paths),
                needed=MIN_IMAGES,
            )
        builder = self.prepare()
        called = [str(name) for name in names or images]
        types = part_types or [""] * len(paths)
        _check_names(called, types, len(paths))
        sample = evenly(len(paths), _SAMPLE_IMAGES)
        whitening = self._fit_whitening(builder, [paths[i] for i in sample], progress)
        extractor, files = builder.build(whitening)
        filled = self._fill(extractor, files, paths, called, progress)
        return Detector(
            config=builder.config,
            extractor=extractor,
            embedding=files,
            banks=filled.banks,
            scales=self._fit_scales(extractor, filled.halves, paths, sample, progress),
            bank_images=tuple(replace(image, part_type=its) for image, its in zip(filled.images, types, strict=True)),
            thumbnails=filled.thumbnails,
        )

    def _fit_whitening(
        self, builder: NetworkBuilder, paths: Sequence[Path], progress: Progress
    ) -> tuple[Whitening, ...]:
        if not self.config.embedding.whitening:
            return ()
        columns: list[list[Float32Array]] = []
        turns = bank_turns(self.config)
        wanted = [Wanted(path, (turns[number % len(turns)],)) for number, path in enumerate(paths)]
        for done, found in enumerate(self._embed_all(*builder.build(), wanted, self.config), start=1):
            (rows,) = found.copies
            columns.append([of_tap.vectors for of_tap in rows])
            progress("whitening", done, len(paths))
        return tuple(fit_whitening(np.concatenate(column)) for column in zip(*columns, strict=True))

    def _fill(
        self,
        extractor: Extractor,
        files: EmbeddingFiles,
        paths: Sequence[Path],
        names: Sequence[str],
        progress: Progress,
    ) -> _Filled:
        """Embed every image at every angle and select the coresets: of all images, and of every other one."""
        turns = bank_turns(self.config)
        coresets: list[_TapCoresets] = []
        images: list[BankImage] = []
        thumbnails: dict[str, bytes] = {}
        embedded = self._embed_all(extractor, files, [Wanted(path, turns) for path in paths], self.config)
        for number, (found, name) in enumerate(zip(one_ahead(embedded), names, strict=True)):
            images.append(BankImage(name, found.sha256, found.width, found.height))
            thumbnails[name] = found.thumbnail
            if not coresets:
                coresets = _coresets(self.config, found.copies[0], copies=len(paths) * len(turns))
            for copy in found.copies:
                for coreset, rows in zip(coresets, copy, strict=True):
                    coreset.add(rows, number)
            progress("embedding", number + 1, len(paths))
        _check_different(thumbnails)
        banks, halves = [], []
        for done, coreset in enumerate(coresets, start=1):
            banks.append(coreset.whole.build())
            halves.append([half.build() for half in coreset.halves])
            progress("memory bank", done, len(coresets))
        even, odd = zip(*halves, strict=True)
        _check_neighbours(self.config.bank.neighbours, min(len(bank) for bank in (*banks, *even, *odd)))
        return _Filled(tuple(banks), (tuple(even), tuple(odd)), tuple(images), Thumbnails(thumbnails))

    def _fit_scales(
        self,
        extractor: Extractor,
        halves: tuple[Sequence[MemoryBank], Sequence[MemoryBank]],
        paths: Sequence[Path],
        sample: Sequence[int],
        progress: Progress,
    ) -> tuple[float, ...]:
        """Score a sample of the images, each against the half of the images that it is not in."""
        scores = []
        images = load_ahead([paths[number] for number in sample], limits=self.config.image)
        for done, (number, image) in enumerate(zip(sample, images, strict=True), start=1):
            other = halves[(number + 1) % 2]
            found = extractor.distances(image, other, neighbours=self.config.bank.neighbours)
            share = self.config.scoring.top_share
            scores.append([image_score(grid, top_share=share) for grid in found.distance])
            progress("scale", done, len(sample))
        return tap_scales(np.array(scores))


def complete(detector: Detector, images: Sequence[Path | str], *, progress: Progress = silent) -> Detector:
    """Learn what else the images of the memory tell: how parts are found, and how pictures are taken.

    Parameters
    ----------
    detector : Detector
        See :meth:`PatchCore.remember`.
    images : sequence of paths
        Those that it remembers, in the same order.
    progress : Progress

    Raises
    ------
    ImageError
    """
    paths = [Path(image) for image in images]
    if detector.config.parts.find:
        types = [image.part_type for image in detector.bank_images]
        views = learn_parts(paths, types, limits=detector.config.image, progress=progress)
        detector = replace(detector, part_views=views)
    return learn_capture(detector, paths, progress=progress)


@dataclass(frozen=True, eq=False)
class _Filled:
    """What one pass over the images leaves behind; banks one per tap, ``halves`` of the even and the odd images."""

    banks: tuple[MemoryBank, ...]
    halves: tuple[tuple[MemoryBank, ...], tuple[MemoryBank, ...]]
    images: tuple[BankImage, ...]
    thumbnails: Thumbnails


def _coresets(config: Config, examples: Sequence[BankRows], *, copies: int) -> list[_TapCoresets]:
    """Return the empty coresets of each tap; the budget is divided by what each would need to hold all its patches."""
    patches = [len(rows.tags) * copies for rows in examples]
    wanted = sum(2 * _memory_for(n, rows) for n, rows in zip(patches, examples, strict=True))
    share = _MEMORY_MB / wanted
    return [_TapCoresets(config, rows, patches=n, share=share) for n, rows in zip(patches, examples, strict=True)]


def _memory_for(patches: int, example: BankRows) -> int:
    """MiB that a coreset needs to hold so many patches like these at once."""
    return CoresetBuilder.memory_for(patches, dim=example.vectors.shape[1], tags=example.tags.shape[1])


class _TapCoresets:
    """The coresets of one tap: of all images, of the even and of the odd ones."""

    def __init__(self, config: Config, example: BankRows, *, patches: int, share: float) -> None:
        size = max(2, min(config.bank.max_rows, round(config.bank.coreset_ratio * patches)))

        def builder(size: int, patches: int) -> CoresetBuilder:
            memory_mb = max(_memory_for(2 * size, example), round(share * _memory_for(patches, example)))
            return CoresetBuilder(size, seed=config.seed, memory_mb=memory_mb)

        self.whole = builder(size, patches)
        self.halves = tuple(builder(size // 2, patches - patches // 2) for _ in range(2))

    def add(self, rows: BankRows, number: int) -> None:
        for coreset in (self.whole, self.halves[number % 2]):
            coreset.add(rows.vectors, number, rows.tags)


def _paths(images: Sequence[Path | str]) -> list[Path]:
    """Return the files that somebody means; a folder is a sequence of letters, and of nothing else."""
    one = isinstance(images, Path | str)
    if one or not isinstance(images, Sequence) or not all(isinstance(image, Path | str) for image in images):
        raise DatasetError(
            "fitting needs a list of image files, each the path of one: list those of a folder with "
            "anomaly.imaging.find_images"
        )
    return [Path(image) for image in images]


def _check_names(names: Sequence[str], types: Sequence[str], n: int) -> None:
    for what, given in (("name", names), ("part type", types)):
        if len(given) != n:
            raise DatasetError(
                f"there are {n} undamaged images and {counted(len(given), what)}: give one for each image"
            )
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise DatasetError(
            f"{counted(len(twice), 'undamaged image')} {'has' if len(twice) == 1 else 'have'} the name of another, "
            f"such as {printable_name(twice[0])}: give each image once, or names that differ"
        )


def _check_neighbours(neighbours: int, rows: int) -> None:
    if neighbours > rows:
        raise ConfigError(
            f"bank.neighbours is {neighbours}: expected at most {rows}, the rows that a tap keeps of half the images; "
            f"lower it, raise bank.coreset_ratio or take more photographs"
        )


def _check_different(thumbnails: Mapping[str, bytes]) -> None:
    if len(set(thumbnails.values())) == 1:
        raise TooFewImagesError(
            "the undamaged images are all the same picture: expected at least two different photographs, so take more",
            n=1,
            needed=MIN_IMAGES,
        )
