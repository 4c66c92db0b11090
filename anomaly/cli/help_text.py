"""What ``--help`` prints: verbs first, then the options of each."""

from __future__ import annotations

import shutil
import textwrap

from anomaly.cli.options import EXIT_STATUSES, VERBS, Option, Verb

_WIDTH, _LEAST_WIDTH = 100, 50
_COLUMN = 30


def help_text(program: str) -> str:
    """Return the whole help; ``program`` is what the user typed to get here."""
    lines = [
        f"usage: {program} VERB [OPTION ...]",
        "",
        "Visual quality inspection that learns from photographs of undamaged parts.",
        "",
        "Verbs, one per call:",
        *_entries([(verb.usage, verb.help) for verb in VERBS]),
    ]
    for verb in VERBS:
        lines += ["", f"Options of {verb.flag}:", *_entries(option_rows(verb))]
    lines += ["", "Exit status:", *_entries([(str(status), meaning) for status, meaning in EXIT_STATUSES])]
    lines += ["", "A name that begins with a dash is written ./-name."]
    return "\n".join(lines) + "\n"


def option_rows(verb: Verb) -> list[tuple[str, str]]:
    """Return (how it is written, what it does) for each option of a verb."""
    return [(_usage(option), option.help) for option in verb.options]


def _usage(option: Option) -> str:
    return f"{option.usage} ..." if option.repeatable else option.usage


def _entries(rows: list[tuple[str, str]]) -> list[str]:
    lines: list[str] = []
    width = max(_LEAST_WIDTH, min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns))
    for left, text in rows:
        folded = textwrap.wrap(text, width - _COLUMN)
        if len(left) > _COLUMN - 4:
            broken = left if len(left) + 2 <= width else left.replace(",", ", ")  # a long list of choices
            lines += textwrap.wrap(
                broken, width, initial_indent="  ", subsequent_indent=" " * 6, break_on_hyphens=False,
                break_long_words=False,
            )  # fmt: skip
            left = ""
        lines += [f"  {left if i == 0 else '':{_COLUMN - 2}}{part}".rstrip() for i, part in enumerate(folded)]
    return lines
