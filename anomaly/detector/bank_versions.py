"""Which memory bank belongs to which calibration, and the folders of the banks that do not stand.

    versions.json           what changed from bank to bank, and the bank of each calibration; not there before a change
    earlier/0001/bank/ ...  a bank that does not stand, with its thumbnails; the one that stands is ``bank/``

A calibration's scores were made by one bank. So a rollback to a calibration brings its bank back with it.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from anomaly.errors import TrainedModelCorruptError

FILE = "versions.json"
EARLIER = "earlier"
FOLDERS = ("bank", "thumbnails")
_ASIDE = re.compile(rf"{EARLIER}/[0-9]{{4,}}/")

Action: TypeAlias = Literal["train", "learn-good", "forget"]


@dataclass(frozen=True)
class BankVersion:
    """One memory bank of a trained model.

    Attributes
    ----------
    version : int
        1, 2, 3, ...
    action : {"train", "learn-good", "forget"}
        What made it of the one before.
    images : tuple of str
        Names of the bank images that came or went.
    created : str
        ISO 8601, UTC; empty for the first.
    reason : str
    """

    version: int
    action: Action = "train"
    images: tuple[str, ...] = ()
    created: str = ""
    reason: str = ""


@dataclass(frozen=True)
class BankVersions:
    """All memory banks of a trained model.

    Attributes
    ----------
    versions : tuple of BankVersion
    of_calibration : tuple of int
        The bank of calibration 1, 2, ...
    """

    versions: tuple[BankVersion, ...]
    of_calibration: tuple[int, ...]

    @classmethod
    def of_one(cls, calibrations: int) -> BankVersions:
        """Return what holds before any change: one bank for all calibrations."""
        return cls((BankVersion(1),), (1,) * calibrations)

    def of(self, calibration: int) -> int:
        """Return the bank of a calibration."""
        return self.of_calibration[calibration - 1]

    def calibrated(self, calibrations: int, *, standing: int) -> BankVersions:
        """Return the same after further calibrations of the bank that stands; `standing` is a calibration."""
        new = calibrations - len(self.of_calibration)
        return dataclasses.replace(self, of_calibration=(*self.of_calibration, *[self.of(standing)] * new))

    def changed(self, change: BankVersion) -> BankVersions:
        """Return the same after one change of the bank, and the calibration that came with it."""
        return BankVersions((*self.versions, change), (*self.of_calibration, change.version))

    def to_json(self) -> str:
        """Return the text of ``versions.json``."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=True) + "\n"


def read_versions(folder: Path, calibrations: int) -> BankVersions | None:
    """Read ``versions.json``; None where the bank was never changed.

    Raises
    ------
    TrainedModelCorruptError
        It is not what was written.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        value: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        versions = tuple(BankVersion(**{**entry, "images": tuple(entry["images"])}) for entry in value["versions"])
        found = BankVersions(versions, tuple(int(number) for number in value["of_calibration"]))
        sound = [entry.version for entry in versions] == list(range(1, len(versions) + 1))
        sound = (
            sound
            and len(found.of_calibration) == calibrations
            and set(found.of_calibration) <= {entry.version for entry in versions}
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainedModelCorruptError(f"{path} cannot be read ({error}): restore it from a copy", path=path) from error
    if not sound:
        raise TrainedModelCorruptError(f"{path} does not fit the calibrations: restore it from a copy", path=path)
    return found


def put_aside(root: Path, version: int, hashes: Mapping[str, str]) -> dict[str, str]:
    """Move the bank that stands to its place among the earlier ones; return the hashes by their new names."""
    return _move(root, "", _prefix(version), hashes)


def bring_back(root: Path, version: int, hashes: Mapping[str, str]) -> dict[str, str]:
    """Move an earlier bank to where the one that stands is; return the hashes by their new names."""
    moved = _move(root, _prefix(version), "", hashes)
    (root / _prefix(version)).rmdir()
    return moved


def plain_name(name: str) -> str:
    """Return what a file of an earlier bank was called while it stood."""
    return _ASIDE.sub("", name, count=1)


def _prefix(version: int) -> str:
    return f"{EARLIER}/{version:04d}/"


def _move(root: Path, before: str, after: str, hashes: Mapping[str, str]) -> dict[str, str]:
    (root / after).mkdir(parents=True, exist_ok=True)
    for folder in FOLDERS:
        (root / f"{before}{folder}").rename(root / f"{after}{folder}")
    starts = tuple(f"{before}{folder}/" for folder in FOLDERS)
    return {
        after + name.removeprefix(before) if name.startswith(starts) else name: sha256
        for name, sha256 in hashes.items()
    }
