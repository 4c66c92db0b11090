"""No image is judged that the detector has learnt from."""

from __future__ import annotations

from collections.abc import Iterable

from anomaly.dataset.wording import counted, listed
from anomaly.errors import LeakError


def refuse_bank_images(candidates: Iterable[tuple[str, str]], bank: Iterable[tuple[str, str]]) -> None:
    """Refuse images that are in the memory bank: their distance to it is zero, whatever they show.

    Parameters
    ----------
    candidates, bank : iterable of (str, str)
        Name and sha256 of the file's bytes; the names need not agree.

    Raises
    ------
    LeakError
        ``paths`` names every image concerned.
    """
    banked = {sha256: name for name, sha256 in bank}
    known = [(name, banked[sha256]) for name, sha256 in candidates if sha256 in banked]
    if known:
        named = [name if name == other else f"{name} (trained on as {other})" for name, other in known]
        raise LeakError(
            f"{counted(len(known), 'image')} to be judged, but in the memory bank: {listed(named)}; leave out what "
            "the detector was trained on",
            paths=[name for name, _ in known],
        )
