"""Where photographs are when nobody names their folder: those of the training, or those that come with a checkout."""

from __future__ import annotations

import os
from pathlib import Path

import anomaly
from anomaly.errors import LayoutError

BUNDLED = "data/parts"
"""What is trained on by default, from the top of a checkout."""


def folder_to_train_on(given: str | None) -> tuple[Path, str]:
    """Return the folder of images and what to call it in the record, which is read from other folders than this one.

    Raises
    ------
    LayoutError
        None was given, and none is bundled here.
    """
    if given is not None:
        return Path(given), _wherever_read(given)
    bundled = _checkout() / BUNDLED
    if not bundled.is_dir():
        raise LayoutError(
            f"expected --data DIR: the bundled {BUNDLED} comes with a checkout of goodparts and is not here; name a "
            "folder of labelled images"
        )
    return bundled, BUNDLED


def folder_trained_on(recorded: str) -> Path | None:
    """Find the folder that a training recorded, here or among what is bundled; None: it is not here."""
    if not recorded:
        return None
    return next((folder for folder in (_checkout() / recorded, Path(recorded)) if folder.is_dir()), None)


def _wherever_read(folder: str) -> str:
    """Name a folder from the top of the checkout, so that another checkout finds its own, or from the root."""
    whole, checkout = Path(os.path.realpath(folder)), Path(os.path.realpath(_checkout()))
    return whole.relative_to(checkout).as_posix() if whole.is_relative_to(checkout) else str(whole)


def _checkout() -> Path:
    return Path(anomaly.__file__).parents[1]
