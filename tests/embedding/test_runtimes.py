"""Both runtimes execute the same network; a result depends on its own image alone."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from anomaly.config import EmbeddingConfig
from anomaly.embedding.graph_cache import cache_folder
from anomaly.embedding.network import EmbeddingNetwork
from anomaly.embedding.openvino_runtime import OpenVINORuntime, export
from anomaly.embedding.registry import backbone
from anomaly.embedding.torch_runtime import TorchRuntime
from anomaly.embedding.weights import load_weights
from anomaly.embedding.whitening import fit_whitening
from anomaly.errors import RuntimeUnavailableError
from anomaly.types import UInt8Array

TOLERANCE = 1e-4
"""Of an embedding, relative to the largest one: the two runtimes sum in different orders."""


@pytest.fixture(scope="module")
def network() -> EmbeddingNetwork:
    entry = backbone("efficientnet_lite0")
    rng = np.random.default_rng(0)
    whitening = [fit_whitening(rng.normal(size=(500, tap.channels)).astype(np.float32)) for tap in entry.select_taps()]
    return EmbeddingNetwork(entry, EmbeddingConfig(), weights=load_weights(entry)[0], whitening=whitening)


@pytest.fixture(scope="module")
def exported(network: EmbeddingNetwork) -> tuple[bytes, bytes]:
    return export(network)


def images(n: int, height: int, width: int) -> UInt8Array:
    return np.random.default_rng(n).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), [(128, 128), (64, 224)])
def test_runtimes_agree(network: EmbeddingNetwork, exported: tuple[bytes, bytes], height: int, width: int) -> None:
    batch = images(2, height, width)
    ours = OpenVINORuntime(*exported, cache=False).embed(batch)
    theirs = TorchRuntime(network, "cpu").embed(batch)
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= TOLERANCE * np.abs(other).max()


def test_an_image_is_embedded_the_same_in_any_batch(exported: tuple[bytes, bytes]) -> None:
    runtime = OpenVINORuntime(*exported, cache=False)
    batch = images(8, 96, 96)
    together = runtime.embed(batch)
    for i in range(8):
        for grids, single in zip(together, runtime.embed(batch[i : i + 1]), strict=True):
            assert np.array_equal(grids[i], single[0])


def test_more_image_sizes_than_are_kept_compiled(
    exported: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomaly.embedding.openvino_runtime._COMPILED_SHAPES", 1)
    runtime = OpenVINORuntime(*exported, cache=False)
    first = runtime.embed(images(1, 64, 64))
    for side in (96, 128):
        assert runtime.embed(images(1, side, 64))[0].shape[1:3] == (side // 8, 8)
    for one, other in zip(runtime.embed(images(1, 64, 64)), first, strict=True):
        assert np.array_equal(one, other)


def test_a_graph_from_the_cache_gives_the_same(
    exported: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = OpenVINORuntime(*exported).embed(images(1, 64, 64))
    (cached,) = cache_folder().iterdir()
    monkeypatch.setattr(OpenVINORuntime, "_compile", None)  # nothing may be compiled now
    second = OpenVINORuntime(*exported).embed(images(1, 64, 64))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one, other)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cached.write_bytes(cached.read_bytes()[:-9])
    third = OpenVINORuntime(*exported).embed(images(1, 64, 64))
    for one, other in zip(first, third, strict=True):
        assert np.array_equal(one, other)


def test_a_cache_that_cannot_be_written_is_done_without(
    exported: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert OpenVINORuntime(*exported).embed(images(1, 64, 64))[0].shape == (1, 8, 8, 40)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_asking_for_cuda_without_one_says_so(network: EmbeddingNetwork) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"no CUDA device.*--device"):
        TorchRuntime(network, "cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu(network: EmbeddingNetwork, exported: tuple[bytes, bytes]) -> None:
    batch = images(2, 128, 128)
    on_cuda = TorchRuntime(network, "cuda").embed(batch)
    network.to("cpu")
    for one, other in zip(on_cuda, OpenVINORuntime(*exported, cache=False).embed(batch), strict=True):
        assert np.abs(one - other).max() <= 1e-3 * np.abs(other).max()


@pytest.mark.slow
def test_the_converter_of_openvino_is_put_off_and_not_lost() -> None:
    program = (
        "import sys\n"
        "from anomaly.embedding.openvino_runtime import _import_openvino\n"
        "openvino = _import_openvino()\n"
        "assert 'openvino.tools.ovc' not in sys.modules\n"
        "import torch\n"
        "model = openvino.convert_model(torch.nn.Linear(2, 3), example_input=torch.zeros(1, 2))\n"
        "print(len(model.outputs), _import_openvino() is openvino)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "True"]


def test_exporting_a_network_loads_nothing_that_reports_its_use() -> None:
    program = """
import sys
from anomaly.config import Config
from anomaly.detector.network_builder import NetworkBuilder

NetworkBuilder(Config(), "cpu").build()
print([name for name in sys.modules if name.startswith(("openvino.tools", "openvino_telemetry"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_threads_that_import_openvino_at_the_same_time_wait_for_each_other() -> None:
    program = """
import threading
from anomaly.embedding.openvino_runtime import _import_openvino

start, found = threading.Barrier(4), []

def load():
    start.wait()
    found.append(hasattr(_import_openvino(), "Core"))

threads = [threading.Thread(target=load) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(found)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[True, True, True, True]\n"


def test_one_core_and_every_thread_give_the_same(exported: tuple[bytes, bytes]) -> None:
    plain = OpenVINORuntime(*exported, cache=False)
    alone = plain.on_one_core()
    batch = [images(1, 96, 64 + 32 * (i % 2)) + np.uint8(i) for i in range(12)]
    with ThreadPoolExecutor(3) as pool:
        for one, other in zip(pool.map(alone.embed, batch), map(plain.embed, batch), strict=True):
            for grid, expected in zip(one, other, strict=True):
                assert np.array_equal(grid, expected)
