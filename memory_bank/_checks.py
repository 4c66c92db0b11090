"""What arguments must be; each check raises the error that names what came instead."""

from __future__ import annotations

from typing import SupportsIndex, TypeGuard

import numpy as np
import numpy.typing as npt

from memory_bank.errors import (
    ArgumentError,
    DimensionError,
    DtypeError,
    EmptyBankError,
    NotFiniteError,
    ShapeError,
)
from memory_bank.types import BoolArray, Float32Array, Int64Array

# Larger values would overflow float32 distances.
_LARGEST = 1e30


def _is_whole(value: object) -> TypeGuard[SupportsIndex]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and -(2**63) <= int(value) < 2**63


def check_count(name: str, value: int, *, least: int) -> int:
    """Return ``value`` as an int of at least ``least``."""
    if not _is_whole(value) or int(value) < least:
        raise ArgumentError(f"{name}: expected a whole number of at least {least}, got {value!r}")
    return int(value)


def check_vectors(
    vectors: object, *, dim: int | None = None, name: str = "vectors", empty: bool = False
) -> Float32Array:
    """Return ``vectors`` as a C-contiguous (n, d) float32 array without NaN, infinity or values beyond 1e30.

    ``dim`` is the size they must have; when it is None any will do, but there must be a row, unless ``empty``.
    """
    array = _typed(vectors, np.dtype(np.float32), name)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ShapeError(f"{name}: expected shape (n, d) with d > 0, got {array.shape}")
    if dim is not None and array.shape[1] != dim:
        raise DimensionError(
            f"{name}: expected vectors of size {dim}, got {array.shape[1]}; embed them as the bank was",
            expected=dim,
            got=array.shape[1],
        )
    if array.shape[0] == 0:
        if dim is None and not empty:
            raise EmptyBankError(f"{name}: expected at least one row, got none", available=0, needed=1)
        return np.ascontiguousarray(array)
    # A NaN makes either comparison false.
    if not (array.max() <= _LARGEST and array.min() >= -_LARGEST):
        bad = np.flatnonzero(~(np.abs(array) <= _LARGEST).all(axis=1))
        raise NotFiniteError(
            f"{name}: expected finite values up to {_LARGEST:g}, got NaN, infinity or more in {bad.size} of "
            f"{array.shape[0]} rows, the first is row {bad[0]}; leave these rows out or repair them",
            rows=[int(row) for row in bad[:10]],
        )
    return np.ascontiguousarray(array)


def check_groups(groups: object, *, rows: int) -> Int64Array:
    """Return ``groups`` as a (rows,) int64 array; a single number stands for all rows."""
    if _is_whole(groups):
        return np.full(rows, int(groups), np.int64)
    array = _whole_numbers(groups, "groups")
    if array.shape != (rows,):
        raise ShapeError(f"groups: expected one number or an array of shape ({rows},), got {array.shape}")
    return array


def check_tags(tags: object, *, rows: int, width: int | None = None) -> Int64Array:
    """Return ``tags`` as a (rows, t) int64 array; ``width`` is the t it must have, None for any."""
    array = _whole_numbers(tags, "tags")
    if array.ndim != 2 or array.shape[0] != rows or (width is not None and array.shape[1] != width):
        wanted = f"({rows}, {'t' if width is None else width})"
        raise ShapeError(f"tags: expected shape {wanted}, got {array.shape}")
    return array


def check_mask(name: str, mask: object, *, rows: int) -> BoolArray:
    """Return ``mask`` as a (rows,) bool array."""
    array = np.asarray(_typed(mask, np.dtype(bool), name), dtype=bool)
    if array.shape != (rows,):
        raise ShapeError(f"{name}: expected shape ({rows},), got {array.shape}")
    return array


def check_whole(name: str, value: object) -> int:
    """Return ``value`` as an int, when it is a whole number that fits in int64."""
    if not _is_whole(value):
        raise ArgumentError(f"{name}: expected a whole number, got {value!r}")
    return int(value)


def _whole_numbers(values: object, name: str) -> Int64Array:
    """Return ``values`` as a C-contiguous int64 array, from any integer dtype that fits into it."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu" and np.can_cast(values.dtype, np.int64):
        _refuse_masked(values, name)
        return np.asarray(values, dtype=np.int64, order="C")
    return np.asarray(_typed(values, np.dtype(np.int64), name), dtype=np.int64, order="C")


def _typed(values: object, dtype: np.dtype[np.generic], name: str) -> npt.NDArray[np.generic]:
    """Return ``values``, when it is an array of this dtype."""
    got = values.dtype if isinstance(values, np.ndarray) else None
    if got != dtype:
        came = type(values).__name__ if got is None else f"an array of {got}"
        raise DtypeError(
            f"{name}: expected an array of {dtype}, got {came}; convert it with numpy.asarray(..., {dtype})",
            expected=str(dtype),
            got=came if got is None else str(got),
        )
    assert isinstance(values, np.ndarray)
    _refuse_masked(values, name)
    return values


def _refuse_masked(array: npt.NDArray[np.generic], name: str) -> None:
    """Refuse an array some of whose values do not count: nothing here would leave them out."""
    if hasattr(array, "mask"):
        raise DtypeError(
            f"{name}: expected an array without a mask, got {type(array).__name__}; leave the masked rows out",
            expected="ndarray",
            got=type(array).__name__,
        )
