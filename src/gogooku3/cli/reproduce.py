"""`gogooku3 reproduce`: trains a release again and compares every output with what it records."""

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

from gogooku3.cli.clone_options import clone_options, from_option, settings_option

if TYPE_CHECKING:
    from gogooku3.recovery.reproduce import Reproduction


@click.command()
@click.argument("name", metavar="TIER[@VERSION]")
@from_option
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    help="The clone to train in; by default a temporary folder, which is removed when all outputs are the same.",
)
@click.option(
    "--new-environment",
    is_flag=True,
    help="Train with a new environment from the release's requirements.lock, in `.venv` of the clone.",
)
@settings_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def reproduce(
    name: str, url: str | None, target: Path | None, new_environment: bool, settings: Path | None, as_json: bool
) -> None:
    """Retrain a release and compare every output.

    Runs the whole pipeline in a clean clone at the tag of TIER (its best version) or TIER@VERSION, with the tag's code,
    parameters and libraries and without the run cache. Where an output differs from what the release records, the first
    divergence is named: stage, file, and in it phase, epoch and step, tensor, month and column, or key. A stage whose
    input is neither in Git nor here is not run: its outputs are fetched as recorded, and the result says so.

    \b
    Examples:
      gogooku3 reproduce tier1@v1.0.0
      gogooku3 reproduce tier1 --new-environment --to retrained

    Exit codes: 0 all outputs are the same; 1 an output differs, or the folder holds something else; 3 there is no such
    version, or no undamaged copy of an output is found; 4 other libraries are installed, or the pipeline fails; 7 the
    bucket cannot be reached; 8 Git failed.
    """
    from gogooku3.recovery.reproduce import reproduce as run

    here = clone_options(url, settings)
    found = run(
        here.url,
        name,
        target,
        new_environment=new_environment,
        settings=here.settings,
        also=here.caches,
        log=lambda what: click.echo(what, err=True),
    )
    if as_json:
        click.echo(json.dumps(asdict(found) | {"same": found.same}, indent=2, ensure_ascii=False))
    else:
        _print(found)
    sys.exit(0 if found.same else 1)


def _print(found: Reproduction) -> None:
    table = Table("stage", Column("output", overflow="fold"), "result", title=Text(found.tag), title_justify="left")
    for stage in found.stages:
        for output in stage.outputs:
            result = Text("same", "green") if output.same else Text("DIFFERENT", "bold red")
            if stage.absent:
                result = Text("taken, not reproduced", "yellow")
            table.add_row(stage.stage, Text(output.path), result)
    console = Console(highlight=False)
    console.print(table)
    for stage in found.stages:
        if stage.absent:
            click.echo(f"not reproduced: {stage.stage}, for {', '.join(stage.absent)} is missing here or has changed")
    if found.domain.outcome != "passed":
        click.echo(f"equal bits are not promised here: {found.domain.found}")
    if found.first is None:
        click.secho(f"{found.tag} comes out again as it was released, to the bit", fg="green")
        return
    click.secho(f"first divergence: {found.first.stage}", fg="red", bold=True)
    for difference in found.differences:
        told = "; ".join(str(part) for part in (difference.first, difference.note) if part)
        click.echo(f"  {difference.path}: {told}")
    click.echo(f"kept for a closer look: {found.folder}")
