"""What the figures were measured on: hardware and library versions, no names of hosts or folders."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

DISTRIBUTIONS = (
    "anomalib",
    "faiss-cpu",
    "lightning",
    "numpy",
    "openvino",
    "pillow",
    "timm",
    "torch",
    "torchvision",
)


def provenance() -> dict[str, Any]:
    """Return the date, the machine and the versions, for a result file."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": library_versions(),
    }


def describe_machine() -> dict[str, Any]:
    """Return processor, cores this process may use, memory in GiB and operating system."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide the figures."""
    return {"python": platform.python_version()} | {name: _version(name) for name in DISTRIBUTIONS}


def machine_line(found: dict[str, Any]) -> str:
    """Return one line on a machine, for people."""
    return f"{found['processor']}, {found['cores']} cores, {found['memory_gib']:g} GiB, {found['system']}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
