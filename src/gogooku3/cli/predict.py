"""`gogooku3 predict`: scores from a package and a dataset."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from gogooku3 import paths
from gogooku3.cli.clone_options import in_project
from gogooku3.cli.output import echo

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("package", type=click.Path(path_type=Path), default=in_project(paths.PACKAGE))
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    default=in_project(paths.DATASET),
    show_default=str(paths.DATASET),
    help="Dataset folder.",
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="File to write: .parquet or .csv.")
@click.option("--from", "first", type=_DAY, metavar="YYYY-MM-DD", help="First day; all sessions by default.")
@click.option("--to", "last", type=_DAY, metavar="YYYY-MM-DD", help="Last day, inclusive.")
def predict(package: Path, dataset: Path, output: Path, first: datetime | None, last: datetime | None) -> None:
    """Score the stocks of a dataset with a packaged model.

    Writes Date, Code and a score per horizon for each session. The dataset must have the features of PACKAGE
    (models/package), in the same order. The golden predictions of the package are recomputed, and any difference is
    reported.

    \b
    Examples:
      gogooku3 predict --output scores.csv
      gogooku3 predict models/package --dataset data/dataset --from 2023-12-01 --output scores.parquet

    Exit codes: 0 written; 2 an argument is wrong; 3 the package or the dataset is missing or damaged; 4 the device of
    the package is not available; 5 package and dataset do not match.
    """
    if output.suffix not in (".parquet", ".csv"):
        raise click.BadParameter(f"`{output}` is neither .parquet nor .csv", param_hint="--output")
    # The imported libraries read the pinned settings when they load.
    from gogooku3.package.environment import read_numerics
    from gogooku3.runtime import numerics

    domain = read_numerics(package)
    numerics.pin(domain)
    from gogooku3.package.predict import predict as run
    from gogooku3.runtime.files import write_csv, write_parquet

    predictions = run(package, dataset, domain, first and first.date(), last and last.date())
    (write_parquet if output.suffix == ".parquet" else write_csv)(predictions.frame, output)
    echo(f"{len(predictions.frame):,} scores written to {output}")
    if predictions.max_golden_difference == 0:
        echo("golden predictions: bitwise identical")
    else:
        echo(
            f"golden predictions: differ by up to {predictions.max_golden_difference:.3g};"
            f" `gogooku3 verify {package}` shows why"
        )
