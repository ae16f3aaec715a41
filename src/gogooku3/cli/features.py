"""`gogooku3 features`: the features (input variables) of the model."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Column, Table
from rich.text import Text

from gogooku3 import source
from gogooku3.cli.output import console, echo, echo_json
from gogooku3.features.subsets import SUBSETS


@click.command()
@click.option(
    "--set", "subset", type=click.Choice(tuple(SUBSETS)), default="full", show_default=True, help="Feature set."
)
@click.option("--family", help="List the features of this family only.")
@click.option("--json", "as_json", is_flag=True, help="Print the features as JSON.")
@click.option("--markdown", "as_page", is_flag=True, help="Print the page docs/features.md.")
def features(subset: str, family: str | None, as_json: bool, as_page: bool) -> None:
    """List the features of a set with their definitions.

    Each with its family and its lookback in sessions.

    \b
    Examples:
      gogooku3 features --set core --family volume
      gogooku3 features --json

    Exit codes: 0 listed; 2 there is no such family; 4 another clone's source is installed.
    """
    source.require(Path.cwd())
    from gogooku3.cli.feature_reference import markdown, smallest_subset
    from gogooku3.errors import ConfigError
    from gogooku3.features.registry import FAMILIES, select

    if as_page:
        echo(markdown(), nl=False)
        return
    if family is not None and family not in FAMILIES:
        raise ConfigError(f"`{family}` is not a feature family", hint=f"use one of {', '.join(FAMILIES)}")
    listed = [feature for feature in select(subset) if family in (None, feature.family)]
    if as_json:
        rows = [
            {
                "name": feature.name,
                "family": feature.family,
                "lookback": feature.lookback,
                "scope": feature.scope,
                "set": smallest_subset(feature),
                "definition": feature.definition,
            }
            for feature in listed
        ]
        echo_json(rows)
        return
    table = Table("feature", "family", Column("lookback", justify="right"), Column("definition", overflow="fold"))
    for feature in listed:
        table.add_row(feature.name, feature.family, str(feature.lookback), Text(feature.definition))
    printer = console()
    printer.print(table)
    printer.print(f"{len(listed)} features")
