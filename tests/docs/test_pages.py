"""Links lead somewhere, commands are understood, files that are named exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from anomaly.cli.parser import parse
from anomaly.config import Config, config_to_dict
from tests.docs.pages import PAGES, ROOT, anchors, commands, inline_code, links, name, read

each_page = pytest.mark.parametrize("page", PAGES, ids=name)


@each_page
def test_links_inside_the_checkout_resolve(page: Path) -> None:
    for link in links(read(page)):
        target, _, anchor = link.partition("#")
        place = (page.parent / target).resolve() if target else page
        assert place.exists(), link
        assert place.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(read(place)), link


@each_page
def test_the_parser_understands_every_command(page: Path) -> None:
    for words in commands(read(page)):
        try:
            parse(words)
        except SystemExit as refused:
            pytest.fail(f"status {refused.code}: python model.py {' '.join(words)}")


@each_page
def test_settings_in_commands_exist(page: Path) -> None:
    table = config_to_dict(Config())
    for words in commands(read(page)):
        for setting, _ in parse(words).settings:
            section, _, last = setting.rpartition(".")
            assert last in (table[section] if section else table), setting


@each_page
def test_files_of_the_checkout_that_are_named_exist(page: Path) -> None:
    tops = "anomaly|memory_bank|benchmarks|configs|data|docs|tests|tools"
    placeholders = ("VERB", "NNNN", "benchmarks/results")
    for code in inline_code(read(page)):
        if re.fullmatch(rf"({tops})/[\w./-]*", code) and not any(part in code for part in placeholders):
            assert (ROOT / code).exists(), code


@each_page
def test_tests_that_are_named_exist(page: Path) -> None:
    for code in inline_code(read(page)):
        file, _, function = code.partition("::")
        if function:
            assert re.search(rf"^def {function}\(", read(file), flags=re.MULTILINE), code


@each_page
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE))
    text = read(page)
    named = {code.split()[1] for code in inline_code(text) if re.match(r"make [a-z]", code)}
    named |= set(re.findall(r"^(?:    |\$ )make ([a-z]+)", text, flags=re.MULTILINE))
    assert named <= targets


def test_the_pages_are_found() -> None:
    assert {"README.md", "ARCHITECTURE.md", "docs/cli.md"} <= {name(page) for page in PAGES}
    assert len(commands(read("README.md"))) > 10


def test_the_changelog_has_an_entry_for_this_version() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    entry = re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n\n### \w+\n- ", read("CHANGELOG.md"), re.M)
    assert entry is not None


def test_decisions_are_numbered_without_a_gap_and_say_what_follows() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    for number, record in enumerate(records, start=1):
        text = read(record)
        assert record.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number:04d}: ")
        assert "\n## Decision\n" in text
        assert "\n## Consequence\n" in text
        assert f"docs/decisions/{record.name}" in read("ARCHITECTURE.md")


def test_the_licence_is_the_one_that_is_declared() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    text = read("LICENSE")
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
