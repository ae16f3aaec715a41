"""`gogooku3 reproduce`: retrains a release and compares every output bitwise."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Column, Table
from rich.text import Text

from gogooku3.cli.clone_options import clone_options, from_option, settings_option, trusted_keys_option
from gogooku3.cli.foreign_code import confirm, yes_option
from gogooku3.cli.output import console, echo, echo_json

if TYPE_CHECKING:
    from gogooku3.recovery.reproduce import Reproduction


@click.command()
@click.argument("name", metavar="TIER[@VERSION]")
@from_option
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    help="The clone to train in; by default a temporary folder, removed if all outputs are identical.",
)
@click.option(
    "--new-environment",
    is_flag=True,
    help="Train with a new environment from the release's requirements.lock, in `.venv` of the clone.",
)
@settings_option
@trusted_keys_option
@yes_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def reproduce(
    name: str,
    url: str | None,
    target: Path | None,
    new_environment: bool,
    settings: Path | None,
    trusted_keys: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Retrain a release and compare every output.

    Runs the full pipeline in a clean clone at the tag of TIER (its best version) or TIER@VERSION, with the tag's code,
    parameters and libraries and without the run cache. If an output differs from the release, the first divergence is
    reported: stage, file, and in it phase, epoch and step, tensor, month and column, or key. A stage whose input is
    neither in Git nor on this machine is not run: its recorded outputs are fetched, and marked as not reproduced.

    This runs the code of the repository with your permissions. If --from names another repository than the one in the
    current folder, it asks first; without a terminal it refuses, unless --yes is given.

    \b
    Examples:
      gogooku3 reproduce tier1@v1.0.0
      gogooku3 reproduce tier1 --new-environment --to retrained
      gogooku3 reproduce tier1 --from https://example.com/team/gogooku3.git --yes

    Exit codes: 0 all outputs are identical; 1 an output differs, the folder has other content, another process is
    working on it, or nobody agreed to run another repository's code; 2 the list of trusted keys is wrong; 3 there is no
    such version, or no intact copy of an output is found; 4 other libraries are installed, or the pipeline fails; 5 the
    tag's signature is not valid or not trusted; 7 the bucket cannot be reached; 8 Git failed.
    """
    from gogooku3.recovery.reproduce import reproduce as run

    options = clone_options(url, settings)
    confirm("reproduce", "its pipeline, its `verify`, and with --new-environment its lock file", options, yes)
    result = run(
        options.url,
        name,
        target,
        new_environment=new_environment,
        settings=options.settings,
        trusted_keys=trusted_keys,
        also=options.caches,
        log=lambda line: echo(line, err=True),
    )
    if as_json:
        echo_json(asdict(result) | {"same": result.same})
    else:
        _print(result)
    sys.exit(0 if result.same else 1)


def _print(reproduction: Reproduction) -> None:
    table = Table(
        "stage", Column("output", overflow="fold"), "result", title=Text(reproduction.tag), title_justify="left"
    )
    for stage in reproduction.stages:
        for output in stage.outputs:
            result = Text("same", "green") if output.same else Text("DIFFERENT", "bold red")
            if stage.absent:
                result = Text("fetched, not reproduced", "yellow")
            table.add_row(stage.stage, Text(output.path), result)
    printer = console()
    printer.print(table)
    for stage in reproduction.stages:
        if stage.absent:
            echo(f"not reproduced: {stage.stage}: {', '.join(stage.absent)} is missing or has changed")
    if reproduction.domain.outcome != "passed":
        echo(f"bitwise identical results are not guaranteed on this machine: {reproduction.domain.found}")
    if reproduction.first is None:
        echo(f"{reproduction.tag} was reproduced, bitwise identical", fg="green")
        return
    echo(f"first divergence: {reproduction.first.stage}", fg="red", bold=True)
    for difference in reproduction.differences:
        description = "; ".join(str(part) for part in (difference.first, difference.note) if part)
        echo(f"  {difference.path}: {description}")
    echo(f"kept for inspection: {reproduction.folder}")
