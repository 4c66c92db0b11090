from __future__ import annotations

import pickle
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from anomaly.embedding.registry import backbone
from anomaly.embedding.weights import load_weights
from anomaly.errors import WeightsUnavailableError


def test_embedded_weights_have_the_published_hash() -> None:
    for name in ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"):
        entry = backbone(name)
        weights, digest = load_weights(entry)
        assert digest == entry.sha256
        assert len(weights) > 200


def test_offline_and_without_a_file_both_ways_out_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", no_network)
    with pytest.raises(WeightsUnavailableError, match=r"connect this machine.*dinov2_vits14.*--weights FILE"):
        load_weights(backbone("dinov2_vits14"))


def test_a_fetched_file_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "resnet18-f37072fd.pth").write_bytes(b"cut short")
    with pytest.raises(WeightsUnavailableError, match="expected f37072fd"):
        load_weights(backbone("resnet18"))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match=r"cannot be read.*No such file.*--weights FILE"):
        load_weights(backbone("resnet18"), str(tmp_path / "nowhere.pth"))


class _Mischief:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("a pickle was executed",)


@pytest.mark.parametrize("kind", ["noise", "safetensors", "pickle", "list"])
def test_no_state_dict(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / ("weights.safetensors" if kind == "safetensors" else "weights.pth")
    if kind in ("noise", "safetensors"):
        path.write_bytes(b"\x00\x01 nothing of the kind")
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(_Mischief(), protocol=2))
    else:
        torch.save([torch.zeros(3)], path)
    with pytest.raises(WeightsUnavailableError, match="state dict"):
        load_weights(backbone("resnet18"), str(path))
    assert "executed" not in capsys.readouterr().out


def test_a_file_cut_short_anywhere_is_no_state_dict(tmp_path: Path) -> None:
    whole = tmp_path / "whole.pth"
    torch.save({"a": torch.zeros(3), "b": torch.ones(2, 2)}, whole, _use_new_zipfile_serialization=False)
    content, path = whole.read_bytes(), tmp_path / "cut.pth"
    for length in range(0, len(content) - 1, 3):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsUnavailableError, match="state dict"):
            load_weights(backbone("resnet18"), str(path))


def test_safetensors_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    (tmp_path / "weights.safetensors").write_bytes(b"")
    with pytest.raises(WeightsUnavailableError, match="pip install safetensors"):
        load_weights(backbone("resnet18"), str(tmp_path / "weights.safetensors"))
