"""Arrays kept on the disk for as long as they are needed: the maps of a hundred large photographs fill no memory."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

Array = TypeVar("Array", bound=npt.NDArray[Any] | None)


class KeptArrays(Sequence[Array]):
    """Arrays in a temporary folder, read back as they are asked for; use it in a ``with`` block.

    None is kept as None. An array for which the disk has no room stays in memory. What is read back holds a
    file open for as long as it lives: copy what is to be kept beside many others.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="goodparts-", ignore_cleanup_errors=True)
        self._kept: list[Path | Array] = []

    def __enter__(self) -> KeptArrays[Array]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def append(self, array: Array) -> None:
        """Keep one more."""
        file = Path(self._folder.name) / f"{len(self)}.npy"
        try:
            if array is not None:
                np.save(file, array, allow_pickle=False)
        except OSError:
            file.unlink(missing_ok=True)
            self._kept.append(array)
        else:
            self._kept.append(array if array is None else file)

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, at: int) -> Array: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Array]: ...

    def __getitem__(self, at: int | slice) -> Array | Sequence[Array]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        kept = self._kept[at]
        if isinstance(kept, Path):
            read: Array = np.load(kept, mmap_mode="r", allow_pickle=False)
            return read
        return kept
