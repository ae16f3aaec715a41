"""The help of every verb as a page: `python src/gogooku3 cli.verb_reference > docs/cli.md` writes it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from gogooku3.cli import SECTIONS, main

_TITLE = """# The command line

What `gogooku3 VERB --help` prints, for every verb. This page is written by
`python src/gogooku3 cli.verb_reference > docs/cli.md`; the texts are the docstrings in `src/gogooku3/cli`.

`gogooku3` is installed in `.venv/bin`: `source .venv/bin/activate` puts it on the path. Where another clone's source is
installed, `python src/gogooku3 cli VERB` runs this one's. [The playbook](playbook.md) says what to type when, and
[commands](commands.md#exit-codes) has the exit codes in one table.

Completion of verbs, options and file names by the shell, for Bash, Zsh and Fish:

```
eval "$(_GOGOOKU3_COMPLETE=bash_source gogooku3)"           # in ~/.bashrc
eval "$(_GOGOOKU3_COMPLETE=zsh_source gogooku3)"            # in ~/.zshrc
_GOGOOKU3_COMPLETE=fish_source gogooku3 | source            # in ~/.config/fish/config.fish
```
"""
_WIDTH = 80


def contexts() -> Iterator[click.Context]:
    """The context of every verb and of every verb in it, in the order of the help."""
    root = click.Context(main, info_name="gogooku3", terminal_width=_WIDTH, **main.context_settings)
    for context in _below(root):
        yield context
        yield from _below(context)


def markdown() -> str:
    """The page."""
    return "\n".join(_lines())


def _below(parent: click.Context) -> Iterator[click.Context]:
    if isinstance(parent.command, click.Group):
        for name in parent.command.list_commands(parent):
            if command := parent.command.get_command(parent, name):
                yield click.Context(command, parent=parent, info_name=name)


def _lines() -> Iterator[str]:
    yield _TITLE
    for section, summaries in SECTIONS.items():
        yield f"**{section}**\n"
        yield from (f"- [`{verb}`](#gogooku3-{verb}): {summary}" for verb, summary in summaries.items())
        yield ""
    for context in contexts():
        level = "#" * len(context.command_path.split())
        yield f"{level} {context.command_path}\n\n```text\n{context.get_help()}\n```\n"


if __name__ == "__main__":
    click.echo(markdown(), nl=False)
