"""`gogooku3 predict`: scores from a package and a dataset."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from gogooku3 import paths
from gogooku3.runtime import numerics


@click.command()
@click.argument("package", type=click.Path(path_type=Path), default=paths.PACKAGE)
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    default=paths.DATASET,
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
    from gogooku3.package.predict import predict as run
    from gogooku3.runtime.files import write_csv, write_parquet

    predictions = run(package, dataset, domain, first and first.date(), last and last.date())
    (write_parquet if output.suffix == ".parquet" else write_csv)(predictions.frame, output)
    click.echo(f"{len(predictions.frame):,} scores written to {output}")
    if predictions.golden_difference == 0:
        click.echo("golden predictions: equal to the bit")
    else:
        click.echo(
            f"golden predictions: differ by up to {predictions.golden_difference:.3g};"
            f" `gogooku3 verify {package}` says why"
        )
