"""EfficientNet-Lite, as far as published weights need it: the default backbone, without a library to import.

The architecture is that of Tan and Le 2019, "EfficientNet", https://arxiv.org/abs/1905.11946, in the Lite variant
(https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite): no squeeze-and-excitation, ReLU6,
first and last stage not repeated more often in larger networks. Layers are named, and follow each other, as in timm's
``tf_efficientnet_lite*`` (https://github.com/huggingface/pytorch-image-models), so its state dicts load; a test
compares the two. timm itself takes 3 s to import, which every training would wait for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

WIDTH_AND_DEPTH = {
    "tf_efficientnet_lite0": (1.0, 1.0),
    "tf_efficientnet_lite1": (1.0, 1.1),
    "tf_efficientnet_lite2": (1.1, 1.2),
}
"""Factors of channels and of repetitions, by timm's name."""
# Kernel, stride, expansion, channels, repetitions of each stage of Lite0.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM, _HEAD, _CLASSES = 32, 1280, 1000
# Of batch normalisation, as TensorFlow trained it.
_EPSILON = 1e-3


class EfficientNetLite(nn.Module):
    """All layers that the published weights are for; whoever embeds takes the first of them.

    Parameters
    ----------
    architecture : str
        A key of `WIDTH_AND_DEPTH`.
    """

    def __init__(self, architecture: str) -> None:
        super().__init__()
        width, depth = WIDTH_AND_DEPTH[architecture]
        self.conv_stem = Conv2dSame(3, _STEM, 3, stride=2)
        self.bn1 = _norm(_STEM)
        stages, channels = [], _STEM
        for number, (kernel, stride, expansion, out, repeats) in enumerate(_STAGES):
            out = _round_channels(out * width)
            repeats = repeats if number in (0, len(_STAGES) - 1) else math.ceil(repeats * depth)
            blocks: list[nn.Module] = []
            for place in range(repeats):
                own_stride = stride if place == 0 else 1
                if expansion == 1:
                    blocks.append(DepthwiseSeparable(channels, out, kernel, own_stride))
                else:
                    blocks.append(InvertedResidual(channels, out, kernel, own_stride, expansion))
                channels = out
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv_head = Conv2dSame(channels, _HEAD, 1)
        self.bn2 = _norm(_HEAD)
        self.classifier = nn.Linear(_HEAD, _CLASSES)

    def all_blocks(self) -> Iterator[nn.Module]:
        """Blocks one after the other, through all stages."""
        for stage in self.blocks:
            yield from stage.children()


class Conv2dSame(nn.Conv2d):
    """Convolution without bias, padded as TensorFlow's ``SAME`` does where height and width divide by the stride."""

    def __init__(self, channels: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out, kernel, stride=stride, groups=groups, bias=False)
        self._before, self._after = (kernel - stride) // 2, (kernel - stride + 1) // 2

    def forward(self, features: Tensor) -> Tensor:
        """(b, channels, h, w) to (b, out, h / stride, w / stride)."""
        if self._after:
            features = F.pad(features, (self._before, self._after, self._before, self._after))
        return super().forward(features)


class DepthwiseSeparable(nn.Module):
    """One convolution for each channel, then across channels."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self._residual = stride == 1 and channels == out
        self.conv_dw = Conv2dSame(channels, channels, kernel, stride=stride, groups=channels)
        self.bn1 = _norm(channels)
        self.conv_pw = Conv2dSame(channels, out, 1)
        self.bn2 = _norm(out)

    def forward(self, features: Tensor) -> Tensor:
        """(b, channels, h, w) to (b, out, h / stride, w / stride)."""
        found: Tensor = self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(features)))))
        return found + features if self._residual else found


class InvertedResidual(nn.Module):
    """The same on more channels, which are made before and taken away after."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        self._residual = stride == 1 and channels == out
        wide = channels * expansion
        self.conv_pw = Conv2dSame(channels, wide, 1)
        self.bn1 = _norm(wide)
        self.conv_dw = Conv2dSame(wide, wide, kernel, stride=stride, groups=wide)
        self.bn2 = _norm(wide)
        self.conv_pwl = Conv2dSame(wide, out, 1)
        self.bn3 = _norm(out)

    def forward(self, features: Tensor) -> Tensor:
        """(b, channels, h, w) to (b, out, h / stride, w / stride)."""
        wide = F.relu6(self.bn2(self.conv_dw(F.relu6(self.bn1(self.conv_pw(features))))))
        found: Tensor = self.bn3(self.conv_pwl(wide))
        return found + features if self._residual else found


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPSILON)


def _round_channels(channels: float) -> int:
    """Nearest multiple of 8, and not below nine tenths."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8
