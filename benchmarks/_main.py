"""What every benchmark program does around its work."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anomaly.errors import AnomalyError
from benchmarks._machine import machine_line, provenance
from benchmarks._results import read_results, write_results


def exit_status(work: Callable[[], None]) -> int:
    """Do the work; a known error becomes one line on stderr and status 1."""
    try:
        work()
    except AnomalyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def sets_parser(doc: str | None, *, output: Path) -> argparse.ArgumentParser:
    """Return a parser with the options of a benchmark over image sets; ``doc`` is that of its module."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0] if doc else None)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of image sets in the MVTec AD layout")
    parser.add_argument("--sets", nargs="+", default=[], metavar="NAME", help="only these (default: all)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML (default: the library's)")
    parser.add_argument("--output", type=Path, default=output, metavar="FILE", help="result file (JSON)")
    return parser


def measure_parts(
    parts: Mapping[str, Callable[[argparse.Namespace], dict[str, Any]]], options: argparse.Namespace
) -> None:
    """Measure the parts named by ``options.only``; the others keep their figures in ``options.output``."""
    content = read_results(options.output)
    print(f"{machine_line(provenance()['machine'])}, load {os.getloadavg()[0]:.1f}\n", file=sys.stderr)
    for name in options.only:
        print(f"{name} ...", file=sys.stderr, flush=True)
        load = round(os.getloadavg()[0], 1)
        content[name] = provenance() | {"load_before": load} | parts[name](options)
        write_results(options.output, content)
        print(json.dumps({name: {k: v for k, v in content[name].items() if k != "versions"}}, indent=1))
