"""`gogooku3 locate`: where intact copies of an output or a release's package are."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Column, Table
from rich.text import Text

from gogooku3.cli.output import console, echo, echo_json
from gogooku3.progress import progress_bar
from gogooku3.recovery.releases.git import toplevel

if TYPE_CHECKING:
    from gogooku3.recovery.locate import Located
    from gogooku3.recovery.restore_command import Location


@click.command()
@click.argument("target", metavar="PATH|TIER[@VERSION]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def locate(target: str, as_json: bool) -> None:
    """Find copies of an output or a release.

    Looks for an output of the pipeline, a file in one, a folder of outputs, or the package of a release. The expected
    hash comes from dvc.lock, of the working tree or of the release's tag. Files in the working tree and the local
    cache are hashed, and every remote is checked. The last line is the command that restores it.

    \b
    Examples:
      gogooku3 locate models/package/model.safetensors
      gogooku3 locate tier1@v1.0.0

    Exit codes: 0 an intact copy was found; 1 none was found; 3 no output or release has that name; 8 Git failed.
    """
    from gogooku3.recovery.locate import locate as run

    with progress_bar() as progress:
        located = run(toplevel(Path.cwd()), target, progress)
    if as_json:
        echo_json(_content(located))
    else:
        _print(located)
    sys.exit(0 if located.somewhere else 1)


def _content(located: Located) -> dict[str, object]:
    return asdict(located) | {
        "tree": _as_json(located.tree),
        "cache": _as_json(located.cache),
        "remotes": [_as_json(remote) for remote in located.remotes],
    }


def _as_json(location: Location) -> dict[str, object]:
    return {
        "name": location.name,
        "where": location.where,
        "is_whole": location.is_whole,
        "damage": location.damage,
        "unreachable": location.unreachable,
    }


def _print(located: Located) -> None:
    printer = console()
    outputs = Table(Column("output", overflow="fold"), "object", "bytes", "stage")
    for output in located.wanted:
        outputs.add_row(output.path, output.md5, "?" if output.size is None else f"{output.size:,}", output.stage)
    printer.print(outputs)
    locations = Table("location", Column("path or URL", overflow="fold"), Column("found", overflow="fold"))
    for location in (located.tree, located.cache, *located.remotes):
        style = "green" if location.is_whole else "red"
        locations.add_row(location.name, location.where, Text(str(location), style=style))
    printer.print(locations)
    echo(f"recorded by: {', '.join(dict.fromkeys((located.recorded_by, *located.tags)))}")
    if located.command:
        echo(f"{'restore it' if located.somewhere else 'no intact copy'}: {located.command}")
    else:
        echo("nothing to do: the working tree has it")
