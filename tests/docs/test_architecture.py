"""ARCHITECTURE.md names every module, and no other; every import contract, and no other."""

from __future__ import annotations

import re
import tomllib

from tests.docs.pages import ROOT, read

PAGE = "ARCHITECTURE.md"


def modules_on_the_page() -> dict[str, list[str]]:
    """Module names in the tables below the heading of each package."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^### ", read(PAGE).split("## Code map")[1].split("\n## ")[0], flags=re.MULTILINE)[1:]:
        heading, _, table = part.partition("\n")
        if heading.startswith("`"):
            found[heading.strip("`/")] = re.findall(r"^\| `(\w+\.py)` \| \S", table, flags=re.MULTILINE)
    return found


def test_every_module_is_on_the_map_and_nothing_else() -> None:
    there: dict[str, list[str]] = {}
    for package in ("anomaly", "memory_bank"):
        for path in (ROOT / package).rglob("*.py"):
            names = there.setdefault(path.parent.relative_to(ROOT).as_posix(), [])
            names += [] if path.name == "__init__.py" else [path.name]
    on_the_page = modules_on_the_page()
    assert on_the_page.keys() == there.keys()
    for package, names in there.items():
        assert sorted(on_the_page[package]) == sorted(names), package


def test_packages_stand_in_the_order_of_the_layers() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    rank = {name.strip(): place for place, layer in enumerate(layers) for name in layer.split(":")}
    packages = [package.replace("/", ".") for package in modules_on_the_page() if "/" in package]
    ranks = [rank[package] for package in packages]
    assert ranks == sorted(ranks)
    assert set(packages) == {name for name in rank if (ROOT / name.replace(".", "/")).is_dir()}


def test_every_import_contract_is_named() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    rows = "".join(row for row in read(PAGE).splitlines() if "import contract" in row)
    assert sorted(re.findall(r"\*([^*]+)\*", rows)) == sorted(contract["name"] for contract in contracts)
