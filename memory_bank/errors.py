"""Every error that this package raises on purpose, as one tree.

    MemoryBankError
    ├── ArgumentError                a number or a name that no call could accept
    │   ├── UnknownIndexError        no index of that name; carries ``known``
    │   └── BudgetTooSmallError      the memory budget cannot hold the coreset; carries ``needed_mb``
    ├── VectorsError                 an array cannot be used as it is
    │   ├── DtypeError               carries ``expected`` and ``got``
    │   ├── ShapeError               wrong number of axes, or lengths that differ
    │   │   └── DimensionError       vectors of another size; carries ``expected`` and ``got``
    │   └── NotFiniteError           NaN, infinity or beyond 1e30; carries ``rows``
    ├── TooFewRowsError              fewer rows than asked for; carries ``available`` and ``needed``
    │   └── EmptyBankError           no row at all
    ├── UnknownGroupError            carries ``groups``
    └── BankFileError                carries ``path``
        ├── BankMissingError         there is no saved bank
        ├── BankCorruptError         a file is missing, unreadable or not the one that was written
        └── BankVersionError         written by a newer version of this package

Each message is one line that says what was expected, what came and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class MemoryBankError(Exception):
    """Root of the tree."""

    def __reduce__(self) -> tuple[object, ...]:
        """Come through to another process with what it carries, whatever its class must be made with."""
        return _again, (type(self), self.args), self.__dict__


class ArgumentError(MemoryBankError):
    """An argument is of the wrong kind or out of range."""


class UnknownIndexError(ArgumentError):
    """No index of that name; ``known`` lists those there are."""

    def __init__(self, message: str, *, known: Sequence[str]) -> None:
        super().__init__(message)
        self.known = tuple(known)


class BudgetTooSmallError(ArgumentError):
    """The memory budget cannot hold what the coreset needs, ``needed_mb`` MiB."""

    def __init__(self, message: str, *, needed_mb: int) -> None:
        super().__init__(message)
        self.needed_mb = needed_mb


class VectorsError(MemoryBankError):
    """An array cannot be used as it is."""


class DtypeError(VectorsError):
    """The array holds numbers of another kind."""

    def __init__(self, message: str, *, expected: str, got: str) -> None:
        super().__init__(message)
        self.expected = expected
        self.got = got


class ShapeError(VectorsError):
    """The array has the wrong number of axes, or arrays that belong together differ in length."""


class DimensionError(ShapeError):
    """The vectors are of another size than those they are to be compared with."""

    def __init__(self, message: str, *, expected: int, got: int) -> None:
        super().__init__(message)
        self.expected = expected
        self.got = got


class NotFiniteError(VectorsError):
    """Rows hold NaN, infinity or values beyond 1e30; ``rows`` are the first of them."""

    def __init__(self, message: str, *, rows: Sequence[int]) -> None:
        super().__init__(message)
        self.rows = tuple(rows)


class TooFewRowsError(MemoryBankError):
    """Fewer rows than the call needs."""

    def __init__(self, message: str, *, available: int, needed: int) -> None:
        super().__init__(message)
        self.available = available
        self.needed = needed


class EmptyBankError(TooFewRowsError):
    """A memory bank needs at least one row."""


class UnknownGroupError(MemoryBankError):
    """No row of these groups is in the bank."""

    def __init__(self, message: str, *, groups: Sequence[int]) -> None:
        super().__init__(message)
        self.groups = tuple(groups)


class BankFileError(MemoryBankError):
    """A saved bank cannot be written or read."""

    def __init__(self, message: str, *, path: Path | str) -> None:
        super().__init__(message)
        self.path = path


class BankMissingError(BankFileError):
    """There is no saved bank at that place."""


class BankCorruptError(BankFileError):
    """A file is missing, unreadable or not the one that was written."""


class BankVersionError(BankFileError):
    """The bank was written by a newer version of this package."""


def _again(kind: type[MemoryBankError], args: tuple[object, ...]) -> MemoryBankError:
    return kind.__new__(kind, *args)
