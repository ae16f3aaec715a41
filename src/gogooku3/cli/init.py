"""`gogooku3 init`: a tier of one's own bars."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gogooku3 import source
from gogooku3.cli.output import echo
from gogooku3.recovery.releases.git import toplevel

if TYPE_CHECKING:
    from gogooku3.new_tier.proposal import Proposal

_file = click.Path(path_type=Path)


def _columns(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    if any(not (name and mark and own) for name, mark, own in pairs):
        raise click.BadParameter("write it as `Close=last_price`: the column, and its name in the file")
    return {name: own for name, _, own in pairs}


@click.command()
@click.argument("name")
@click.option("--bars", type=_file, required=True, help="Daily bars: .parquet or .csv.")
@click.option("--listed", type=_file, help="Sectors and segments of the stocks; by default columns of the bars.")
@click.option("--index", type=_file, help="Market index; by default the equal-weight index of the stocks.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    callback=_columns,
    metavar="NAME=OWN",
    help="Name of a column of the bars that is not recognised, such as Close=last_price; can be repeated.",
)
def init(name: str, bars: Path, listed: Path | None, index: Path | None, columns: dict[str, str]) -> None:
    """Set up a tier of your own bars.

    Reads the files, recognises their columns, and proposes rules, split and batch. Writes conf/quotes/NAME.yaml and
    conf/tier/NAME.yaml, which you can edit, and the artifact of the tier in dvc.yaml. Nothing is trained.

    \b
    Examples:
      gogooku3 init nasdaq --bars ../bars/nasdaq.parquet
      gogooku3 init mine --bars bars.csv --listed sectors.csv --column Close=last_price

    Exit codes: 0 written; 1 the name is taken; 2 a name or the parameters are wrong; 3 a file is missing, damaged, too
    short or without a column; 4 another clone's source is installed; 8 Git failed.
    """
    root = toplevel(Path.cwd())
    source.require(root)
    from gogooku3 import config, paths
    from gogooku3.new_tier import files
    from gogooku3.new_tier.proposal import propose

    files.require_new(root, name)
    embargo = config.load(root / paths.PARAMS).dataset.split.embargo
    files_of = {"bars": bars, "listed": listed, "index": index}
    given = {kind: Path(os.path.relpath(path, root)) for kind, path in files_of.items() if path is not None}
    proposal = propose(root, given, columns, embargo)
    written = files.write(root, name, proposal)
    for title, text in _summary(proposal):
        echo(f"{title:<10}{text}")
    echo(f"{'written':<10}{', '.join(map(str, written))}")
    echo(f"{'next':<10}git add conf dvc.yaml && git commit --message 'Tier {name}'")
    echo(f"{'':<10}dvc exp run -S quotes={name} -S tier={name}")


def _summary(proposal: Proposal) -> list[tuple[str, str]]:
    own = {key: value for key, value in (proposal.bars | proposal.listed).items() if value is not None}
    lines = [
        ("bars", f"{proposal.rows:,} of {proposal.stocks:,} stocks, {proposal.sessions:,} sessions from"
                 f" {proposal.first} to {proposal.last}"),
        ("columns", ", ".join(f"{key}={value}" for key, value in own.items())),
    ]  # fmt: skip
    if proposal.bars["AdjustmentFactor"] is None:
        lines.append(("splits", "no adjustment factor: the prices are taken as split-adjusted"))
    else:
        lines.append(("splits", f"`{proposal.bars['AdjustmentFactor']}` is taken as the factor of the ex-date, else 1"))
    if proposal.listed["Sector33"] is None:
        lines.append(("sectors", "no sectors: one for all"))
    for rule, count in proposal.broken.items():
        lines.append(("rule", f"{rule}: {count:,} rows, {proposal.policies[rule]}"))
    lines.append(("split", f"validation from {proposal.validation_from}, test from {proposal.test_from}"))
    lines.append(
        ("batch", f"{proposal.batch_stocks:,} stocks of {proposal.batch_size // proposal.batch_stocks} sessions")
    )
    return lines
