"""The registry's facts and the network's behaviour, against the real networks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from anomaly.config import EmbeddingConfig
from anomaly.embedding.efficientnet_lite import WIDTH_AND_DEPTH, EfficientNetLite
from anomaly.embedding.network import EmbeddingNetwork
from anomaly.embedding.registry import Backbone, backbone, backbone_names
from anomaly.embedding.weights import StateDict, load_weights
from anomaly.embedding.whitening import Whitening
from anomaly.errors import WeightsUnavailableError


def published_weights(entry: Backbone) -> StateDict:
    """The embedded weights; random ones of the published shapes where the real ones would need a network."""
    if entry.embedded:
        return load_weights(entry)[0]
    torch.manual_seed(0)
    if entry.family == "resnet":
        import torchvision

        return torchvision.models.get_model(entry.architecture, weights=None).state_dict()
    import timm

    return timm.create_model(entry.architecture, num_classes=0).state_dict()


def build(name: str, *, whitening: tuple[Whitening, ...] = (), **settings: object) -> EmbeddingNetwork:
    entry = backbone(name)
    config = EmbeddingConfig(backbone=name, **settings)  # type: ignore[arg-type]
    return EmbeddingNetwork(entry, config, weights=published_weights(entry), whitening=whitening)


def noise(height: int, width: int, *, n: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if not backbone(n).embedded else n for n in backbone_names()],
)
def test_strides_channels_and_cost_are_those_of_the_registry(name: str) -> None:
    entry = backbone(name)
    network = build(name, taps=tuple(tap.name for tap in entry.taps))
    height, width = 4 * entry.multiple, 6 * entry.multiple
    grids = network(noise(height, width))
    expected = [(1, height // tap.stride, width // tap.stride, tap.channels) for tap in entry.taps]
    assert [tuple(grid.shape) for grid in grids] == expected
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.trunk(torch.zeros(1, 3, 224, 224))
    assert counter.get_total_flops() / 2 / 224**2 == pytest.approx(1000 * entry.multiply_adds, rel=0.01)


@pytest.mark.parametrize("architecture", sorted(WIDTH_AND_DEPTH))
def test_efficientnet_lite_is_that_of_timm_block_by_block(architecture: str) -> None:
    import timm

    theirs = timm.create_model(architecture).eval()
    ours = EfficientNetLite(architecture).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, 96, 64)).astype(np.float32))
    with torch.no_grad():
        mine = torch.nn.functional.relu6(ours.bn1(ours.conv_stem(features)))
        expected = theirs.bn1(theirs.conv_stem(features))
        torch.testing.assert_close(mine, expected, rtol=0, atol=0)
        for block, other in zip(ours.all_blocks(), [b for stage in theirs.blocks for b in stage], strict=True):
            mine, expected = block(mine), other(expected)
            torch.testing.assert_close(mine, expected, rtol=0, atol=0)


@pytest.mark.slow
def test_training_the_default_backbone_does_not_wait_for_timm() -> None:
    code = "import sys; from anomaly import PatchCore; PatchCore().prepare().build(); print('timm' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "False"


@pytest.mark.slow
def test_vit_agrees_with_timm_at_its_native_size() -> None:
    import timm

    entry = backbone("dinov2_vits14")
    weights = published_weights(entry)
    model = timm.create_model(entry.architecture, num_classes=0).eval()
    model.load_state_dict(weights)
    network = EmbeddingNetwork(
        entry, EmbeddingConfig(backbone=entry.name, taps=("block3",), neighbourhood=1), weights=weights
    )
    side = 14 * model.patch_embed.grid_size[0]
    image = noise(side, side)
    pixels = image.permute(0, 3, 1, 2) / 255.0
    pixels = (pixels - torch.tensor(entry.mean).reshape(3, 1, 1)) / torch.tensor(entry.std).reshape(3, 1, 1)
    with torch.no_grad():
        (expected,) = model.forward_intermediates(pixels, indices=[3], norm=True, intermediates_only=True)
    (grid,) = network(image)
    torch.testing.assert_close(grid.permute(0, 3, 1, 2), expected, atol=2e-4, rtol=1e-3)


def test_reflected_margin_keeps_a_plain_border_plain() -> None:
    """On a picture without any structure, what a patch says must not depend on how near the border it lies."""
    plain = torch.full((1, 256, 256, 3), 140, dtype=torch.uint8)

    def border_error(margin: int) -> float:
        (grid,) = build("efficientnet_lite0", taps=("block4",), margin=margin)(plain)
        centre = grid[0, 16, 16]
        return float((grid[0, 0] - centre).norm(dim=-1).mean() / centre.norm())

    assert border_error(1) < 0.05 * border_error(0)


def test_neighbourhood_averages_only_patches_that_exist() -> None:
    image = noise(128, 128)
    (single,) = build("efficientnet_lite0", taps=("block4",), neighbourhood=1)(image)
    (pooled,) = build("efficientnet_lite0", taps=("block4",), neighbourhood=3)(image)
    torch.testing.assert_close(pooled[0, 0, 0], single[0, :2, :2].mean(dim=(0, 1)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(pooled[0, 5, 7], single[0, 4:7, 6:9].mean(dim=(0, 1)), atol=1e-4, rtol=1e-4)


def test_whitening_is_the_last_step() -> None:
    rng = np.random.default_rng(1)
    whitening = Whitening(rng.normal(size=40).astype(np.float32), np.eye(40, dtype=np.float32) * np.float32(0.5))
    image = noise(128, 128)
    (bare,) = build("efficientnet_lite0", taps=("block4",))(image)
    (whitened,) = build("efficientnet_lite0", taps=("block4",), whitening=(whitening,))(image)
    np.testing.assert_allclose(whitened.numpy(), whitening.apply(bare.numpy()), atol=1e-4)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(WeightsUnavailableError, match="do not fit efficientnet_lite2"):
        EmbeddingNetwork(
            backbone("efficientnet_lite2"),
            EmbeddingConfig(backbone="efficientnet_lite2"),
            weights=load_weights(backbone("efficientnet_lite0"))[0],
        )


@pytest.mark.parametrize("weights", [{"model": torch.zeros(2)}, {}, {"pos_embed": torch.zeros(3)}], ids=list)
def test_weights_that_timm_trips_over_are_refused(weights: StateDict) -> None:
    entry = backbone("dinov2_vits14")
    with pytest.raises(WeightsUnavailableError, match="do not fit dinov2_vits14"):
        EmbeddingNetwork(entry, EmbeddingConfig(backbone=entry.name), weights=weights)


def test_weights_given_as_a_file_are_the_ones_used(tmp_path: Path) -> None:
    entry = backbone("resnet18")
    weights = published_weights(entry)
    torch.save(weights, tmp_path / "resnet18.pth")
    loaded, digest = load_weights(entry, str(tmp_path / "resnet18.pth"))
    assert len(digest) == 64
    image = noise(64, 64)
    expected = EmbeddingNetwork(entry, EmbeddingConfig(backbone="resnet18"), weights=weights)(image)
    found = EmbeddingNetwork(entry, EmbeddingConfig(backbone="resnet18"), weights=loaded)(image)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
