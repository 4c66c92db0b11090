from __future__ import annotations

import pytest

from anomaly.embedding.registry import backbone, backbone_names
from anomaly.errors import ConfigError, UnknownBackboneError


def test_embedded_backbones_come_first() -> None:
    names = backbone_names()
    assert names[:3] == ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
    assert {"resnet18", "wide_resnet50_2", "dinov2_vits14"} <= set(names)


def test_unknown_backbone_names_the_known_ones() -> None:
    with pytest.raises(UnknownBackboneError, match=r"'resnet19'.*resnet18"):
        backbone("resnet19")


def test_unknown_tap_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no tap layer9.*layer1, layer2, layer3, layer4"):
        backbone("resnet18").select_taps(["layer9"])


def test_taps_come_in_the_order_of_the_forward_pass() -> None:
    taps = backbone("efficientnet_lite0").select_taps(["block10", "block4"])
    assert [tap.name for tap in taps] == ["block4", "block10"]


@pytest.mark.parametrize("name", backbone_names())
def test_margin_is_a_whole_number_of_patches_of_every_tap(name: str) -> None:
    entry = backbone(name)
    assert all(entry.margin % tap.stride == 0 and entry.multiple % tap.stride == 0 for tap in entry.taps)
