"""`gogooku3 export`: predictions and returns for alphalens and quantstats."""

from __future__ import annotations

from pathlib import Path

import click

from gogooku3 import source
from gogooku3.cli.output import echo


@click.command()
@click.option(
    "--split", type=click.Choice(["test", "validation"]), default="test", show_default=True, help="Split to export."
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder to write; must be new or empty.")
def export(split: str, output: Path) -> None:
    """Export predictions and returns for alphalens and quantstats.

    Writes the scores, forward returns and portfolio returns of a split in the formats that these libraries read. Run it
    in the root of the repository, after `dvc repro` or `dvc pull`. Then, in pandas:

    \b
        factor = pd.read_parquet("OUTPUT/alphalens/score_5.parquet")
        alphalens.performance.mean_information_coefficient(factor)
        net = pd.read_parquet("OUTPUT/quantstats/returns.parquet")["net"]
        quantstats.stats.sharpe(net)

    \b
    Examples:
      gogooku3 export --output exported
      gogooku3 export --split validation --output exported-validation

    Exit codes: 0 written; 1 the folder is not empty; 2 the parameters are wrong; 3 an output of the run is missing; 4
    another clone's source is installed.
    """
    source.require(Path.cwd())
    from gogooku3 import config
    from gogooku3.export import export as run

    rows = run(Path(), split, config.load().evaluation.quantiles, output)
    for name, count in rows.items():
        echo(f"{count:>9,} rows  {output / name}")
