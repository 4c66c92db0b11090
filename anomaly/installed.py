"""What the extra ``[train]`` brings and a machine that only judges does not have: asked for before long work."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from anomaly.errors import RuntimeUnavailableError


def refuse_without(work: str, modules: Iterable[str]) -> None:
    """Refuse work that could not be finished.

    Parameters
    ----------
    work : str
        With its verb, such as ``"training needs"``.
    modules : iterable of str
        What it imports; nothing is imported here.

    Raises
    ------
    RuntimeUnavailableError
        Names those that are missing.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeUnavailableError(
            f"{work} {', '.join(missing)}, not installed here: pip install 'goodparts[train]'"
        )
