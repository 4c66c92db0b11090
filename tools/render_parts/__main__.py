"""Command line: ``python -m tools.render_parts --output data/parts``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from .dataset import pending, save, write_labels
from .law import IMAGES, PART_TYPES


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="python -m tools.render_parts", description=__doc__)
    made.add_argument("--output", type=Path, required=True, metavar="DIR", help="data set to write or to continue")
    made.add_argument("--type", choices=PART_TYPES, help="one part type only (default: both, taking turns)")
    made.add_argument("--seed", type=int, default=0, help="seed of the whole data set (default 0)")
    made.add_argument("--from", dest="first", type=int, default=0, metavar="I", help="first index (default 0)")
    made.add_argument(
        "--to", dest="end", type=int, default=IMAGES, metavar="I", help=f"end, exclusive (default {IMAGES})"
    )
    made.add_argument("--step", type=int, default=1, metavar="N", help="render every N-th index only (default 1)")
    made.add_argument("--size", type=int, default=640, metavar="PX", help="edge of the pictures (default 640)")
    made.add_argument("--samples", type=int, default=2, metavar="N", help="samples a pixel (default 2)")
    made.add_argument("--threads", type=int, default=1, metavar="N", help="threads of each job (default 1)")
    made.add_argument("--jobs", type=int, default=1, metavar="N", help="processes side by side (default 1)")
    made.add_argument("--labels-only", action="store_true", help="only put labels.csv together from what is there")
    return made


def _side_by_side(options: argparse.Namespace, arguments: list[str]) -> int:
    """Start ``--jobs`` processes, each with its share of the indices, and wait for them."""
    shares = []
    for job in range(options.jobs):
        more = [
            "--from",
            str(options.first + job * options.step),
            "--step",
            str(options.step * options.jobs),
            "--jobs",
            "1",
        ]
        shares.append(subprocess.Popen([sys.executable, "-m", "tools.render_parts", *arguments, *more]))
    return max(share.wait() for share in shares)


def main(arguments: list[str] | None = None) -> int:
    """Render what is missing; return the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(given)
    if not options.labels_only:
        if options.jobs > 1:
            return _side_by_side(options, given)
        try:
            from .render import Quality, render_picture
        except ModuleNotFoundError as error:
            print(
                f"rendering needs Blender as a Python module, and {error.name} is missing: pip install 'bpy>=4.5,<4.6'",
                file=sys.stderr,
            )
            return 1
        quality = Quality(size=options.size, samples=options.samples, threads=options.threads)
        kinds = (options.type,) if options.type else PART_TYPES
        for part_type, index in pending(options.output, kinds, range(options.first, options.end, options.step)):
            began = time.monotonic()
            jpeg, mask, record = render_picture(part_type, index, seed=options.seed, quality=quality)
            save(options.output, jpeg, mask, record.as_dict())
            print(
                f"{record.path}  {record.defect or '-'}  {len(jpeg)} bytes  {time.monotonic() - began:.1f} s",
                file=sys.stderr,
            )
    rows = write_labels(options.output)
    print(f"{options.output / 'labels.csv'}: {rows} pictures", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
