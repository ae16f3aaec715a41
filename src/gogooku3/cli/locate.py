"""`gogooku3 locate`: who has an output of the pipeline, or a release's package."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from gogooku3.progress import progress_bar
from gogooku3.recovery.releases.git import toplevel

if TYPE_CHECKING:
    from gogooku3.recovery.locate import Located
    from gogooku3.recovery.restore_command import Location


@click.command()
@click.argument("target", metavar="PATH|TIER[@VERSION]")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def locate(target: str, as_json: bool) -> None:
    """Find out where an output or a release can be had.

    Looks for an output of the pipeline, a file in one, a folder of outputs, or the package of a release. The expected
    hash comes from dvc.lock, of the working tree or of the release's tag. The working tree and the local cache are
    hashed, and every remote is asked. The last line is the command that restores it.

    \b
    Examples:
      gogooku3 locate models/package/model.safetensors
      gogooku3 locate tier1@v1.0.0

    Exit codes: 0 an undamaged copy was found; 1 none was found; 3 no output or release has that name; 8 Git failed.
    """
    from gogooku3.recovery.locate import locate as run

    with progress_bar() as progress:
        found = run(toplevel(Path.cwd()), target, progress)
    if as_json:
        click.echo(json.dumps(_content(found), indent=2, ensure_ascii=False))
    else:
        _print(found)
    sys.exit(0 if found.somewhere else 1)


def _content(found: Located) -> dict[str, object]:
    return asdict(found) | {
        "tree": _place(found.tree),
        "cache": _place(found.cache),
        "remotes": [_place(each) for each in found.remotes],
    }


def _place(place: Location) -> dict[str, object]:
    return {
        "name": place.name,
        "where": place.where,
        "is_whole": place.is_whole,
        "damage": place.damage,
        "unreachable": place.unreachable,
    }


def _print(found: Located) -> None:
    console = Console(highlight=False)
    outputs = Table(Column("looked for", overflow="fold"), "object", "bytes", "stage")
    for output in found.wanted:
        outputs.add_row(output.path, output.md5, "?" if output.size is None else f"{output.size:,}", output.stage)
    console.print(outputs)
    places = Table("place", Column("where", overflow="fold"), Column("found", overflow="fold"))
    for place in (found.tree, found.cache, *found.remotes):
        places.add_row(place.name, place.where, Text(str(place), style="green" if place.is_whole else "red"))
    console.print(places)
    click.echo(f"recorded by: {', '.join(dict.fromkeys((found.recorded_by, *found.tags)))}")
    if found.command:
        click.echo(f"{'get it' if found.somewhere else 'no intact copy'}: {found.command}")
    else:
        click.echo("nothing to do: it is where it belongs")
