"""What executes the embedding network, and the choice between the two that can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, get_args

from anomaly.errors import AnomalyError, ConfigError
from anomaly.types import Float32Array, UInt8Array

Device: TypeAlias = Literal["auto", "cpu", "cuda"]


class Runtime(Protocol):
    """Executes the embedding network."""

    name: str
    """For people: what runs where."""

    def embed(self, images: UInt8Array) -> tuple[Float32Array, ...]:
        """Embed network pixels.

        Parameters
        ----------
        images : ndarray of uint8, (b, h, w, 3)
            RGB; h and w multiples of the backbone's ``multiple``.

        Returns
        -------
        tuple of ndarray of float32, (b, gh, gw, d)
            One per tap. Row i depends on image i alone: images are run one by one.
        """
        ...

    def on_one_core(self) -> Runtime:
        """Return a runtime of the same network that leaves the other cores to other processes.

        It gives the same embeddings, to the last bit.
        """
        ...


def check_device(device: Device) -> None:
    """Refuse a name that is none.

    Raises
    ------
    ConfigError
    """
    if device not in get_args(Device):
        raise ConfigError(f"device is {device!r}: expected one of {', '.join(get_args(Device))}")


def uses_cpu(device: Device) -> bool:
    """Whether a device of this name is the CPU on this machine, or the choice that falls on it.

    Raises
    ------
    ConfigError
        There is no such name.
    """
    check_device(device)
    return device == "cpu" or (device == "auto" and not cuda_present())


def runtime_for(device: Device, *, on_cpu: Callable[[], Runtime], on_cuda: Callable[[], Runtime]) -> Runtime:
    """Make the runtime for a device; ``auto`` is the CPU where there is no driver, or CUDA cannot be used.

    Raises
    ------
    ConfigError
        There is no device of this name.
    ImportError, AnomalyError
        CUDA was asked for by name and cannot be used.
    """
    if uses_cpu(device):
        return on_cpu()
    try:
        return on_cuda()
    except (ImportError, AnomalyError):
        if device == "cuda":
            raise
        return on_cpu()


def cuda_present() -> bool:
    """Whether the machine has an NVIDIA driver; tells without importing torch, which takes over a second."""
    return Path("/dev/nvidiactl").exists()
