"""The verbs of `gogooku3`, and command lines as they are parsed: shared by the tests of the help and of the docs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from gogooku3.cli.verb_reference import contexts

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VERBS = {context.command_path.removeprefix("gogooku3 "): context for context in contexts()}
"""Every verb by its name, `archive create` as well as `archive`."""


def documented() -> Iterator[tuple[str, str]]:
    """Command lines in the blocks of the README and of docs/, each with the page; not those of the help itself."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        if page.name != "cli.md":
            for block in FENCE.findall(page.read_text(encoding="utf-8")):
                yield from ((page.name, line) for line in commands(block.replace("\\\n", " ").splitlines()))


def examples(help_text: str) -> list[str]:
    """The command lines below `Examples:`."""
    _, _, below = help_text.partition("Examples:\n")
    return list(commands(below.splitlines()))


def commands(lines: Iterable[str]) -> Iterator[str]:
    """The calls of `gogooku3` in the lines, without comments and redirections."""
    for call in (call for line in lines for call in line.split("&&")):
        if call.strip().startswith("gogooku3 "):
            plain = re.sub(r"\$\(date .*?\)", "2024-01-31", call.partition(" > ")[0])
            yield shlex.join(shlex.split(plain, comments=True))


def find(words: list[str]) -> tuple[click.Context, list[str]]:
    """The verb that the words after `gogooku3` call, and the arguments that are left for it."""
    name = " ".join(words[:2]) if " ".join(words[:2]) in VERBS else words[0]
    return VERBS[name], words[len(name.split()) :]


def parse(line: str) -> None:
    """Raises `click.UsageError` where a verb would refuse this command line."""
    context, arguments = find(shlex.split(line)[1:])
    context.command.make_context(context.info_name, arguments, parent=context.parent)
