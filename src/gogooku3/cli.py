"""`gogooku3 VERB`: thin, no logic. Errors end with their code and a hint (see `gogooku3.errors`)."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from gogooku3 import numerics
from gogooku3.errors import UserError


class _Group(click.Group):
    """Prints what a user can cause as one message, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)


@click.group(cls=_Group)
@click.version_option(package_name="gogooku3")
def main() -> None:
    """Train, package and get back models that rank Japanese equities."""


@main.command()
@click.argument("package", type=click.Path(path_type=Path), default=Path("models/package"))
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    default=Path("data/dataset"),
    show_default=True,
    help="Dataset folder.",
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="File to write: .parquet or .csv.")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day; all sessions by default.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last day, inclusive.")
def predict(package: Path, dataset: Path, output: Path, first: datetime | None, last: datetime | None) -> None:
    """Write Date, Code and a score per horizon from PACKAGE and a dataset."""
    if output.suffix not in (".parquet", ".csv"):
        raise click.BadParameter(f"`{output}` ends neither in .parquet nor in .csv", param_hint="--output")
    # The libraries behind these read the pinned settings when they load.
    from gogooku3.package.environment import read_numerics

    domain = read_numerics(package)
    numerics.pin(domain)
    from gogooku3.files import write_csv, write_parquet
    from gogooku3.package.predict import predict as run

    predictions = run(package, dataset, domain, first and first.date(), last and last.date())
    (write_parquet if output.suffix == ".parquet" else write_csv)(predictions.frame, output)
    click.echo(f"{len(predictions.frame):,} scores written to {output}")
    if predictions.golden_difference == 0:
        click.echo("golden predictions: equal to the bit")
    else:
        click.echo(
            f"golden predictions: differ by up to {predictions.golden_difference:.3g};"
            " this machine is outside the domain that `environment.json` names"
        )
