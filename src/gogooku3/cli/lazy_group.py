"""A click group whose commands are imported when they are run, so that `gogooku3 --help` loads none of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """Commands by section, each in the module of the package that has its name.

    Args:
        package: the package that holds the modules; the module `NAME` defines the command `NAME`.
        sections: for each heading of the help, the names of its commands with their one-line summaries.
    """

    def __init__(self, *args: Any, package: str, sections: Mapping[str, Mapping[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.package = package
        self.sections = sections

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands in the order of the help; imports nothing."""
        return [name for section in self.sections.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported at the first call."""
        if cmd_name not in self.commands and cmd_name in self.list_commands(ctx):
            self.add_command(getattr(import_module(f"{self.package}.{cmd_name}"), cmd_name))
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name, and the arguments that are left for it."""
        if args[0] not in self.list_commands(ctx):
            # click suggests a similar name from the commands that are loaded.
            for name in self.list_commands(ctx):
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands with their summaries, section by section."""
        width = max(map(len, self.list_commands(ctx)))
        for title, summaries in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in summaries.items()])
