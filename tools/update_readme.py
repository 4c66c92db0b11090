"""Fill the sections of README.md that are made by programs, and docs/performance.md with its plots.

``python tools/update_readme.py`` writes the tables, from ``benchmarks/results/``. With ``--demo`` it also runs the demo
and writes its output and ``docs/images/demo-heatmap.png``.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.performance import page as performance_page
from benchmarks.performance_plots import draw, plots
from benchmarks.tables import markdown

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PERFORMANCE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "demo-heatmap.png"
HEATMAP = "heatmaps/demo.png"


def section(page: str, name: str) -> str:
    """Return what stands between the marks ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->``.

    Raises
    ------
    ValueError
        The page does not have these marks exactly once.
    """
    found: list[str] = re.findall(_pattern(name), page, flags=re.DOTALL)
    if len(found) != 1:
        raise ValueError(f"expected one section {name!r} in the page, found {len(found)}")
    return found[0]


def replace_section(page: str, name: str, text: str) -> str:
    """Return the page with other text between the marks."""
    section(page, name)
    marked = f"<!-- begin: {name} -->\n{text.strip()}\n<!-- end: {name} -->"
    return re.sub(_pattern(name), lambda _: marked, page, flags=re.DOTALL)


def _pattern(name: str) -> str:
    return f"<!-- begin: {name} -->\n(.*?)\n<!-- end: {name} -->"


def demo_commands() -> list[list[str]]:
    """Return the words behind ``python`` of each command that ``make demo`` runs."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (image,) = re.findall(r"^DEMO_IMAGE \?= (.+)$", makefile, flags=re.MULTILINE)
    (recipe,) = re.findall(r"^demo:.*\n((?:\t.+\n)+)", makefile, flags=re.MULTILINE)
    lines = [line.strip().replace("$(DEMO_IMAGE)", image) for line in recipe.splitlines()]
    return [line.removeprefix("$(BIN)/python ").split() for line in lines]


def run_demo(folder: Path) -> str:
    """Run the demo in an empty folder; return its commands and what they print on stdout.

    Raises
    ------
    subprocess.CalledProcessError
        One of them failed; what it said went to stderr.
    """
    (folder / "data").symlink_to(ROOT / "data")
    lines = []
    for words in demo_commands():
        command = [sys.executable, str(ROOT / words[0]), *words[1:]]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
        lines += [f"$ python {' '.join(words)}", *done.stdout.splitlines()]
    return "\n".join(lines)


def _demo_section() -> str:
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        printed = run_demo(Path(name))
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(name) / HEATMAP, PICTURE)
    return f"```console\n{printed}\n```"


def main() -> None:
    """Fill the sections."""
    parser = argparse.ArgumentParser(description="Fill the sections of README.md that are made by programs.")
    parser.add_argument("--demo", action="store_true", help="also run the demo, which trains on the bundled data")
    page = README.read_text(encoding="utf-8")
    if parser.parse_args().demo:
        page = replace_section(page, "demo", _demo_section())
    PERFORMANCE.write_text(performance_page(), encoding="utf-8")
    for plot in plots().values():
        (PICTURE.parent / plot.name).write_bytes(draw(plot))
    README.write_text(replace_section(page, "results", markdown()), encoding="utf-8")


if __name__ == "__main__":
    main()
