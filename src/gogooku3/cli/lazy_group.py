"""A click group that imports its commands lazily, so that `gogooku3 --help` loads none of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """Group of commands by section, each defined in the module with its name.

    Args:
        package: the package of the modules; the module `NAME` defines the command `NAME`.
        sections: for each heading of the help, its commands with their one-line summaries.
    """

    def __init__(self, *args: Any, package: str, sections: Mapping[str, Mapping[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.package = package
        self.sections = sections

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands in the order of the help, without importing them."""
        return [name for section in self.sections.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported at the first call."""
        if cmd_name not in self.commands and cmd_name in self.list_commands(ctx):
            self.add_command(getattr(import_module(f"{self.package}.{cmd_name}"), cmd_name))
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The selected command and its remaining arguments."""
        if args[0] not in self.list_commands(ctx):
            # Load all commands: click suggests similar names only among loaded ones.
            for name in self.list_commands(ctx):
                self.get_command(ctx, name)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands with their summaries, section by section."""
        width = max(map(len, self.list_commands(ctx)))
        for title, summaries in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in summaries.items()])
