"""The torch runtime: the same network eagerly, on a CUDA device when there is one."""

from __future__ import annotations

import numpy as np
import torch

from anomaly.embedding.network import EmbeddingNetwork
from anomaly.errors import RuntimeUnavailableError
from anomaly.types import Float32Array, UInt8Array


class TorchRuntime:
    """Runs the embedding network in float32 (no TF32), image by image.

    Parameters
    ----------
    network : EmbeddingNetwork
    device : str
        ``"cuda"`` or ``"cpu"`` (for tests and as the reference of the OpenVINO runtime).

    Raises
    ------
    RuntimeUnavailableError
        CUDA is asked for and this torch finds none.
    """

    def __init__(self, network: EmbeddingNetwork, device: str = "cuda") -> None:
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise RuntimeUnavailableError(
                f"torch {torch.__version__} finds no CUDA device: leave --device out (or give cpu) to use the CPU"
            )
        self._network = network.to(device)
        self._device = torch.device(device)
        self.name = f"torch {torch.__version__} on {device}"

    def embed(self, images: UInt8Array) -> tuple[Float32Array, ...]:
        """See :class:`anomaly.embedding.runtime.Runtime`."""
        rows: list[list[Float32Array]] = []
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False, deterministic=True):
            for image in images:
                batch = torch.from_numpy(np.ascontiguousarray(image[None])).to(self._device)
                rows.append([grid[0].cpu().numpy() for grid in self._network(batch)])
        return tuple(np.stack(grids) for grids in zip(*rows, strict=True))

    def on_one_core(self) -> TorchRuntime:
        """See :class:`anomaly.embedding.runtime.Runtime`; the device does the work."""
        return self
