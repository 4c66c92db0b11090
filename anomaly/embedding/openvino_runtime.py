"""The CPU runtime: the exported graph in OpenVINO. The only module that imports openvino."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import sys
import threading
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.embedding.graph_cache import get_graph, put_graph
from anomaly.errors import RuntimeUnavailableError
from anomaly.types import Float32Array, UInt8Array

_CONVERTER = "openvino.tools.ovc"
_COMPILED_SHAPES = 4
"""Graphs compiled for one image size are faster by a fifth; so many are kept before the oldest goes."""
_import_lock = threading.Lock()
"""Half imported, a module is there already: whoever comes second waits."""


class OpenVINORuntime:
    """Runs an exported embedding network on the CPU in float32.

    Parameters
    ----------
    xml, weights : bytes
        The two files of the IR, as read (and verified) by the caller.
    cache : bool
        Keep compiled graphs between processes; see :mod:`anomaly.embedding.graph_cache`.
    one_core : bool
        Leave the other cores to other processes. The embeddings are the same.
    """

    def __init__(self, xml: bytes, weights: bytes, *, cache: bool = True, one_core: bool = False) -> None:
        ov = _import_openvino()
        self._ov = ov
        self._core = ov.Core()
        self._properties: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if one_core:
            # Not tied to a core: every process would choose the same one.
            self._properties |= {"INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False}
        self._xml, self._weights = xml, weights
        self._cache = cache
        self._compiled: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._lock = threading.Lock()
        # What one thread asks for, another must not overwrite: each has requests of its own.
        self._own = threading.local()
        # Its binding prepares NumPy at the first use, holding a lock while it waits for the interpreter's: two threads
        # that come first at the same time would wait for each other for ever.
        _ = ov.Tensor(np.zeros(1, np.uint8)).data
        self.name = f"OpenVINO {ov.__version__.split('-')[0]} on the CPU"

    def embed(self, images: UInt8Array) -> tuple[Float32Array, ...]:
        """See :class:`anomaly.embedding.runtime.Runtime`."""
        request = self._request(images.shape[1], images.shape[2])
        rows: list[list[Float32Array]] = []
        for image in images:
            request.infer([np.ascontiguousarray(image[None])])
            rows.append([np.array(tensor.data[0]) for tensor in request.output_tensors])
        return tuple(np.stack(grids) for grids in zip(*rows, strict=True))

    def on_one_core(self) -> OpenVINORuntime:
        """See :class:`anomaly.embedding.runtime.Runtime`."""
        return OpenVINORuntime(self._xml, self._weights, cache=self._cache, one_core=True)

    def _request(self, height: int, width: int) -> Any:
        requests: OrderedDict[tuple[int, int], Any] = self._own.__dict__.setdefault("requests", OrderedDict())
        if (height, width) not in requests:
            requests[height, width] = self._graph(height, width).create_infer_request()
        return _newest(requests, (height, width))

    def _graph(self, height: int, width: int) -> Any:
        with self._lock:
            if (height, width) not in self._compiled:
                graph = self._from_cache(height, width) if self._cache else self._compile(height, width)
                self._compiled[height, width] = graph
            return _newest(self._compiled, (height, width))

    def _compile(self, height: int, width: int) -> Any:
        weights = self._ov.Tensor(np.frombuffer(self._weights, dtype=np.uint8).copy())
        model = self._core.read_model(self._xml, weights)
        model.reshape([1, height, width, 3])
        return self._core.compile_model(model, "CPU", self._properties)

    def _from_cache(self, height: int, width: int) -> Any:
        """Take the graph for one image size from the cache, or compile it and leave it there."""
        processor = self._core.get_property("CPU", "FULL_DEVICE_NAME")
        about = f"{self._ov.__version__} {processor} {sorted(self._properties.items())} {height}x{width}"
        digest = hashlib.sha256(self._xml)
        digest.update(self._weights)
        digest.update(about.encode())
        key = digest.hexdigest()
        kept = get_graph(key)
        if kept is not None:
            with contextlib.suppress(RuntimeError):  # not to this OpenVINO's liking: compile it anew
                return self._core.import_model(kept, "CPU", self._properties)
        compiled = self._compile(height, width)
        put_graph(key, compiled.export_model().getvalue())
        return compiled


def _newest(kept: OrderedDict[tuple[int, int], Any], key: tuple[int, int]) -> Any:
    """Return an entry that was used now, and let the one that was used longest ago go."""
    kept.move_to_end(key)
    if len(kept) > _COMPILED_SHAPES:
        kept.popitem(last=False)
    return kept[key]


def _import_openvino() -> Any:
    """Import openvino, its model converter only when somebody calls it: it takes longer than the rest together."""
    with _import_lock:
        if "openvino" in sys.modules:
            return sys.modules["openvino"]
        sys.modules[_CONVERTER] = None  # type: ignore[assignment]  # openvino does without what cannot be imported
        try:
            import openvino
        except ImportError as error:
            if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            raise RuntimeUnavailableError(
                f"the CPU runtime needs openvino, which cannot be imported ({error}): pip install openvino"
            ) from error
        finally:
            del sys.modules[_CONVERTER]
        if not hasattr(openvino, "convert_model"):
            openvino.convert_model = _convert_model
        return openvino


def _convert_model(*arguments: Any, **options: Any) -> Any:
    return importlib.import_module(_CONVERTER).convert_model(*arguments, **options)


def export(network: Any) -> tuple[bytes, bytes]:
    """Export an :class:`~anomaly.embedding.network.EmbeddingNetwork` to OpenVINO IR of any batch and image size.

    The front end is called directly: ``openvino.convert_model`` would do the same and report its use over the network.

    Returns
    -------
    xml, weights : bytes
        The contents of the IR's ``.xml`` and ``.bin`` files.

    Raises
    ------
    RuntimeUnavailableError
        There is no openvino.
    """
    import tempfile

    import torch

    ov = _import_openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    side = network.example_side
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns of every Python number, all of them meant
        example = torch.zeros(1, side, side, 3, dtype=torch.uint8)
        # The tests compare the graph with the network; tracing twice to compare takes half of the time.
        decoder = TorchScriptPythonDecoder(network, example_input=(example,), trace_kwargs={"check_trace": False})
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))
    model.inputs[0].get_node().set_partial_shape(ov.PartialShape([-1, -1, -1, 3]))
    model.inputs[0].get_node().set_element_type(ov.Type.u8)
    model.validate_nodes_and_infer_types()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embedding.xml"
        ov.save_model(model, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()
