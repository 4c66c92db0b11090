from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from anomaly import Config
from anomaly.config import EmbeddingConfig, GeometryConfig
from anomaly.detector import network_builder
from anomaly.detector.network_builder import NetworkBuilder
from anomaly.embedding import runtime
from anomaly.embedding.whitening import Whitening
from anomaly.errors import RuntimeUnavailableError
from tests.parts import draw_part


@pytest.fixture(autouse=True)
def nothing_exported_yet() -> Iterator[None]:
    network_builder._exported_plain.cache_clear()
    yield
    network_builder._exported_plain.cache_clear()


def builder(tap: str) -> NetworkBuilder:
    return NetworkBuilder(Config(geometry=GeometryConfig(96), embedding=EmbeddingConfig(taps=(tap,))), "cpu")


@pytest.mark.slow
def test_the_same_network_is_exported_once_and_another_one_anew() -> None:
    extractor, files = builder("block4").build()
    again, same = builder("block4").build()
    assert same.xml is files.xml
    assert same.weights is files.weights
    picture = draw_part(0)
    assert np.array_equal(extractor.embed(picture)[1][0], again.embed(picture)[1][0])
    assert builder("block7").build()[1].xml != files.xml


@pytest.mark.slow
def test_whitening_is_exported_every_time_and_leaves_the_plain_network_as_it_is() -> None:
    built = builder("block4")
    extractor, files = built.build()
    d = extractor.embed(draw_part(0))[1][0].shape[-1]
    halved = Whitening(np.zeros(d, np.float32), np.eye(d, dtype=np.float32) / 2)
    whitened, other = built.build((halved,))
    assert other.whitening == (halved,)
    plain, white = (found.embed(draw_part(0))[1][0] for found in (extractor, whitened))
    np.testing.assert_allclose(white, plain / 2, rtol=1e-4, atol=1e-4)
    assert built.build()[1] is files


def test_a_driver_without_a_usable_cuda_means_the_cpu_unless_cuda_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "cuda_present", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = Config(geometry=GeometryConfig(96), embedding=EmbeddingConfig(taps=("block4",)))
    extractor, _ = NetworkBuilder(config, "auto").build()
    assert "OpenVINO" in extractor.runtime.name
    with pytest.raises(RuntimeUnavailableError, match="no CUDA device"):
        NetworkBuilder(config, "cuda").build()
